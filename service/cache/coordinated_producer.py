"""Producing one answer, coordinated with other processes that are asked for the same one.

The process that holds the lock produces the answer. The others wait until it is in the cache. The lock is released
when the answer is kept, when producing fails, or when the answer is too big to be kept; a mark then tells the others
not to wait for it. A process that dies loses its lock within three seconds. A cache that is away grants every lock.
"""

import math
import threading
import time
from collections.abc import Callable

from service.cache.codec import StoredAnswer, pack, unpack
from service.cache.protocol import Cache
from service.cache.single_flight import Produced
from service.errors import StoreBroken

LOCK_S = 3.0
"""How long a lock lasts that nobody renews."""
_RENEW_S = 1.0
_LONGEST_WAIT_S = 30.0
_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 0.25
_TOO_BIG, _TOO_BIG_S = b"too big", 15.0


class RenewingLock:
    """A lock of the cache that is renewed until it is released, however long that takes."""

    def __init__(self, cache: Cache, name: str, token: str) -> None:
        self._cache = cache
        self._name = name
        self._token = token
        self._is_released = threading.Event()
        threading.Thread(target=self._renew, name="renewing-lock", daemon=True).start()

    def release(self) -> None:
        self._is_released.set()
        self._cache.unlock(self._name, self._token)

    def lapse(self) -> None:
        """Renew it no more: it ends by itself within `LOCK_S`."""
        self._is_released.set()

    def _renew(self) -> None:
        while not self._is_released.wait(_RENEW_S):
            self._cache.extend(self._name, self._token, LOCK_S)


class CoordinatedProducer:
    """The `Producer` of one answer.

    `name`: under which the answer is kept for `ttl_s`, and for `stale_s` more as stale; None: it is not kept, and no
    lock is taken. `clock`: seconds since 1970. `on_end` is called once, after the answer is kept or given up.
    """

    def __init__(
        self,
        cache: Cache,
        name: str | None,
        ttl_s: float,
        clock: Callable[[], float],
        produce: Callable[[], Produced],
        on_end: Callable[[], None],
        stale_s: float = 0.0,
    ) -> None:
        self.made_elsewhere_at: float | None = None
        self._cache = cache
        self._name = name
        self._ttl_s = ttl_s
        self._stale_s = stale_s
        self._clock = clock
        self._produce = produce
        self._on_end = on_end
        self._lock: RenewingLock | None = None
        self._began_at = 0.0

    def produce(self, is_wanted: Callable[[], bool]) -> Produced:
        """The answer that another process kept meanwhile, or a new one.

        Raises StoreBroken: nobody wants it any more. Raises what producing raises.
        """
        if self._name is not None and self._cache.shared:
            answer = self._await_answer_or_lock(self._name, is_wanted)
            if answer is not None:
                self.made_elsewhere_at = answer.made_at
                return Produced(answer.headers, iter([bytes(answer.body)]), lambda: None)
        if not is_wanted():
            raise StoreBroken("Nobody waits for this answer any more.")
        self._began_at = self._clock()
        return self._produce()

    def outgrown(self) -> None:
        """Let other processes produce the answer themselves, because this one will not be kept."""
        if self._lock is not None:
            self._cache.put(_mark(self._name), _TOO_BIG, _TOO_BIG_S)
            self._release()

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        """Keep `whole`, where it was produced by this process, and release the lock."""
        try:
            if self._name is not None and whole is not None and self.made_elsewhere_at is None:
                fresh_until = self._clock() + self._ttl_s if self._stale_s else math.inf
                value = pack(self._began_at, headers, whole, fresh_until)
                self._cache.put(self._name, value, self._ttl_s + self._stale_s)
        finally:
            self._release()
            self._on_end()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _await_answer_or_lock(self, name: str, is_wanted: Callable[[], bool]) -> StoredAnswer | None:
        """The answer of another process. None: this one produces it, with the lock or, after a long wait, without."""
        pause_s, until = _FIRST_POLL_S, time.monotonic() + _LONGEST_WAIT_S
        while is_wanted() and time.monotonic() < until:
            token = self._cache.lock(name, LOCK_S)
            answer = stored_answer(self._cache, name)
            if answer is not None and answer.is_fresh(self._clock()):
                if token is not None:
                    self._cache.unlock(name, token)
                return answer
            if token is not None:
                self._lock = RenewingLock(self._cache, name, token)
                return None
            if self._cache.get(_mark(name)) is not None:
                return None
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)
        return None


def stored_answer(cache: Cache, name: str) -> StoredAnswer | None:
    """The answer that is kept under `name`."""
    value = cache.get(name)
    return None if value is None else unpack(value)


def _mark(name: str | None) -> str:
    return f"{name}:mark"
