"""Making one answer for a flight, in turn with other processes that are asked the same.

Who holds the turn makes the answer, the others wait until it is in the cache. The turn is given back
when the answer is kept, fails, or outgrows what is kept (with a mark, so that nobody waits for it).
A holder that dies loses its turn within seconds; a cache that dies gives everybody one.
"""

import threading
import time
from collections.abc import Callable

from service.cache.codec import Stored, pack, unpack
from service.cache.protocol import Cache
from service.cache.single_flight import Produced
from service.errors import StoreBroken

_TURN_S, _RENEW_S = 3.0, 1.0
_LONGEST_WAIT_S = 30.0
_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 0.25
_TOO_BIG, _TOO_BIG_S = b"too big", 15.0


class RenewingLock:
    """A lock of the cache, held until it is given back, however long that takes."""

    def __init__(self, cache: Cache, name: str, token: str) -> None:
        self._cache = cache
        self._name = name
        self._token = token
        self._over = threading.Event()
        threading.Thread(target=self._renew, name="turn", daemon=True).start()

    def give_back(self) -> None:
        self._over.set()
        self._cache.unlock(self._name, self._token)

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_S):
            self._cache.extend(self._name, self._token, _TURN_S)


class CoordinatedProducer:
    """`name`: under which the answer is kept for `ttl_s`; None: it is not kept, and no turn is taken. `clock`: seconds since 1970."""

    def __init__(
        self, cache: Cache, name: str | None, ttl_s: float, clock: Callable[[], float], produce: Callable[[], Produced], landed: Callable[[], None]
    ) -> None:
        self.made_elsewhere_at: float | None = None
        self._cache = cache
        self._name = name
        self._ttl_s = ttl_s
        self._clock = clock
        self._produce = produce
        self._landed = landed
        self._turn: RenewingLock | None = None
        self._began_at = 0.0

    def produce(self, wanted: Callable[[], bool]) -> Produced:
        if self._name is not None and self._cache.shared:
            found = self._await_turn(self._name, wanted)
            if found is not None:
                self.made_elsewhere_at = found.made_at
                return Produced(found.headers, iter([bytes(found.body)]), lambda: None)
        if not wanted():
            raise StoreBroken("Nobody waits for this answer any more.")
        self._began_at = self._clock()
        return self._produce()

    def outgrown(self) -> None:
        """Let other processes begin on their own instead of waiting for what will not be kept."""
        if self._turn is not None:
            self._cache.put(_mark(self._name), _TOO_BIG, _TOO_BIG_S)
            self._give_back()

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        try:
            if self._name is not None and whole is not None and self.made_elsewhere_at is None:
                self._cache.put(self._name, pack(self._began_at, headers, whole), self._ttl_s)
        finally:
            self._give_back()
            self._landed()

    def _give_back(self) -> None:
        if self._turn is not None:
            self._turn.give_back()
            self._turn = None

    def _await_turn(self, name: str, wanted: Callable[[], bool]) -> Stored | None:
        """What another process made meanwhile; None when this one shall make it, with a turn or, after a long wait, without."""
        pause_s, until = _FIRST_POLL_S, time.monotonic() + _LONGEST_WAIT_S
        while wanted() and time.monotonic() < until:
            token = self._cache.lock(name, _TURN_S)
            found = stored(self._cache, name)
            if found is not None:
                if token is not None:
                    self._cache.unlock(name, token)
                return found
            if token is not None:
                self._turn = RenewingLock(self._cache, name, token)
                return None
            if self._cache.get(_mark(name)) is not None:
                return None
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)
        return None


def stored(cache: Cache, name: str) -> Stored | None:
    value = cache.get(name)
    return None if value is None else unpack(value)


def _mark(name: str | None) -> str:
    return f"{name}:mark"
