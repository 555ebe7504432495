"""A thread that repeats an act at an interval, or as soon as it is woken. A failure does not end it."""

import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)


class Loop:
    """Calls `act` every `every_s` seconds, from `start` to `stop`.

    A failure is logged unless the last call failed in the same way. The next call comes at its time.
    """

    def __init__(self, name: str, act: Callable[[], object], every_s: float) -> None:
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
            try:
                self._act()
                logged = ""
            except Exception as broken:  # noqa: BLE001  (the loop goes on; the same failure is logged once)
                if logged != (logged := type(broken).__name__):
                    _log.warning("will be tried again", what=self._name, exc_info=broken)
            self._woken.wait(self._every_s)
            self._woken.clear()
