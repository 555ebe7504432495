"""Connections whose client takes nothing: broken off in time, whatever is sent on them.

uvicorn waits for ever for a client that reads nothing, and `close` first waits for the rest to be sent. Here a
connection that cannot be written to, or that closes with bytes unsent, has a deadline, and a route may break its own off at once.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RESET_CONNECTION = "fluxgate.reset_connection"
"""The ASGI extension by which a route resets its connection: `scope["extensions"][RESET_CONNECTION]["act"]()`."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing discards what the kernel still holds and sends a reset, which no client takes for an end."""
_log = structlog.get_logger(__name__)


class SendDeadlineProtocol(HttpToolsProtocol):
    """`send_timeout_s`: how long a full or a closing connection may wait while its client takes nothing. Then it is reset."""

    def __init__(self, *arguments: Any, send_timeout_s: float, **named: Any) -> None:  # noqa: ANN401  (uvicorn's, passed on)
        super().__init__(*arguments, **named)
        self._send_timeout_s = send_timeout_s
        self._send_timer: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {**(self.scope.get("extensions") or {}), RESET_CONNECTION: {"act": self.reset_connection}}

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        self._unwatch_sending()
        super().resume_writing()
        if self.transport.is_closing():
            self._watch_sending()

    def eof_received(self) -> None:
        """The event loop closes the transport next."""
        self.watch_closing()

    def watch_closing(self) -> None:
        """Closing first waits until the rest is sent, in vain perhaps. Whatever closes the transport calls this."""
        if self._send_timer is None:
            self._watch_sending()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_sending()
        super().connection_lost(exc)

    def reset_connection(self) -> None:
        """Reset the connection: nothing that waits to be sent is sent."""
        self._unwatch_sending()
        with contextlib.suppress(OSError, AttributeError):  # a socket that is gone already needs no option
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _watch_sending(self) -> None:
        self._unwatch_sending()
        waiting_bytes = self._waiting_bytes()
        if waiting_bytes:
            self._send_timer = self.loop.call_later(self._send_timeout_s, self._look_at_sending, waiting_bytes)

    def _unwatch_sending(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _waiting_bytes(self) -> int:
        """What the client has not taken: here, and in the kernel, which takes more only once a third of its buffer is free."""
        in_kernel = 0
        with contextlib.suppress(OSError, AttributeError, ValueError):  # systems without the call, sockets that are gone
            answer = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            in_kernel = struct.unpack("i", answer)[0]
        return self.transport.get_write_buffer_size() + in_kernel

    def _look_at_sending(self, before_bytes: int) -> None:
        """A client that took something since has as long again; the whole answer has a deadline of its own."""
        if self._waiting_bytes() < before_bytes:
            self._watch_sending()
            return
        _log.warning("connection broken off", reason="the client took nothing within SEND_TIMEOUT_S", waiting_bytes=before_bytes)
        self.reset_connection()
