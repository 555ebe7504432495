"""Counts the rows of an answer, in every format, for the line that ends a read on a terminal."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from service.fileformats.csv_records import last_record_end, records_of
from service.fileformats.lines import line_pieces
from service.fileformats.pieces import Position
from service.fileformats.text_blocks import TextBlocks
from service.fileformats.unpacking import opened

_ROW = b"<row "
_PIECE_BYTES = 1 << 20
_LINES_OF_A_DOCUMENT = {"csv": 1, "ndjson": 0, "json": 2}
"""Lines that are no rows: CSV has the names of its columns, JSON the members before and behind its rows."""


class RowCounter:
    """Rows of CSV, NDJSON or JSON as the gateway writes them, piece by piece."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._lines = 0
        self._in_quotes = False

    @staticmethod
    def knows(form: str) -> bool:
        return form in _LINES_OF_A_DOCUMENT

    @property
    def rows(self) -> int:
        return max(self._lines - _LINES_OF_A_DOCUMENT[self._form], 0)

    def add(self, piece: bytes) -> None:
        if self._form != "csv":
            self._lines += piece.count(b"\n")
            return
        for number, part in enumerate(piece.split(b'"')):
            self._in_quotes ^= number > 0
            if not self._in_quotes:
                self._lines += part.count(b"\n")


def rows_of_file(file: Path, form: str) -> int:
    """The rows of a whole answer; of the binary formats without a look at the values."""
    if RowCounter.knows(form):
        counter = RowCounter(form)
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                counter.add(piece)
        return counter.rows
    if form in ("lineprotocol", "annotated_csv"):
        return _point_rows(file, form) if file.stat().st_size else 0
    if form == "parquet":
        return int(pq.read_metadata(file).num_rows)
    if form == "xlsx":
        return _sheet_rows(file)
    return sum(batch.num_rows for batch in _batches(file, form))


def _point_rows(file: Path, form: str) -> int:
    """Lines, or rows of sections; a line feed inside a text ends neither."""
    with opened(str(file)) as source:
        if form == "lineprotocol":
            return sum(len(piece) for piece in line_pieces(source, Position(), "ns", 0))
        texts = (block.text for block in TextBlocks(source, last_record_end, Position()))
        records = (records_of(text, 1, ",") for text in texts)
        return sum(sum(part.text.startswith(b",,", start) for start in part.starts.tolist()) for part in records)


def _batches(file: Path, form: str) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(file)) as mapped:
        if form == "arrow":
            yield from pa.ipc.open_stream(mapped)
            return
        batches = pa.ipc.open_file(mapped)
        yield from (batches.get_batch(number) for number in range(batches.num_record_batches))


def _sheet_rows(file: Path) -> int:
    """All rows but the first, which holds the names."""
    count, rest = 0, b""
    with zipfile.ZipFile(file) as archive, archive.open("xl/worksheets/sheet1.xml") as sheet:
        while piece := sheet.read(_PIECE_BYTES):
            text = rest + piece
            count += text.count(_ROW)
            rest = text[1 - len(_ROW) :]
    return count - 1
