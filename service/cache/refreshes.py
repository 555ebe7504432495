"""Refreshes of kept answers whose life is over, in the background: one per answer at a time, over all processes.

A client has its answer already when a refresh begins, so a failure is logged and reaches nobody. After a failure the
answer is left alone for a moment, so that a store in trouble is not asked for each request.
"""

import threading
from collections.abc import Callable
from functools import partial

import structlog

from service.cache.coordinated_producer import LOCK_S, RenewingLock
from service.cache.protocol import Cache

_MOST_REFRESHES = 4
"""The most refreshes of this process at one time. Who finds none free leaves it to the next request."""
InBackground = Callable[[Callable[[], None]], None]
_log = structlog.get_logger(__name__)


def in_thread(act: Callable[[], None]) -> None:
    """Do `act` in a thread of its own. Raises RuntimeError: there can be no more threads."""
    threading.Thread(target=act, name="refresh", daemon=True).start()


class Refreshes:
    """Begins refreshes. Thread-safe. `in_background` does what it is given, later or in another thread."""

    def __init__(self, cache: Cache, in_background: InBackground = in_thread) -> None:
        self._cache = cache
        self._in_background = in_background
        self._free = threading.Semaphore(_MOST_REFRESHES)

    def begin(self, name: str, refresh: Callable[[], bool]) -> None:
        """Refresh the answer `name`, unless somebody does. `refresh` gives whether a new answer is kept; it may raise
        anything.
        """
        if not self._free.acquire(blocking=False):
            return
        lock = None
        try:
            token = self._cache.lock(f"{name}:refresh", LOCK_S)
            if token is None:
                self._free.release()
                return
            lock = RenewingLock(self._cache, f"{name}:refresh", token)
            self._in_background(partial(self._run, refresh, lock))
        except BaseException as failure:
            self._free.release()
            if lock is not None:
                lock.lapse()
            if not isinstance(failure, RuntimeError):  # there can be no more threads
                raise

    def _run(self, refresh: Callable[[], bool], lock: RenewingLock) -> None:
        is_kept = False
        try:
            is_kept = refresh()
        except Exception as failure:  # noqa: BLE001  (nobody waits for it)
            reason = getattr(failure, "message", None) or type(failure).__name__
            _log.warning("a kept answer could not be made anew", reason=reason)
        finally:
            self._free.release()
            if is_kept:
                lock.release()
            else:
                lock.lapse()
