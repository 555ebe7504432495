"""Limits how much of a bounded resource one key may hold, so that no key can shut out the others.

Of resources that are freed by a deadline, a key leaves a quarter to other keys. These are running reads and writes
and the bytes of their bodies; READ_TIMEOUT_S and WRITE_TIMEOUT_S end them. Of resources that are held as long as
somebody else decides, a key leaves half: threads that wait for a dependency, arriving bodies, event streams.
The part for others is rounded down, so a key may hold all of a resource of one.
"""

import threading
from collections import Counter
from enum import Enum


class Reserve(Enum):
    """The part of a resource that a key leaves to other keys, as a divisor."""

    QUARTER = 4
    HALF = 2


class Full(Enum):
    """Why nothing more may be taken: all of the resource is taken, or all of the key's share."""

    ALL = "all"
    KEY = "key"


def share_of_key(most: int, reserve: Reserve) -> int:
    """How many of `most` one key may hold: at least one."""
    return most - most // reserve.value


class Shares:
    """Counts what each key holds of a resource: at most `most` in all, and `of_key` by one key. Thread-safe."""

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
        """Take `count` more for a key and return None, or return why not and take nothing."""
        with self._lock:
            full = self._full(key_id, count)
            if full is None:
                self._held[key_id] += count
            return full

    def give_back(self, key_id: str, count: int = 1) -> None:
        """Return `count` of what a key holds, and forget a key that holds nothing."""
        with self._lock:
            self._held[key_id] -= count
            if not self._held[key_id]:
                del self._held[key_id]

    def _full(self, key_id: str, count: int) -> Full | None:
        if self._held.total() + count > self.most:
            return Full.ALL
        return Full.KEY if self._held[key_id] + count > self.of_key else None
