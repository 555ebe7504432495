"""All keys at hand, for addresses that sent too many wrong ones.

Such an address may send any number of keys that look right. They are held against this list, which is read at most once
a second, so that a wrong key costs no query of its own and a right one still works.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from service.errors import NotReady

Record = TypeVar("Record")
_READ_EVERY_S = 1.0


class KeyList(Generic[Record]):
    """What `read` gave last, by the hash of a key. `clock` gives seconds since 1970."""

    def __init__(self, read: Callable[[], Mapping[bytes, Record]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._reading = threading.Lock()
        self._records: Mapping[bytes, Record] = {}
        self._failure: NotReady | None = None
        self._read_at = float("-inf")
        self._forgotten = 0

    def find(self, hashed: bytes) -> Record | None:
        """The key of this hash, as it was at most a second ago, or before `forget` was last called. While it is read, others wait.

        Raises NotReady: the database does not answer; that is asked at most once a second, too.
        """
        with self._reading:
            now = self._clock()
            if not 0 <= now - self._read_at < _READ_EVERY_S:
                self._read_again(now)
            if self._failure is not None:
                raise NotReady(self._failure.message, self._failure.retry_after_s)
            return self._records.get(hashed)

    def _read_again(self, now: float) -> None:
        """A failure is remembered as long as a list: what could not be read is not taken for an empty list."""
        forgotten = self._forgotten
        self._records, self._failure, self._read_at = {}, None, now
        try:
            self._records = self._read()
        except NotReady as failure:
            self._failure = failure
        if forgotten != self._forgotten:
            self._read_at = float("-inf")

    def forget(self) -> None:
        """Read it again before the next answer: a key was revoked.

        Waits for no reading, so it takes no lock. Of two additions at once the interpreter's lock may lose one: the
        count still differs from the one that a reading has noted. The count changes first, so that a reading which ends
        between the two lines sees it.
        """
        self._forgotten += 1
        self._read_at = float("-inf")
