"""The cache in Redis, shared by workers. A Redis that is down, slow or hung costs one short wait, then is left alone for a while."""

import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import redis
import structlog

_PREFIX = "fluxgate:1:"
_CONNECT_TIMEOUT_S, _ANSWER_TIMEOUT_S = 0.25, 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 30.0
_COMPRESS_BYTES = 1024 * 1024
_PLAIN, _PACKED = b"0", b"1"
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class RedisCache:
    """Never raises but from `ping`. Values above 1 MB are compressed (LZ4: cheaper than the wire)."""

    name = "redis"

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_TIMEOUT_S, socket_timeout=_ANSWER_TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._pause_s = _FIRST_PAUSE_S

    def get(self, key: str) -> bytes | None:
        return _unpacked(self._try(lambda: self._redis.get(_PREFIX + key), None))

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        if ttl_s <= 0:
            return False
        packed = _packed(value)
        return self._try(lambda: bool(self._redis.set(_PREFIX + key, packed, px=max(int(ttl_s * 1000), 1))), False)

    def delete(self, key: str) -> None:
        self._try(lambda: self._redis.delete(_PREFIX + key), 0)

    def lock(self, key: str, ttl_s: float) -> str | None:
        token = secrets.token_hex(8)
        taken = self._try(lambda: bool(self._redis.set(f"{_PREFIX}lock:{key}", token, nx=True, px=max(int(ttl_s * 1000), 1))), True)
        return token if taken else None

    def unlock(self, key: str, token: str) -> None:
        self._try(lambda: self._redis.eval(_UNLOCK, 1, f"{_PREFIX}lock:{key}", token), 0)

    def locked(self, key: str) -> bool:
        return bool(self._try(lambda: self._redis.exists(f"{_PREFIX}lock:{key}"), 0))

    def ping(self) -> None:
        self._redis.ping()

    def close(self) -> None:
        self._redis.close()

    def _try(self, act: Callable[[], Result], otherwise: Result) -> Result:
        now = self._clock()
        if now < self._away_until:
            return otherwise
        try:
            result = act()
        except (redis.RedisError, OSError) as broken:
            self._leave_alone(broken)
            return otherwise
        if self._away_until:
            self._back()
        return result

    def _leave_alone(self, broken: Exception) -> None:
        with self._lock:
            first = not self._away_until
            self._away_until = self._clock() + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        if first:
            _log.warning("redis is away, answers are not cached", reason=f"{type(broken).__name__}: {broken}"[:200])

    def _back(self) -> None:
        with self._lock:
            self._away_until, self._pause_s = 0.0, _FIRST_PAUSE_S
        _log.info("redis is back")


def _packed(value: bytes) -> bytes:
    if len(value) <= _COMPRESS_BYTES:
        return _PLAIN + value
    return b"".join([_PACKED, len(value).to_bytes(8, "big"), pa.compress(value, codec="lz4", asbytes=True)])


def _unpacked(stored: object) -> bytes | None:
    """None for what this version did not write."""
    if not isinstance(stored, bytes) or not stored:
        return None
    if stored[:1] == _PLAIN:
        return stored[1:]
    if stored[:1] == _PACKED:
        try:
            return bytes(pa.decompress(stored[9:], int.from_bytes(stored[1:9], "big"), codec="lz4", asbytes=True))
        except (pa.ArrowException, OSError, ValueError, MemoryError):
            return None
    return None
