"""Resets connections whose client reads nothing for too long.

uvicorn waits without limit for a client that reads nothing, and `close` first waits until all bytes are sent. Here a
connection that cannot be written to, or that closes with unsent bytes, has a deadline. A route may also reset its
connection at once.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if sys.platform != "win32":
    import fcntl
    import termios

RESET_CONNECTION = "fluxgate.reset_connection"
"""The ASGI extension by which a route resets its connection: `scope["extensions"][RESET_CONNECTION]["act"]()`."""
_LINGER_ZERO = struct.pack("ii", 1, 0)
"""With this SO_LINGER, closing discards unsent bytes and sends a reset, which no client takes for a regular end."""
_log = structlog.get_logger(__name__)


class SendDeadlineProtocol(HttpToolsProtocol):
    """Resets a connection when its client reads nothing for `send_timeout_s` while bytes wait to be sent."""

    def __init__(self, *arguments: Any, send_timeout_s: float, **options: Any) -> None:  # noqa: ANN401  (uvicorn's)
        super().__init__(*arguments, **options)
        self._send_timeout_s = send_timeout_s
        self._send_timer: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions = self.scope.get("extensions") or {}
        self.scope["extensions"] = {**extensions, RESET_CONNECTION: {"act": self.reset_connection}}

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_deadline()

    def resume_writing(self) -> None:
        self._stop_deadline()
        super().resume_writing()
        if self.transport.is_closing():
            self._start_deadline()

    def eof_received(self) -> None:
        """The client has closed its half, and the event loop closes the transport next."""
        self.watch_closing()

    def watch_closing(self) -> None:
        """Start the deadline of a closing transport, which waits until all bytes are sent. Call it before closing."""
        if self._send_timer is None:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def reset_connection(self) -> None:
        """Reset the connection and discard unsent bytes."""
        self._stop_deadline()
        with contextlib.suppress(OSError, AttributeError):  # a socket that is closed already needs no option
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def _start_deadline(self) -> None:
        self._stop_deadline()
        unsent_bytes = self._unsent_bytes()
        if unsent_bytes:
            self._send_timer = self.loop.call_later(self._send_timeout_s, self._check_deadline, unsent_bytes)

    def _stop_deadline(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _unsent_bytes(self) -> int:
        """The bytes that the client has not received, in this process and in the kernel.

        The kernel accepts more bytes only when a third of its buffer is free, so the process's own count is too coarse.
        Windows tells no other.
        """
        if sys.platform == "win32":
            return self.transport.get_write_buffer_size()
        in_kernel = 0
        with contextlib.suppress(OSError, AttributeError, ValueError):  # systems without the call, closed sockets
            answer = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            in_kernel = struct.unpack("i", answer)[0]
        return self.transport.get_write_buffer_size() + in_kernel

    def _check_deadline(self, before_bytes: int) -> None:
        """Reset the connection, unless the client has received bytes since. The whole answer has its own deadline."""
        if self._unsent_bytes() < before_bytes:
            self._start_deadline()
            return
        _log.warning(
            "connection reset",
            reason="the client read nothing within SEND_TIMEOUT_S",
            unsent_bytes=before_bytes,
        )
        self.reset_connection()
