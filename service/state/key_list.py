"""A list of all keys in memory, for addresses that sent too many wrong ones.

Such an address may send any number of keys that look right. They are looked up in this list, which is read at most once
a second. So a wrong key costs no query of its own, and a right key still works.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from service.errors import NotReady

Record = TypeVar("Record")
_READ_EVERY_S = 1.0


class KeyList(Generic[Record]):
    """The last result of `read`: records by the hash of their key. `clock` gives seconds since 1970."""

    def __init__(self, read: Callable[[], Mapping[bytes, Record]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._reading = threading.Lock()
        self._records: Mapping[bytes, Record] = {}
        self._failure: NotReady | None = None
        self._read_at = float("-inf")
        self._forgotten = 0

    def find(self, hashed: bytes) -> Record | None:
        """The record of this hash, at most a second old, and not older than the last `forget`.

        While one thread reads the list, others wait. Raises NotReady: the database does not answer. It is asked at most
        once a second then, too.
        """
        with self._reading:
            now = self._clock()
            if not 0 <= now - self._read_at < _READ_EVERY_S:
                self._read_again(now)
            if self._failure is not None:
                raise NotReady(self._failure.message, self._failure.retry_after_s)
            return self._records.get(hashed)

    def _read_again(self, now: float) -> None:
        """Read the list. A failure is kept as long as a list: a list that cannot be read is not an empty one."""
        forgotten = self._forgotten
        self._records, self._failure, self._read_at = {}, None, now
        try:
            self._records = self._read()
        except NotReady as failure:
            self._failure = failure
        if forgotten != self._forgotten:
            self._read_at = float("-inf")

    def forget(self) -> None:
        """Read the list again before the next answer, because a key was revoked.

        This never waits for a read that is under way, so it takes no lock. Two threads that add one at the same time
        may count once only: the count still differs from the one that the read has noted. The count changes first, so
        that a read which ends between the two lines sees it.
        """
        self._forgotten += 1
        self._read_at = float("-inf")
