"""Encodes frames as the bytes of an answer, in every format, as a stream.

The first chunk is sent as soon as the first block arrives, and memory is bounded by one block. When the store breaks
off, its error passes through, and nothing that closes the document is written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from service.domain.selection import ReadPlan
from service.domain.timerange import TimeRange
from service.encoding.annotated_csv import annotated_pieces
from service.encoding.columns import Column, Format, Role, Shape, columns
from service.encoding.csv_rows import PLAIN_CSV, CsvDialect, CsvDocument
from service.encoding.document import Document, Piece
from service.encoding.json_rows import JsonDocument, NdjsonDocument
from service.encoding.parquet_arrow import ArrowDocument, ParquetDocument
from service.encoding.point_lines import line_pieces
from service.encoding.rows import Rows, long_rows
from service.encoding.sheet_document import SheetDocument
from service.encoding.table_rows import table_of
from service.encoding.wide_rows import wide_rows
from service.errors import UnwritablePoint
from service.frames.frame import Block

__all__ = ["PLAIN_CSV", "Column", "CsvDialect", "Format", "Layout", "Role", "Shape", "columns", "encode"]

_CHUNK_BYTES = 256 * 1024
"""Smaller pieces are collected up to this size; a larger one is sent as it is."""


@dataclass(frozen=True)
class Layout:
    """The form of an answer. `zone` (IANA) is the zone of printed times. JSON names `every` ("1h", "raw").

    `csv`: how CSV is written.
    """

    format: Format
    shape: Shape
    zone: str
    bucket: str
    span: TimeRange
    every: str
    csv: CsvDialect = PLAIN_CSV


def encode(blocks: Iterable[Block], plan: ReadPlan, layout: Layout, limit: int | None = None) -> Iterator[bytes]:
    """The answer to a read in chunks, most of 256 KiB to 2 MiB.

    Rows keep the order of the blocks; those of a table ascend by time, and all blocks are read before its first byte.
    With `limit`, exactly so many rows are written, and no further block is read, except the one that decides whether
    JSON's `truncated` is true.

    Raises: what `blocks` raises, unchanged; StoreBroken when a frame holds what the plan does not; TableTooLarge;
    UnwritablePoint when line protocol cannot hold a point.
    """
    if layout.format.of_points:
        yield from _points(blocks, layout.format, limit)
        return
    names, parts = _columns_and_rows(blocks, plan, layout)
    document = _document(layout, names)
    row_limit = _RowLimit(limit)
    chunks = _ChunkBuffer(document.begin())
    first = True
    for part in parts:
        for rows in row_limit.rows(part):
            yield from chunks.add(document.write(rows))
        if first:
            yield from chunks.add(document.flush())
            yield from chunks.rest()
            first = False
        if row_limit.truncated or (row_limit.left == 0 and layout.format is not Format.JSON):
            break
    yield from chunks.add(document.end(None if limit is None else row_limit.truncated))
    yield from chunks.rest()


def _points(blocks: Iterable[Block], form: Format, limit: int | None) -> Iterator[bytes]:
    """Points in chunks. Those of the first block leave before the second is asked for."""
    chunks, first = _ChunkBuffer(()), True
    try:
        for pieces in line_pieces(blocks, limit) if form is Format.LINE_PROTOCOL else annotated_pieces(blocks, limit):
            yield from chunks.add(pieces)
            if first:
                yield from chunks.rest()
                first = False
    except UnwritablePoint:
        yield from chunks.rest()  # with the reason at its end
        raise
    yield from chunks.rest()


def _columns_and_rows(
    blocks: Iterable[Block], plan: ReadPlan, layout: Layout
) -> tuple[tuple[Column, ...], Iterable[Iterable[Rows]]]:
    """The columns, and the rows: block by block, or those of the whole table."""
    if layout.shape is Shape.TABLE:
        table = table_of(blocks)
        return table.columns, [[table.rows]]
    names = columns(plan, layout.shape, layout.format)
    return names, (_rows(block, layout.shape, names) for block in blocks)


class _RowLimit:
    """Passes the first `limit` rows, and knows whether there were more."""

    def __init__(self, limit: int | None) -> None:
        self.left = limit
        self.truncated = False

    def rows(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        for part in rows:
            passed = part
            if self.left is not None:
                if len(part) > self.left:
                    self.truncated, passed = True, part.slice(0, self.left)
                self.left -= len(passed)
            if len(passed):
                yield passed
            if self.truncated:
                return


class _ChunkBuffer:
    """Collects pieces into chunks.

    The opening waits for the first rows, whatever its size: once bytes are sent, an error of the store can no longer
    become an error status.
    """

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
            return CsvDocument(names, layout.zone, layout.csv)
        case Format.JSON:
            return JsonDocument(names, layout.zone, layout.bucket, layout.span, layout.every)
        case Format.NDJSON:
            return NdjsonDocument(names, layout.zone)
        case Format.PARQUET:
            return ParquetDocument(names, layout.zone)
        case Format.ARROW:
            return ArrowDocument(names, layout.zone, pa.ipc.new_stream)
        case Format.ARROW_FILE:
            return ArrowDocument(names, layout.zone, pa.ipc.new_file)
        case Format.XLSX:
            return SheetDocument(names, layout.zone, layout.bucket, layout.span, layout.every)
        case Format.LINE_PROTOCOL | Format.ANNOTATED_CSV:
            raise AssertionError(f"{layout.format} has no columns")
