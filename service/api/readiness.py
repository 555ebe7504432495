"""Checks the dependencies of a gateway and answers within two seconds, even when one hangs.

One thread per dependency checks it at most every three seconds, however many requests ask. The thread may wait
without limit; after two seconds of waiting, the dependency is `slow`.
"""

import threading
import time
from collections.abc import Callable, Mapping

import anyio
import structlog

from service.api.deps import Parts

_FRESH_FOR_S = 3.0
_log = structlog.get_logger(__name__)
_DEADLINE_S = 2.0
_POLL_S = 0.01
DependencyState = Mapping[str, object]


class DependencyCheck:
    """The check of one dependency and its last result. `clock` gives monotonic seconds."""

    def __init__(self, name: str, ping: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._ping = ping
        self._clock = clock
        self._lock = threading.Lock()
        self._started_at: float | None = None
        self._ended_at = float("-inf")
        self._state: DependencyState = {}

    def start_if_due(self) -> None:
        """Start a check, unless the last one is fresh or one is running."""
        with self._lock:
            if self._started_at is not None or self._clock() - self._ended_at <= _FRESH_FOR_S:
                return
            self._started_at = self._clock()
        threading.Thread(target=self._check, name=f"check of {self._name}", daemon=True).start()

    def state(self) -> DependencyState | None:
        """The last result, or `slow` when the running check takes too long; None while it may still be in time."""
        with self._lock:
            if self._started_at is None:
                return self._state
            waited_s = self._clock() - self._started_at
        if waited_s < _DEADLINE_S:
            return None
        return {
            "name": self._name,
            "state": "slow",
            "reason": f"No answer for {waited_s:.0f} s.",
            "ms": round(waited_s * 1000, 1),
        }

    def _check(self) -> None:
        started_at = self._clock()
        try:
            self._ping()
            state: dict[str, object] = {"name": self._name, "state": "up"}
        except Exception as broken:  # noqa: BLE001  (any error means that the dependency is down)
            error_class = type(broken).__name__
            reason = getattr(broken, "code", None) or error_class
            state = {"name": self._name, "state": "down", "reason": reason}
            message = getattr(broken, "message", None) or error_class
            _log.warning("a dependency is down", dependency=self._name, reason=message)
        with self._lock:
            self._ended_at = self._clock()
            self._state = {**state, "ms": round((self._ended_at - started_at) * 1000, 1)}
            self._started_at = None


class Readiness:
    """The dependencies of a gateway, by their use."""

    def __init__(self, checks: Mapping[str, DependencyCheck]) -> None:
        self._checks = checks

    async def states(self) -> dict[str, DependencyState]:
        """The state of each dependency: `up`, `down` or `slow`. It takes at most two seconds."""
        for check in self._checks.values():
            check.start_if_due()
        while any(check.state() is None for check in self._checks.values()):
            await anyio.sleep(_POLL_S)
        return {use: check.state() or {"state": "slow"} for use, check in self._checks.items()}


def readiness_of(parts: Parts) -> Readiness:
    """The checks of the store, the state database and the cache."""
    return Readiness(
        {
            "store": DependencyCheck(parts.store.name, parts.store.ping),
            "state": DependencyCheck(parts.state.engine.dialect.name, parts.state.ping),
            "cache": DependencyCheck(parts.cache.name, parts.cache.ping),
        }
    )
