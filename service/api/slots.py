"""How many reads run at one time in this process, and how many of them for one key. One more is told to come back."""

import threading
from collections import Counter
from collections.abc import Callable

from service.errors import TooManyReads


def share_of_key(most: int) -> int:
    """How many of `most` slots one key may hold: a quarter, rounded down, is kept for other keys. All of one, two or three."""
    return most - most // 4


class Slots:
    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._of_key: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        with self._lock:
            return self._of_key.total()

    def take(self, key_id: str) -> Callable[[], None]:
        """Take a slot for a key; the result gives it back (once, however often it is called). Raises TooManyReads."""
        with self._lock:
            if self._of_key.total() >= self._most:
                raise TooManyReads(f"All {self._most} reads of this gateway (MAX_READS) are under way. Ask again in a moment.", 1.0)
            if self._of_key[key_id] >= share_of_key(self._most):
                raise TooManyReads(
                    f"This key has {share_of_key(self._most)} reads under way, its share of the {self._most} of this gateway (MAX_READS)."
                    " Ask again when one has ended.",
                    1.0,
                )
            self._of_key[key_id] += 1
        given_back = threading.Event()

        def give_slot_back() -> None:
            with self._lock:
                if not given_back.is_set():
                    given_back.set()
                    give_back(self._of_key, key_id, 1)

        return give_slot_back


def give_back(counts: Counter[str], key_id: str, count: int) -> None:
    """Count less for a key, and forget a key that holds nothing."""
    counts[key_id] -= count
    if not counts[key_id]:
        del counts[key_id]
