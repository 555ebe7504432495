"""A value that costs too much to ask for in a request: a thread asks for it at most once a minute.

Until it is known anew, the last value is given. When asking fails, the last value stays, and the log says so.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

_INTERVAL_S = 60.0
_log = structlog.get_logger(__name__)
Value = TypeVar("Value")


class ProbedValue(Generic[Value]):
    """Thread-safe. `name` says what the value is, for the log. `probe` may be slow, and may raise. `clock` gives
    monotonic seconds.
    """

    def __init__(self, name: str, probe: Callable[[], Value], first: Value, clock: Callable[[], float]) -> None:
        self._name = name
        self._probe = probe
        self._clock = clock
        self._lock = threading.Lock()
        self._is_probing = False
        self._probed_at = float("-inf")
        self._value = first

    def latest(self) -> Value:
        """The last value. Starts a probe when it is old."""
        with self._lock:
            is_due = not self._is_probing and self._clock() - self._probed_at >= _INTERVAL_S
            self._is_probing = self._is_probing or is_due
            value = self._value
        if is_due:
            threading.Thread(target=self.refresh, name=self._name, daemon=True).start()
        return value

    def refresh(self) -> None:
        """Probe now, in this thread, and keep the last value when that fails."""
        try:
            value = self._probe()
        except Exception as broken:  # noqa: BLE001  (after any error, the last value stays)
            reason = getattr(broken, "message", None) or type(broken).__name__
            _log.warning(f"the {self._name} is not known", reason=reason)
            with self._lock:
                self._probed_at, self._is_probing = self._clock(), False
            return
        with self._lock:
            self._value, self._probed_at, self._is_probing = value, self._clock(), False
