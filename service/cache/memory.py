"""The cache in the process: bounded in bytes. The least recently used entry goes first."""

import math
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from service.cache.protocol import Usage

_ENTRY_BYTES = 200
"""What an entry costs besides its key and value."""


class MemoryCache:
    """Holds at most `max_bytes`, keys and values together. `clock` gives seconds that never go back."""

    name = "memory"
    shared = False
    era = ""

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._evictions = 0
        self._locks: dict[str, tuple[float, str]] = {}

    @property
    def size_bytes(self) -> int:
        """What all entries cost."""
        return self._bytes

    def get(self, key: str) -> bytes | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            until_s, value = entry
            if until_s <= self._clock():
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return value

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        for key, value in values.items():
            self.put(key, value, ttl_s)

    def swap(self, key: str, old: bytes | None, new: bytes, ttl_s: float) -> bool:
        with self._lock:
            until_s, value = self._entries.get(key, (-math.inf, b""))
            present = value if until_s > self._clock() else None
            return present == old and self._keep(key, new, ttl_s)

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        with self._lock:
            return self._keep(key, value, ttl_s)

    def lock(self, key: str, ttl_s: float) -> str | None:
        with self._lock:
            now = self._clock()
            self._locks = {name: lock for name, lock in self._locks.items() if lock[0] > now}
            if key in self._locks:
                return None
            token = secrets.token_hex(8)
            self._locks[key] = (now + ttl_s, token)
            return token

    def extend(self, key: str, token: str, ttl_s: float) -> bool:
        with self._lock:
            until, holder = self._locks.get(key, (0.0, ""))
            if holder != token or until <= self._clock():
                return False
            self._locks[key] = (self._clock() + ttl_s, token)
            return True

    def unlock(self, key: str, token: str) -> None:
        with self._lock:
            if self._locks.get(key, (0.0, ""))[1] == token:
                del self._locks[key]

    def usage(self) -> Usage:
        return Usage(self._bytes, self._max_bytes, len(self._entries), self._evictions)

    def ping(self) -> None:
        """Never raises: the cache is in this process."""

    def close(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _keep(self, key: str, value: bytes, ttl_s: float) -> bool:
        size = _size(key, value)
        self._drop(key)
        if ttl_s <= 0 or size > self._max_bytes:
            return False
        while self._bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self._evictions += 1
        self._entries[key] = (self._clock() + ttl_s, value)
        self._bytes += size
        return True

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry[1])


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _ENTRY_BYTES
