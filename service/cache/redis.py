"""The cache in Redis, shared by workers.

A Redis that is down, slow or hung costs one short wait. Then it is left alone for a while (`breaker`).
"""

import re
import secrets
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import pyarrow as pa
import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.cache.breaker import Breaker
from service.errors import ConfigurationError

_PREFIX = "fluxgate:1:"
_CONNECT_TIMEOUT_S, _SILENCE_TIMEOUT_S = 0.15, 0.15
"""A Redis that hangs costs a request one of them, and no request waits 200 ms for it."""
_SLOW_S = 2.0
"""A server that sends byte by byte passes every time-out on silence. A command as long as this counts as a failure."""
_COMPRESS_BYTES = 64 * 1024
"""Larger values are compressed. A hit of 1 MB of CSV then takes 0.2 to 0.3 times as long (measured)."""
_LARGEST_BYTES = 1024 * 1024 * 1024
_PLAIN, _LZ4 = b"0", b"4"
_HEAD_BYTES = 13
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
_EXTEND = (
    "if redis.call('get', KEYS[1]) == ARGV[1]"  # still this token's lock
    " then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_SWAP = (
    "if redis.call('get', KEYS[1]) == ARGV[1]"
    " then redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 else return 0 end"
)

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class RedisConnection(Protocol):
    """What is used of redis-py's connections, which are not typed."""

    def on_connect(self) -> None: ...

    def send_command(self, *words: str) -> None: ...

    def read_response(self) -> bytes: ...


class RedisCache:
    """A `Cache` at `url`. Values above 64 KB are compressed with LZ4.

    Raises ConfigurationError: `url` is no address of a Redis.
    """

    name = "redis"
    shared = True

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        try:
            # No retries: `redis.Redis()` has ten by default, which would make a hung server cost seconds.
            self._redis = redis.Redis.from_url(
                url,
                socket_connect_timeout=_CONNECT_TIMEOUT_S,
                socket_timeout=_SILENCE_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                redis_connect_func=self._connect,
            )
        except ValueError as wrong:
            reason = "REDIS_URL is no address of a Redis. It looks like redis://127.0.0.1:6379/0."
            raise ConfigurationError(reason) from wrong
        self._breaker = Breaker(clock)
        self._era = ""
        self._refused: set[str] = set()

    @property
    def era(self) -> str:
        """The run of the server: after a restart from an old snapshot it may hold an old token of a bucket."""
        return self._era

    def get(self, key: str) -> bytes | None:
        return _decoded(self._try(lambda: self._redis.get(_redis_key(key)), None))

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        nothing: Sequence[object] = [None] * len(keys)

        def ask() -> Sequence[object]:
            return self._redis.mget([*map(_redis_key, keys)])

        return [_decoded(value) for value in self._try(ask, nothing)]

    def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        if ttl_s <= 0 or not values:
            return

        def send() -> None:
            with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(_redis_key(key), _encoded(value), px=_ms(ttl_s))
                pipeline.execute()

        self._try(send, None)

    def swap(self, key: str, old: bytes | None, new: bytes, ttl_s: float) -> bool:
        if old is not None:
            return self._swap(key, _encoded(old), new, ttl_s)
        if self._keep(key, new, ttl_s, only_new=True):
            return True
        stored = self._try(lambda: self._redis.get(_redis_key(key)), None)
        if not isinstance(stored, bytes) or _decoded(stored) is not None:
            return False
        return self._swap(key, stored, new, ttl_s)  # bytes that nobody can read are no value, as `get` has it

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        return self._keep(key, value, ttl_s, only_new=False)

    def lock(self, key: str, ttl_s: float) -> str | None:
        token = secrets.token_hex(8)
        taken = self._try(lambda: bool(self._redis.set(_redis_key(f"lock:{key}"), token, nx=True, px=_ms(ttl_s))), True)
        return token if taken else None

    def extend(self, key: str, token: str, ttl_s: float) -> bool:
        name = _redis_key(f"lock:{key}")
        return self._try(lambda: bool(self._redis.eval(_EXTEND, 1, name, token, _ms(ttl_s))), False)

    def unlock(self, key: str, token: str) -> None:
        self._try(lambda: self._redis.eval(_UNLOCK, 1, _redis_key(f"lock:{key}"), token), 0)

    def usage(self) -> None:
        return None

    def ping(self) -> None:
        self._redis.ping()

    def close(self) -> None:
        self._redis.close()

    def _swap(self, key: str, stored: bytes, new: bytes, ttl_s: float) -> bool:
        words = _redis_key(key), stored, _encoded(new), _ms(ttl_s)
        return self._try(lambda: bool(self._redis.eval(_SWAP, 1, *words)), False)

    def _keep(self, key: str, value: bytes, ttl_s: float, only_new: bool) -> bool:
        if ttl_s <= 0:
            return False
        encoded = _encoded(value)
        return self._try(lambda: bool(self._redis.set(_redis_key(key), encoded, px=_ms(ttl_s), nx=only_new)), False)

    def _connect(self, connection: RedisConnection) -> None:
        """Set up a new connection, and note the run of the server behind it (empty where INFO is not allowed)."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        try:
            run_id = re.search(rb"run_id:(\w+)", connection.read_response())
        except redis.ResponseError:
            run_id = None
        self._era = run_id[1].decode() if run_id else ""

    def _try(self, act: Callable[[], Result], otherwise: Result) -> Result:
        """What `act` gives, or `otherwise` when Redis is away, refuses, or is left alone."""
        ticket = self._breaker.enter()
        if ticket is None:
            return otherwise
        began = time.monotonic()
        try:
            result = act()
        except redis.ResponseError as refused:
            self._note_refusal(refused)
            return otherwise
        except (redis.RedisError, OSError) as broken:
            self._fail(ticket, f"{type(broken).__name__}: {broken}")
            return otherwise
        if time.monotonic() - began > _SLOW_S:
            self._fail(ticket, f"one command took more than {_SLOW_S:.0f} s")
        elif self._breaker.worked(ticket):
            _log.info("redis is back")
        return result

    def _fail(self, ticket: int, reason: str) -> None:
        if self._breaker.failed(ticket):
            _log.warning("redis is away, answers are not cached", reason=reason[:200])

    def _note_refusal(self, refused: redis.ResponseError) -> None:
        """Log once for each code that the server is there and refuses a command (full, read-only, not allowed)."""
        code = str(refused).partition(" ")[0][:40]
        if code not in self._refused and len(self._refused) < 20:
            self._refused.add(code)
            _log.warning("redis refuses a command", reason=str(refused)[:200])


def _redis_key(key: str) -> bytes:
    return f"{_PREFIX}{key}".encode("utf-8", "backslashreplace")


def _ms(ttl_s: float) -> int:
    return max(int(ttl_s * 1000), 1)


def _encoded(value: bytes) -> bytes:
    """The bytes that Redis keeps: how the value is packed, its size, a checksum of all the rest, and the value."""
    kind, packed = _PLAIN, value
    if len(value) > _COMPRESS_BYTES:
        kind, packed = _LZ4, pa.compress(value, codec="lz4", asbytes=True)
    head = kind + len(value).to_bytes(8, "big")
    return b"".join([head, zlib.crc32(packed, zlib.crc32(head)).to_bytes(4, "big"), packed])


def _decoded(stored: object) -> bytes | None:
    """The value of bytes that Redis kept; None for bytes that this version did not write, or only in part."""
    if not isinstance(stored, bytes) or len(stored) < _HEAD_BYTES:
        return None
    packed = memoryview(stored)[_HEAD_BYTES:]
    size = int.from_bytes(stored[1:9], "big")
    checksum = int.from_bytes(stored[9:_HEAD_BYTES], "big")
    if size > _LARGEST_BYTES or zlib.crc32(packed, zlib.crc32(stored[:9])) != checksum:
        return None
    if stored[:1] == _PLAIN:
        return bytes(packed) if len(packed) == size else None
    if stored[:1] != _LZ4:
        return None
    try:
        return bytes(pa.decompress(packed, size, codec="lz4", asbytes=True))
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return None
