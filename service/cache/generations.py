"""Which state of each bucket an answer belongs to.

Every bucket has a random token in the cache. The token is part of the name of every answer about the bucket. A write
puts a new token, so that no name of an older answer is asked for again. A token that was lost becomes a new one.

A write that happens while the cache is away: this process takes nothing from the cache about that bucket until the new
token is there, and it keeps trying to put it. Other workers that do reach the cache may serve the answers that they
have, at most for as long as an answer is kept. The same holds when this process dies before it could put the token.
"""

import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from service.cache.agreed_value import agreed_value
from service.cache.protocol import Cache

_KEPT_S = 30 * 86_400.0
_RETRY_S = 1.0
_TOKEN = re.compile(rb"[0-9a-f]{16}")
EVERY_BUCKET = "\0every"
"""As a bucket of an answer: it is about all buckets, and a write to any of them drops it."""


@dataclass(frozen=True)
class CacheStamp:
    """The state of some buckets at one moment.

    `tokens` is None when the cache does not know the state: then nothing may be taken from it or kept in it.
    `invalidations` counts the writes that this process alone saw, so that a read under way is never shared across a
    write.
    """

    tokens: tuple[str, ...] | None
    invalidations: tuple[int, ...]


class Generations:
    """Gives stamps of buckets, and makes older stamps worthless. Thread-safe.

    `retry_s`: how long to wait before a token that the cache did not take is put again.
    """

    def __init__(self, cache: Cache, retry_s: float = _RETRY_S) -> None:
        self._cache = cache
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._invalidations: dict[str, int] = {}
        self._pending: set[str] = set()
        self._retrying = threading.Lock()
        self._retry_thread: threading.Thread | None = None

    def of(self, buckets: Sequence[str]) -> CacheStamp:
        """The state of `buckets`. To be taken before the store is asked."""
        names = sorted(set(buckets))
        with self._lock:
            invalidations = tuple(self._invalidations.get(name, 0) for name in names)
            has_pending = not self._pending.isdisjoint(names)
        if has_pending:
            self.retry()
            with self._lock:
                if not self._pending.isdisjoint(names):
                    return CacheStamp(None, invalidations)
        tokens = [self._token(name) for name in names]
        known = [token for token in tokens if token is not None]
        return CacheStamp((self._cache.era, *known) if len(known) == len(tokens) else None, invalidations)

    def invalidate(self, bucket: str) -> None:
        """Make every older stamp of `bucket`, and of all buckets, worthless. To be called after the write."""
        for name in (bucket, EVERY_BUCKET):
            with self._lock:
                self._invalidations[name] = self._invalidations.get(name, 0) + 1
            if not self._put_new_token(name) and self._cache.shared:
                self._retry_later(name)

    @property
    def pending(self) -> frozenset[str]:
        """The buckets whose new token the cache did not take yet."""
        with self._lock:
            return frozenset(self._pending)

    def retry(self) -> None:
        """Put once more the tokens that the cache did not take."""
        with self._retrying:
            with self._lock:
                pending = {name: self._invalidations[name] for name in self._pending}
            for name, invalidations in pending.items():
                if not self._put_new_token(name):
                    return
                with self._lock:
                    if self._invalidations[name] == invalidations:
                        self._pending.discard(name)

    def _retry_later(self, name: str) -> None:
        with self._lock:
            self._pending.add(name)
            if self._retry_thread is None:
                thread = threading.Thread(target=self._keep_retrying, name="generations", daemon=True)
                thread.start()
                self._retry_thread = thread

    def _keep_retrying(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._retry_s)
            self.retry()
            with self._lock:
                if not self._pending:
                    self._retry_thread = None
                    return

    def _put_new_token(self, name: str) -> bool:
        return self._cache.put(_key(name), _new_token(), _KEPT_S)

    def _token(self, name: str) -> str | None:
        return agreed_value(self._cache, _key(name), _token_of, _new_token, _KEPT_S)


def _token_of(value: bytes) -> str | None:
    return value.decode() if _TOKEN.fullmatch(value) else None


def _new_token() -> bytes:
    return secrets.token_hex(8).encode()


def _key(bucket: str) -> str:
    return f"generation:{bucket}"
