"""What changed in a bucket, for all processes: a map of changes in the cache, replaced only by who has read it.

A change that cannot be written there makes everything worthless that is kept of the bucket (`cache.generations`): this
process takes nothing until the cache knows of it.
"""

import hashlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.cache.agreed_value import agreed_value
from service.cache.generations import Generations
from service.cache.protocol import Cache
from service.domain.change_map import Changed, ChangeMap
from service.domain.timerange import EVER, TimeRange

_KEPT_S = 30 * 86_400.0
_TRIES = 16
_PROBE, _PROBE_S = "probe", 60.0
_ID_BYTES, _SUM_BYTES = 16, 8


@dataclass(frozen=True)
class Stamp:
    """The state of a bucket at one moment. Windows that were kept under another `identity` say nothing."""

    identity: tuple[str, ...]
    changes: ChangeMap


class Changes:
    """Notes changes, and gives the state of a bucket. Thread-safe."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._generations = Generations(cache)
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._buckets: set[str] = set()

    def stamp(self, bucket: str) -> Stamp | None:
        """The state of a bucket, to be taken before the store is asked. None: the cache does not know it."""
        with self._lock:
            self._buckets.add(bucket)
        if self._cache.shared and not self._cache.put(_PROBE, b"", _PROBE_S):
            return None  # it takes no value, so another process may have failed to note a change in it
        tokens = self._generations.of([_scope(bucket)]).tokens
        if tokens is None:
            return None
        state = agreed_value(self._cache, _key(bucket), _decoded, lambda: _encoded(_new_id(), ChangeMap()), _KEPT_S)
        return None if state is None else Stamp((*tokens, state[0]), state[1])

    def note(self, bucket: str, ranges: Sequence[TimeRange]) -> None:
        """Note that points in `ranges` changed. To be called after the change, and before anybody knows of it."""
        if not ranges:
            return
        with self._writing:  # writers of one process need not try against each other
            is_written = EVER not in ranges and self._is_written(bucket, ranges)
        if not is_written:
            self.forget(bucket)

    def forget(self, bucket: str) -> None:
        """Make everything worthless that is kept of a bucket."""
        self._generations.invalidate(_scope(bucket))

    def forget_all(self) -> None:
        """The same for every bucket that this process has looked at."""
        with self._lock:
            buckets = sorted(self._buckets)
        for bucket in buckets:
            self.forget(bucket)

    def _is_written(self, bucket: str, ranges: Sequence[TimeRange]) -> bool:
        for _ in range(_TRIES):
            value = self._cache.get(_key(bucket))
            decoded = None if value is None else _decoded(value)
            identity, changes = (_new_id(), ChangeMap()) if decoded is None else decoded
            if self._cache.swap(_key(bucket), value, _encoded(identity, changes.with_change(ranges)), _KEPT_S):
                return True
        return False


def _scope(bucket: str) -> str:
    return f"\0windows\0{bucket}"


def _key(bucket: str) -> str:
    return f"changes:{bucket}"


def _new_id() -> str:
    return secrets.token_hex(_ID_BYTES // 2)


def _encoded(identity: str, changes: ChangeMap) -> bytes:
    numbers = [changes.last, *(number for change in changes.changes for number in change)]
    content = identity.encode() + np.array(numbers, np.int64).tobytes()
    return _check_sum(content) + content


def _decoded(value: bytes) -> tuple[str, ChangeMap] | None:
    """None for bytes that `_encoded` did not write, and for a part of them, which would say that less has changed."""
    content = value[_SUM_BYTES:]
    if len(content) < _ID_BYTES + 8 or value[:_SUM_BYTES] != _check_sum(content):
        return None
    last, *numbers = np.frombuffer(content, np.int64, offset=_ID_BYTES).tolist()
    changes = tuple(Changed(*numbers[place : place + 3]) for place in range(0, len(numbers), 3))
    return content[:_ID_BYTES].decode("ascii", "replace"), ChangeMap(last, changes)


def _check_sum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_SUM_BYTES).digest()
