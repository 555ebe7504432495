"""Tells a process at once what others changed in a PostgreSQL: jobs that can start, and the configuration.

A notification may get lost with its connection, so whoever waits for one also looks by itself now and then.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import structlog

from service.state.database import StateDatabase

CHANNEL = "fluxgate"
_LOOK_EVERY_S = 1.0
_RECONNECT_S = 5.0
_log = structlog.get_logger(__name__)


class ChangeListener:
    """Calls `listeners[table]` when a row of `table` changed, from `start` to `stop`; all of them when it connects."""

    def __init__(self, database: StateDatabase, listeners: Mapping[str, Callable[[], None]]) -> None:
        self._database = database
        self._listeners = listeners
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within_s: float = 5.0) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def _run(self) -> None:
        logged = ""
        while not self._stopped.is_set():
            try:
                self._listen()
                logged = ""
            except Exception as broken:  # noqa: BLE001  (whatever it is, the next connection may work)
                if logged != (logged := type(broken).__name__):
                    _log.warning("notifications of the state database do not arrive", reason=logged)
                self._stopped.wait(_RECONNECT_S)

    def _listen(self) -> None:
        with self._database.listening(CHANNEL) as connection:
            for listener in self._listeners.values():
                listener()
            while not self._stopped.is_set():
                for notification in cast(Any, connection).notifies(timeout=_LOOK_EVERY_S):
                    listener = self._listeners.get(notification.payload, _ignore)
                    listener()
                    if self._stopped.is_set():
                        return


def _ignore() -> None:
    """What is done about a table that nobody listens to."""
