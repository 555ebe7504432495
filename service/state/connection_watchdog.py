"""A deadline for PostgreSQL's driver, which by itself waits for a frozen server for ever.

`tcp_user_timeout` does not help: the kernel of a frozen server still acknowledges what it is sent. So the watchdog
shuts down the socket of a connection that waits too long. The driver then sees an end, as if the server had died.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

_LOOK_EVERY_S = 0.25


class Connection(Protocol):
    """The part of a driver's connection that the watchdog uses."""

    def fileno(self) -> int: ...


class ConnectionWatchdog:
    """Shuts down connections that are still in use at their deadline. Its one thread starts at the first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextlib.contextmanager
    def limited(self, connection: Connection, limit_s: float) -> Iterator[None]:
        """`connection` is shut down when the block takes longer than `limit_s`."""
        # A duplicate of the descriptor: the driver may close its own, and another file may get that number meanwhile.
        duplicate = socket.socket(fileno=socket.dup(connection.fileno()))
        with self._lock:
            self._deadlines[duplicate] = time.monotonic() + limit_s
            self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.pop(duplicate, None)
            duplicate.close()

    def close(self) -> None:
        self._closed.set()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="connection watchdog", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_EVERY_S):
            now = time.monotonic()
            with self._lock:
                for late in [duplicate for duplicate, until_s in self._deadlines.items() if until_s < now]:
                    del self._deadlines[late]
                    with contextlib.suppress(OSError):  # closed by the server meanwhile
                        late.shutdown(socket.SHUT_RDWR)
