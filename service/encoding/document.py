"""The port of every format: how one answer is written, from its first byte to its last."""

from collections.abc import Iterable
from typing import Protocol

from service.encoding.rows import Rows

Piece = bytes | memoryview
"""A part of an answer."""


class Document(Protocol):
    """Writes one answer: `begin`, then `write` for rows, then `end`.

    Without `end` no reader takes the answer for complete, where the format can show that (CSV and NDJSON cannot).
    """

    def begin(self) -> Iterable[Piece]:
        """What opens the answer."""

    def write(self, rows: Rows) -> Iterable[Piece]:
        """Rows, in order. A format may keep some of them for a larger piece."""

    def flush(self) -> Iterable[Piece]:
        """What `write` kept for larger pieces."""

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        """What closes the answer. `truncated`: whether a limit cut rows off; None: there was no limit."""
