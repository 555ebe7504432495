"""Closes a connection whose client still sends, without losing the answer.

Closing a socket with unread bytes resets it, and the reset may discard the answer. So only the sending half is closed
first. Bytes that still arrive are dropped for up to two seconds.
"""

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_S = 2.0
MOST_DROPPED_BYTES = 1024 * 1024


class LingeringTransport:
    """A transport that lingers on closing while `is_unread()` is true. It calls `on_close` before it closes."""

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

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (everything else is the wrapped transport's)
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def write(self, piece: bytes) -> None:
        if not self.is_lingering:  # after closing, nobody waits for an answer
            self._transport.write(piece)

    def close(self) -> None:
        """Close, and linger when bytes are unread."""
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
        """Close without lingering."""
        self._on_close()
        self._transport.close()

    def drop(self, size: int) -> None:
        """Count `size` bytes that arrived while lingering, and close when they are too many."""
        self._dropped += size
        if self._dropped > MOST_DROPPED_BYTES:
            self._transport.close()
