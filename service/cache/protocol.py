"""The port of a cache: bytes under a name for a time, and a lock that other processes respect.

A cache may forget anything at any moment, and it never raises from the methods that answers use: losing it changes
speed, not answers. Only `ping` raises, so that the health page can show what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Usage:
    """What a cache holds, at most `most_bytes`. `evictions`: how many entries went because others needed their room."""

    size_bytes: int
    most_bytes: int
    entries: int
    evictions: int


class Cache(Protocol):
    """All methods may be called from many threads at once. Any text may be a key."""

    name: str
    """`memory` or `redis`."""
    shared: bool
    """Whether other processes see the same values. Then a look-up costs a wait, and the cache may be away."""

    @property
    def era(self) -> str:
        """Changes when the cache may hold older values again, such as a server that restarted from a snapshot."""

    def get(self, key: str) -> bytes | None:
        """The value of `key`; None when there is none, or the cache is away."""

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each of `keys`, in one round trip to a shared cache."""

    def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        """Like `put` for each of `values`, in one round trip to a shared cache. Some may not be kept."""

    def swap(self, key: str, old: bytes | None, new: bytes, ttl_s: float) -> bool:
        """Put `new` if the value of `key` is `old` (None: there is none); False when it is not, or cannot be put."""

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        """True when the value is kept. When it is not, an older value may be gone or not: never rely on it."""

    def lock(self, key: str, ttl_s: float) -> str | None:
        """A token when this caller holds the lock, None when another does. A cache that is away grants all locks."""

    def extend(self, key: str, token: str, ttl_s: float) -> bool:
        """Hold the lock for `ttl_s` from now; False when it is no longer this token's."""

    def unlock(self, key: str, token: str) -> None:
        """Release the lock; nothing happens when it is no longer this token's."""

    def usage(self) -> Usage | None:
        """What it holds; None for a server, which other programs may use too."""

    def ping(self) -> None:
        """Raises what is wrong."""

    def close(self) -> None:
        """Give back what the cache holds. Nothing may be called afterwards."""
