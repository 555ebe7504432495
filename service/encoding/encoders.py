"""Frames into the bytes of an answer: one entry for every format, streamed.

The first chunk leaves as soon as the first block is there; memory is bounded by one block. When the
store breaks off, the error passes through and nothing that would close the document is appended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.domain.selection import ReadPlan
from service.domain.timerange import TimeRange
from service.encoding.columnar import ArrowDocument, ParquetDocument
from service.encoding.columns import Column, Format, Role, Shape, columns
from service.encoding.csv_rows import CsvDocument
from service.encoding.document import Document, Piece
from service.encoding.json_rows import JsonDocument, NdjsonDocument
from service.encoding.rows import Rows, long_rows
from service.encoding.wide_rows import wide_rows
from service.frames.frame import Block

__all__ = ["Column", "Format", "Layout", "Role", "Shape", "columns", "encode"]

_CHUNK_BYTES = 256 * 1024
"""Smaller pieces wait for more; a larger one goes out as it is."""


@dataclass(frozen=True)
class Layout:
    """How an answer looks. `zone` (IANA) is that of the printed times; `every` is said in JSON ("1h", "raw")."""

    format: Format
    shape: Shape
    zone: str
    bucket: str
    span: TimeRange
    every: str


def encode(blocks: Iterable[Block], plan: ReadPlan, layout: Layout, limit: int | None = None) -> Iterator[bytes]:
    """The answer to a read in chunks, most of 256 KiB to 2 MiB.

    Rows keep the order of the blocks; with `limit` they stop there, exactly, and no further block is
    taken but the one that tells whether JSON's `truncated` is true.

    Raises: whatever `blocks` raises, as it is; StoreBroken when a frame holds what the plan does not.
    """
    names = columns(plan, layout.shape, layout.format)
    document = _document(layout, names)
    row_limit = _RowLimit(limit)
    chunks = _ChunkBuffer(document.begin())
    first = True
    for block in blocks:
        for rows in row_limit.rows(_rows(block, layout.shape, names)):
            yield from chunks.add(document.write(rows))
        if first:
            yield from chunks.add(document.flush())
            yield from chunks.rest()
            first = False
        if row_limit.truncated or (row_limit.left == 0 and layout.format is not Format.JSON):
            break
    yield from chunks.add(document.end(None if limit is None else row_limit.truncated))
    yield from chunks.rest()


class _RowLimit:
    """Lets `limit` rows through and notes whether there were more."""

    def __init__(self, limit: int | None) -> None:
        self.left = limit
        self.truncated = False

    def rows(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        for some in rows:
            if self.left is not None:
                if len(some) > self.left:
                    self.truncated, some = True, some.slice(0, self.left)
                self.left -= len(some)
            if len(some):
                yield some
            if self.truncated:
                return


class _ChunkBuffer:
    """Gathers pieces into chunks. The opening waits for the first rows, however long it is: once bytes
    are out, a store that fails cannot be answered with an error status."""

    def __init__(self, opening: Iterable[Piece]) -> None:
        self._pieces = list(opening)
        self._bytes = sum(map(len, self._pieces))

    def add(self, pieces: Iterable[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            self._pieces.append(piece)
            self._bytes += len(piece)
            if self._bytes >= _CHUNK_BYTES:
                yield from self.rest()

    def rest(self) -> Iterator[bytes]:
        if self._bytes:
            yield b"".join(self._pieces)
        self._pieces, self._bytes = [], 0


def _rows(block: Block, shape: Shape, names: tuple[Column, ...]) -> Iterator[Rows]:
    if shape is Shape.WIDE:
        yield from wide_rows(block, names)
    else:
        yield from (long_rows(frame, names) for frame in block if frame.num_rows)


def _document(layout: Layout, names: tuple[Column, ...]) -> Document:
    match layout.format:
        case Format.CSV:
            return CsvDocument(names, layout.zone)
        case Format.JSON:
            return JsonDocument(names, layout.zone, layout.bucket, layout.span, layout.every)
        case Format.NDJSON:
            return NdjsonDocument(names, layout.zone)
        case Format.PARQUET:
            return ParquetDocument(names, layout.zone)
        case Format.ARROW:
            return ArrowDocument(names, layout.zone)
