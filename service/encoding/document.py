"""The port that every format fits: how one answer is written, from its first byte to its last."""

from collections.abc import Iterable
from typing import Protocol

from service.encoding.rows import Rows

Piece = bytes | memoryview


class Document(Protocol):
    """Writes one answer: `begin`, then `write` for rows, then `end`; without `end` no reader takes it for complete,
    where the format can show that (CSV and NDJSON cannot)."""

    def begin(self) -> Iterable[Piece]: ...

    def write(self, rows: Rows) -> Iterable[Piece]: ...

    def flush(self) -> Iterable[Piece]:
        """What `write` held back to make larger pieces."""

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        """What closes the answer. `truncated` says whether a limit cut rows off; None: there was no limit."""
