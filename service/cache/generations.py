"""Which state of each bucket an answer belongs to.

Every bucket has a random token in the cache, which is part of the name of every answer about it. A
write puts a new token, and what was known is out of reach. A token that was lost becomes a new one.

What holds while the cache is away at a write: this process takes nothing from the cache about that
bucket until the new token is there, and keeps trying. Other workers that do reach the cache may serve
what they have for as long as an answer is kept, at most; they do no more when this process dies first.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from service.cache.protocol import Cache

_KEPT_S = 30 * 86_400.0
_RETRY_S = 1.0
EVERY_BUCKET = "\0every"
"""As a bucket of an answer: it is about all of them, and a write to any drops it."""


@dataclass(frozen=True)
class CacheStamp:
    """The state of some buckets. `tokens` is None when the cache does not know it: then nothing may be taken from it or kept in it.

    `touches` are the writes seen by this process alone, so that reads under way are never shared across a write.
    """

    tokens: tuple[str, ...] | None
    touches: tuple[int, ...]


class Generations:
    def __init__(self, cache: Cache, retry_s: float = _RETRY_S) -> None:
        self._cache = cache
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._touches: dict[str, int] = {}
        self._untold: set[str] = set()
        self._telling = threading.Lock()
        self._teller: threading.Thread | None = None

    def of(self, buckets: Sequence[str]) -> CacheStamp:
        """To be taken before the store is asked."""
        names = sorted(set(buckets))
        with self._lock:
            touches = tuple(self._touches.get(name, 0) for name in names)
            untold = not self._untold.isdisjoint(names)
        if untold:
            self.tell()
            with self._lock:
                if not self._untold.isdisjoint(names):
                    return CacheStamp(None, touches)
        tokens = [self._token(name) for name in names]
        known = [token for token in tokens if token is not None]
        return CacheStamp((self._cache.era, *known) if len(known) == len(tokens) else None, touches)

    def invalidate(self, bucket: str) -> None:
        """A bucket was written to: nothing known of it, or of all buckets, is an answer any more."""
        for name in (bucket, EVERY_BUCKET):
            with self._lock:
                self._touches[name] = self._touches.get(name, 0) + 1
            if not self._renew(name) and self._cache.shared:
                self._tell_later(name)

    def tell(self) -> None:
        """Try once more to put the tokens that the cache did not take."""
        with self._telling:
            with self._lock:
                untold = {name: self._touches[name] for name in self._untold}
            for name, touches in untold.items():
                if not self._renew(name):
                    return
                with self._lock:
                    if self._touches[name] == touches:
                        self._untold.discard(name)

    def _tell_later(self, name: str) -> None:
        with self._lock:
            self._untold.add(name)
            if self._teller is None:
                self._teller = threading.Thread(target=self._keep_telling, name="generations", daemon=True)
                self._teller.start()

    def _keep_telling(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._retry_s)
            self.tell()
            with self._lock:
                if not self._untold:
                    self._teller = None
                    return

    def _renew(self, name: str) -> bool:
        return self._cache.put(_key(name), _new(), _KEPT_S)

    def _token(self, name: str) -> str | None:
        found = self._cache.get(_key(name))
        if found is None:
            # Of many that find none at once, all take the one that came first; else each would make its own answer.
            self._cache.add(_key(name), _new(), _KEPT_S)
            found = self._cache.get(_key(name))
        return None if found is None else found.decode("ascii", "replace")


def _new() -> bytes:
    return secrets.token_hex(8).encode()


def _key(bucket: str) -> str:
    return f"generation:{bucket}"
