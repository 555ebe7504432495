"""The port of a cache: bytes under a name for a time, and a lock that other processes respect.

A cache may forget anything at any moment and must never raise from the methods that answers use:
losing it changes speed, not answers. `ping` alone raises, so that health can show it.
"""

from typing import Protocol


class Cache(Protocol):
    name: str
    """`memory` or `redis`."""
    shared: bool
    """Whether other processes see the same values; then looking costs a wait, and the cache may be away."""

    @property
    def era(self) -> str:
        """Changes when the cache may have come back with values that it held earlier (a server restarted from a snapshot)."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        """True when the value is kept. When not, an older value may be gone or not: never count on it."""

    def add(self, key: str, value: bytes, ttl_s: float) -> bool:
        """Like `put`, unless there is a value already: of several that add at once, one is kept."""

    def delete(self, key: str) -> None: ...

    def lock(self, key: str, ttl_s: float) -> str | None:
        """A token when this caller now holds the lock, None when another does. A cache that is away grants every lock."""

    def extend(self, key: str, token: str, ttl_s: float) -> bool:
        """Hold the lock for `ttl_s` from now; False when it is no longer this token's."""

    def unlock(self, key: str, token: str) -> None:
        """Give the lock back; nothing happens when it is no longer this token's."""

    def locked(self, key: str) -> bool: ...

    def ping(self) -> None:
        """Raises what is wrong."""

    def close(self) -> None: ...
