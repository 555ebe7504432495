"""Bounds pipelined requests: the parser gets further bytes only when requests can be served.

A minimal request has 18 bytes, and a hundred times as many once it is parsed. So bytes wait unparsed.
"""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl

PIECE_BYTES = 1024
"""The parser parses a whole piece, so at most about 56 requests are parsed ahead."""
MOST_UNPARSED_BYTES = 64 * 1024


class UnparsedBytes:
    """Received bytes that are not parsed yet, in order."""

    def __init__(self) -> None:
        self._bytes = b""
        self._start = 0

    def __len__(self) -> int:
        return len(self._bytes) - self._start

    @property
    def is_full(self) -> bool:
        """Whether reading should pause. One more read of the event loop, up to 256 kB, may still arrive."""
        return len(self) > MOST_UNPARSED_BYTES

    def append(self, data: bytes) -> None:
        """Add received bytes at the end."""
        self._bytes = self._bytes[self._start :] + data
        self._start = 0

    def next_piece(self) -> bytes:
        """Remove at most PIECE_BYTES from the front and return them."""
        piece = self._bytes[self._start : self._start + PIECE_BYTES]
        self._start += len(piece)
        if not self:
            self.clear()
        return piece

    def clear(self) -> None:
        """Drop all bytes."""
        self._bytes, self._start = b"", 0


class PipelineFlow(FlowControl):
    """uvicorn's flow control, except that it never resumes reading while `unparsed` is full."""

    def __init__(self, transport: asyncio.Transport, unparsed: UnparsedBytes) -> None:
        super().__init__(transport)
        self._unparsed = unparsed

    def resume_reading(self) -> None:
        if not self._unparsed.is_full:
            super().resume_reading()
