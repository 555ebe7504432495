"""Closing a connection whose client still sends: the answer arrives before the end does.

Closing a socket with unread bytes resets it, and a reset may overtake the answer. So the sending half is closed
first, and what still comes is dropped for a moment.
"""

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_S = 2.0
MOST_DROPPED_BYTES = 1024 * 1024


class LingeringTransport:
    """A transport that closes gently while `is_unread()`, and calls `on_close` first. What the server writes goes through here too."""

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        is_unread: Callable[[], bool],
        on_close: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._is_unread = is_unread
        self._on_close = on_close
        self._dropped = 0
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (all that is not said here is the transport's own)
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def write(self, piece: bytes) -> None:
        if not self.is_lingering:  # a late answer: nobody waits for it
            self._transport.write(piece)

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._is_unread() or not self._transport.can_write_eof():
            self.close_now()
            return
        self._on_close()
        self.is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.close)

    def close_now(self) -> None:
        self._on_close()
        self._transport.close()

    def drop(self, size: int) -> None:
        """So many more bytes came while it lingers."""
        self._dropped += size
        if self._dropped > MOST_DROPPED_BYTES:
            self._transport.close()
