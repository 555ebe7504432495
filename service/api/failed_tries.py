"""Limits how many wrong keys one address may send in a minute, without locking out its valid keys.

A try is counted before the key is looked up, so that parallel requests cannot pass the limit. It is given back when
the key is valid. Without a try left, a key is checked against a list in memory, so a valid key still works.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import structlog

from service.api.thread_pools import ThreadPool
from service.domain.access import Principal
from service.errors import TooManyFailedTries, Unauthorized
from service.state.key_format import has_key_format

_WINDOW_S = 60.0
_MOST_ORIGINS = 10_000
"""Most origins that are counted at one time. The origin whose last try is oldest is forgotten first."""
_log = structlog.get_logger(__name__)


class Keys(Protocol):
    """The part of the key ring that is needed here."""

    def check(self, presented: str | None) -> Principal: ...

    def listed(self, presented: str) -> Principal | None: ...


class FailedTries:
    """Counts wrong keys by origin in this process: `most` in any minute. `clock` gives monotonic seconds."""

    def __init__(self, most: int, clock: Callable[[], float], most_origins: int = _MOST_ORIGINS) -> None:
        self._most = most
        self._clock = clock
        self._most_origins = most_origins
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many origins are counted now."""
        with self._lock:
            return len(self._tries)

    def take(self, origin: str) -> float | None:
        """Count a try and return its moment; return None when the origin has no try left."""
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
        """Remove the try of `moment`, because its key was valid or could not be looked up."""
        with self._lock:
            tries = self._tries.get(origin, [])
            if moment in tries:
                tries.remove(moment)

    def _drop_old(self, now: float) -> None:
        """Forget origins whose last try is older than the window."""
        while self._tries:
            origin, tries = next(iter(self._tries.items()))
            if tries and now - tries[-1] < _WINDOW_S:
                return
            del self._tries[origin]


async def check_key(keys: Keys, presented: str, tries: FailedTries, origin: str, pool: ThreadPool) -> Principal:
    """The principal of a key, looked up in a thread of `pool`. A text that cannot be a key needs no thread.

    Raises:
        Unauthorized: the key is not valid, and the origin may try again.
        TooManyFailedTries: the key is not valid, and the origin has to wait.
        NotReady, DependencyBusy: the key cannot be looked up now, which is not counted as a try.
    """
    moment = tries.take(origin)
    if moment is None:
        return await _from_list(keys, presented, pool)
    wrong = False
    try:
        return await pool.run(keys.check, presented) if has_key_format(presented) else keys.check(presented)
    except Unauthorized:
        wrong = True
        _log.warning("wrong key", address=origin)
        raise
    finally:
        if not wrong:
            tries.give_back(origin, moment)


async def _from_list(keys: Keys, presented: str, pool: ThreadPool) -> Principal:
    listed = await pool.run(keys.listed, presented) if has_key_format(presented) else None
    if listed is None:
        raise TooManyFailedTries("Too many wrong keys from this address. Wait a minute, then use a valid one.", 60)
    return listed
