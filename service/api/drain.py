"""The time between SIGTERM and the last connection: the gateway still serves, and says that it is no longer ready.

Load balancers look at /health/ready every few seconds. Whoever closes its listener before they notice loses requests.
"""

import asyncio
import signal
import threading
from types import FrameType

import structlog

_log = structlog.get_logger(__name__)


class Drain:
    """Delays the end of a server by `seconds`. A second signal ends it at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = False

    @property
    def began(self) -> bool:
        """Whether the server ends soon."""
        return self._began

    def install(self) -> None:
        """Take SIGTERM before the server does. Call it on the loop of a server that has installed its handlers."""
        server_ends = signal.getsignal(signal.SIGTERM)
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not (self._seconds and in_main_thread and callable(server_ends)):
            return
        loop = asyncio.get_running_loop()

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._began:
                server_ends(number, frame)
                return
            self._began = True
            loop.call_soon_threadsafe(begin)

        def begin() -> None:
            _log.info("draining: not ready, and still serving", seconds=self._seconds)
            loop.call_later(self._seconds, server_ends, signal.SIGTERM, None)

        signal.signal(signal.SIGTERM, on_signal)
