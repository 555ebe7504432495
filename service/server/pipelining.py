"""Requests in a row on one connection: the parser gets bytes only as far as requests can be served.

A minimal request is 18 bytes, and costs a hundred times as much once it is parsed. So the bytes wait, not the requests.
"""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl

PIECE_BYTES = 1024
"""The parser takes a piece whole, so at most some 56 requests are parsed ahead."""
MOST_UNPARSED_BYTES = 64 * 1024


class UnparsedBytes:
    """What was received and not parsed yet, in order."""

    def __init__(self) -> None:
        self._bytes = b""
        self._start = 0

    def __len__(self) -> int:
        return len(self._bytes) - self._start

    @property
    def is_full(self) -> bool:
        """No more should be read. One more read of the event loop, 256 kB, may have come already."""
        return len(self) > MOST_UNPARSED_BYTES

    def append(self, data: bytes) -> None:
        self._bytes = self._bytes[self._start :] + data
        self._start = 0

    def next_piece(self) -> bytes:
        """Takes at most PIECE_BYTES from the front."""
        piece = self._bytes[self._start : self._start + PIECE_BYTES]
        self._start += len(piece)
        if not self:
            self.clear()
        return piece

    def clear(self) -> None:
        self._bytes, self._start = b"", 0


class PipelineFlow(FlowControl):
    """uvicorn's flow control, which reads no further while `unparsed` is full, whoever asks for more."""

    def __init__(self, transport: asyncio.Transport, unparsed: UnparsedBytes) -> None:
        super().__init__(transport)
        self._unparsed = unparsed

    def resume_reading(self) -> None:
        if not self._unparsed.is_full:
            super().resume_reading()
