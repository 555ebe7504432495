"""A deadline for PostgreSQL's driver, which waits for ever for a server that is there and says nothing.

`tcp_user_timeout` does not help: the kernel of a frozen server acknowledges what it is sent. So the socket of a
connection that waits too long is shut down from here; the driver then sees an end, as if the server had died.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

_LOOK_EVERY_S = 0.25


class Connection(Protocol):
    """What is used of a driver's connection."""

    def fileno(self) -> int: ...


class SilenceWatch:
    """Shuts down connections that are still in use at their deadline. One thread, begun with the first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[socket.socket, float] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @contextlib.contextmanager
    def bounded(self, connection: Connection, most_s: float) -> Iterator[None]:
        """What the block asks of `connection` is cut off after `most_s` seconds."""
        # A descriptor of our own: the driver may close its, and the number be another's by the time of the deadline.
        link = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._watched[link] = time.monotonic() + most_s
            self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(link, None)
            link.close()

    def close(self) -> None:
        self._closed.set()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="silence watch", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_EVERY_S):
            now = time.monotonic()
            with self._lock:
                for link in [one for one, until_s in self._watched.items() if until_s < now]:
                    del self._watched[link]
                    with contextlib.suppress(OSError):  # closed by the server meanwhile
                        link.shutdown(socket.SHUT_RDWR)
