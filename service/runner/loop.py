"""A thread that repeats an act at an interval, or as soon as it is woken. A failure does not end it."""

import threading
from collections.abc import Callable

import structlog

_SHORTEST_WAIT_S = 0.5
"""What is due may be another process's business, or may fail. So it is not asked for without a pause."""
_TRY_AGAIN_S = 1.0
_log = structlog.get_logger(__name__)


class Loop:
    """Calls `act` every `every_s` seconds, from `start` to `stop`.

    `act` returns the seconds until something is due, or None where it does not know. It is called sooner then.
    A failure is logged unless the last call failed in the same way. It is tried again after a second.
    """

    def __init__(self, name: str, act: Callable[[], float | None], every_s: float) -> None:
        self._name = name
        self._act = act
        self._every_s = every_s
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, within_s: float = 5.0) -> None:
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def _run(self) -> None:
        logged = ""
        while not self._stopped.is_set():
            due_in_s = None
            try:
                due_in_s = self._act()
                logged = ""
            except Exception as broken:  # noqa: BLE001  (the loop goes on; the same failure is logged once)
                due_in_s = _TRY_AGAIN_S
                if logged != (logged := type(broken).__name__):
                    _log.warning("will be tried again", what=self._name, exc_info=broken)
            sooner_s = self._every_s if due_in_s is None else max(due_in_s, _SHORTEST_WAIT_S)
            self._woken.wait(min(self._every_s, sooner_s))
            self._woken.clear()
