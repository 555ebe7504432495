"""How much of a bound one key may hold, so that it cannot shut out the others.

One rule, with two amounts. Of what ends by itself, a key leaves a quarter to others: reads and writes under way
(and the bytes of their bodies) end within READ_TIMEOUT_S and WRITE_TIMEOUT_S. Of what lasts as long as somebody
else wants, a key leaves half: threads that wait for a dependency, bodies on their way, event streams.
Both are rounded down, so of a bound of one the key may hold all.
"""

import threading
from collections import Counter
from enum import Enum


class Reserve(Enum):
    """What a key leaves to other keys: one part in so many."""

    QUARTER = 4
    HALF = 2


class Full(Enum):
    """Why nothing more may be taken: everything is, or the share of the key is."""

    ALL = "all"
    KEY = "key"


def share_of_key(most: int, left: Reserve) -> int:
    """How many of `most` one key may hold: at least one."""
    return most - most // left.value


class Shares:
    """Who holds how much of a bound: at most `most` in all, and `of_key` for one key. May be used from many threads."""

    def __init__(self, most: int, of_key: int) -> None:
        self.most = most
        self.of_key = of_key
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        with self._lock:
            return self._held.total()

    def full(self, key_id: str, count: int = 1) -> Full | None:
        """Why `key_id` may not take `count` more; None when it may."""
        with self._lock:
            return self._full(key_id, count)

    def take(self, key_id: str, count: int = 1) -> Full | None:
        """Count `count` more for a key and give None; or say why that is not possible, and count nothing."""
        with self._lock:
            full = self._full(key_id, count)
            if full is None:
                self._held[key_id] += count
            return full

    def give_back(self, key_id: str, count: int = 1) -> None:
        """Count less for a key, and forget a key that holds nothing."""
        with self._lock:
            self._held[key_id] -= count
            if not self._held[key_id]:
                del self._held[key_id]

    def _full(self, key_id: str, count: int) -> Full | None:
        if self._held.total() + count > self.most:
            return Full.ALL
        return Full.KEY if self._held[key_id] + count > self.of_key else None
