"""How the dependencies are, asked in threads of their own and answered within two seconds, whatever hangs.

Each is asked at most every three seconds, however many ask, by one thread that may wait as long as it likes:
while it does, the dependency is `slow`.
"""

import threading
import time
from collections.abc import Callable, Mapping

import anyio
import structlog

from service.api.deps import Parts

_KEPT_S = 3.0
_log = structlog.get_logger(__name__)
_DEADLINE_S = 2.0
_POLL_S = 0.01
Found = Mapping[str, object]


class DependencyCheck:
    """One dependency and the last look at it. `clock`: seconds that never go back."""

    def __init__(self, name: str, ping: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._ping = ping
        self._clock = clock
        self._lock = threading.Lock()
        self._begun_at: float | None = None
        self._ended_at = float("-inf")
        self._found: Found = {}

    def begin_if_due(self) -> None:
        """Look, unless the last look is young or one is under way."""
        with self._lock:
            if self._begun_at is not None or self._clock() - self._ended_at <= _KEPT_S:
                return
            self._begun_at = self._clock()
        threading.Thread(target=self._look, name=f"look at {self._name}", daemon=True).start()

    def answer(self) -> Found | None:
        """What was found, or that it takes too long; None while there is hope for an answer in time."""
        with self._lock:
            if self._begun_at is None:
                return self._found
            waited_s = self._clock() - self._begun_at
        if waited_s < _DEADLINE_S:
            return None
        return {"name": self._name, "state": "slow", "reason": f"No answer for {waited_s:.0f} s.", "ms": round(waited_s * 1000, 1)}

    def _look(self) -> None:
        begun = self._clock()
        try:
            self._ping()
            found: dict[str, object] = {"name": self._name, "state": "up"}
        except Exception as broken:  # noqa: BLE001  (whatever it is, it is why the dependency is down)
            found = {"name": self._name, "state": "down", "reason": getattr(broken, "code", None) or type(broken).__name__}
            _log.warning("a dependency is down", dependency=self._name, reason=getattr(broken, "message", None) or type(broken).__name__)
        with self._lock:
            self._ended_at = self._clock()
            self._found = {**found, "ms": round((self._ended_at - begun) * 1000, 1)}
            self._begun_at = None


class Readiness:
    """All dependencies of a gateway, by what they are for."""

    def __init__(self, looks: Mapping[str, DependencyCheck]) -> None:
        self._looks = looks

    async def found(self) -> dict[str, Found]:
        """The state of each: `up`, `down` or `slow`. Takes two seconds at most, and no thread of the caller's."""
        for look in self._looks.values():
            look.begin_if_due()
        while any(look.answer() is None for look in self._looks.values()):
            await anyio.sleep(_POLL_S)
        return {use: look.answer() or {"state": "slow"} for use, look in self._looks.items()}


def readiness_of(parts: Parts) -> Readiness:
    return Readiness(
        {
            "store": DependencyCheck(parts.store.name, parts.store.ping),
            "state": DependencyCheck(parts.state.engine.dialect.name, parts.state.ping),
            "cache": DependencyCheck(parts.cache.name, parts.cache.ping),
        }
    )
