"""Wrong keys lock out the guess, not the owner.

A try is counted before the key is looked up, so that parallel ones cannot slip past the limit, and given back when the
key is right. From an address that has no try left, a key is held against a list in memory: a right one still works.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import structlog

from service.api.thread_pools import ThreadPool
from service.domain.access import Principal
from service.errors import TooManyFailedTries, Unauthorized
from service.state.keys import could_be_key

_WINDOW_S = 60.0
_MOST_ORIGINS = 10_000
"""Origins that are counted at one time; the one that tried least lately makes room."""
_log = structlog.get_logger(__name__)


class Keys(Protocol):
    """What is asked of the key ring."""

    def check(self, presented: str | None) -> Principal: ...

    def listed(self, presented: str) -> Principal | None: ...


class FailedTries:
    """Counts wrong keys by origin, in this process: `most` in any minute. `clock` gives seconds and is never set back."""

    def __init__(self, most: int, clock: Callable[[], float], most_origins: int = _MOST_ORIGINS) -> None:
        self._most = most
        self._clock = clock
        self._most_origins = most_origins
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """Origins that are counted now."""
        with self._lock:
            return len(self._tries)

    def take(self, origin: str) -> float | None:
        """The moment of a try that now counts; None: the origin has none left."""
        with self._lock:
            now = self._clock()
            self._drop_old(now)
            tries = [moment for moment in self._tries.pop(origin, []) if now - moment < _WINDOW_S]
            self._tries[origin] = tries
            if len(self._tries) > self._most_origins:
                self._tries.popitem(last=False)
            if len(tries) >= self._most:
                return None
            tries.append(now)
            return now

    def give_back(self, origin: str, moment: float) -> None:
        """The try of `moment` was none: its key was right, or could not be looked up."""
        with self._lock:
            tries = self._tries.get(origin, [])
            if moment in tries:
                tries.remove(moment)

    def _drop_old(self, now: float) -> None:
        """Forget origins, the longest silent first, whose tries are over."""
        while self._tries:
            origin, tries = next(iter(self._tries.items()))
            if tries and now - tries[-1] < _WINDOW_S:
                return
            del self._tries[origin]


async def check_key(keys: Keys, presented: str, tries: FailedTries, origin: str, pool: ThreadPool) -> Principal:
    """Whose key this is, looked up in a thread of `pool`. What cannot be one needs no thread and no database.

    Raises:
        Unauthorized: it is none, and the origin may try again. TooManyFailedTries: it is none, and the origin has to wait.
        NotReady, DependencyBusy: nobody can tell now; that is no try.
    """
    moment = tries.take(origin)
    if moment is None:
        return await _from_list(keys, presented, pool)
    wrong = False
    try:
        return await pool.run(keys.check, presented) if could_be_key(presented) else keys.check(presented)
    except Unauthorized:
        wrong = True
        _log.warning("wrong key", address=origin)
        raise
    finally:
        if not wrong:
            tries.give_back(origin, moment)


async def _from_list(keys: Keys, presented: str, pool: ThreadPool) -> Principal:
    listed = await pool.run(keys.listed, presented) if could_be_key(presented) else None
    if listed is None:
        raise TooManyFailedTries("Too many wrong keys from this address. Wait a minute, then use a valid one.", 60)
    return listed
