"""Writes a spreadsheet (`.xlsx`): the sheet `Rows`, and the sheet `About`, which says what in it is text and why.

A sheet has 1,048,576 rows, and no reader opens half a document. So it is sent when it is whole: an answer that does not
fit is refused before its first byte. What waits is packed, and bounded.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence

from service.domain.timerange import TimeRange, format_time
from service.encoding import sheet_package as package
from service.encoding.columns import Column
from service.encoding.document import Piece
from service.encoding.rows import Rows, split_rows
from service.encoding.sheet_cells import FLOATS, INTEGERS, TIMES, SheetCells
from service.errors import SheetTooSmall

MOST_ROWS = 1_048_576
"""Of a sheet; one of them holds the names of the columns."""
MOST_PACKED_BYTES = 64 * 1024 * 1024
_MOST_PLAIN_BYTES = 2_000_000_000
"""Of the rows as XML: below the 2 GiB from which on a document needs extensions that not every reader has."""
_PIECE_ROWS = 1024
_SENT_BYTES = 256 * 1024
_PACK_LEVEL = 3
_WHY_TEXT = {
    INTEGERS: "integers are text: a cell holds whole numbers up to 2^53 exactly.",
    FLOATS: "floats are text: a cell holds no NaN, infinity, -0 or number that is nearer to 0 than 2.2e-308.",
    TIMES: (
        "times are text: a date holds milliseconds, from March 1900 until 9999, and no offset, "
        "which an hour that the clock shows twice needs."
    ),
}


class SheetDocument:
    """Nothing is sent before `end`. Raises SheetTooSmall for an answer that does not fit."""

    def __init__(
        self, columns: Sequence[Column], zone: str, bucket: str, span: TimeRange, every: str, most_rows: int = MOST_ROWS
    ) -> None:
        """`most_rows`: of the sheet, for tests that fill one."""
        self._facts = [
            ("bucket", bucket),
            ("start", format_time(span.start_ns)),
            ("stop", format_time(span.stop_ns)),
            ("every", every),
            ("time zone", zone),
        ]
        self._cells = SheetCells(columns, zone)
        self._most_rows = most_rows
        self._row_count = 1
        self._plain_bytes = 0
        self._packed = io.BytesIO()
        self._archive = zipfile.ZipFile(self._packed, "w", zipfile.ZIP_DEFLATED, compresslevel=_PACK_LEVEL)
        for path, text in package.FIXED.items():
            self._archive.writestr(_entry(path), package.fixed_file(text))
        self._sheet = self._archive.open(_entry(package.ROWS_PATH), "w")

    def begin(self) -> Iterable[Piece]:
        self._sheet.write(package.ROWS_BEGIN)
        self._sheet.write(self._cells.header())
        return ()

    def write(self, rows: Rows) -> Iterable[Piece]:
        if self._row_count + len(rows) > self._most_rows:
            raise SheetTooSmall(f"The answer has more than {self._most_rows - 1:,} rows, which is what a sheet holds.")
        for part in split_rows(rows, _PIECE_ROWS):
            cells = self._cells.rows(part, self._row_count + 1)
            self._row_count += len(part)
            self._plain_bytes += len(cells)
            self._sheet.write(cells)
        if self._packed.tell() > MOST_PACKED_BYTES or self._plain_bytes > _MOST_PLAIN_BYTES:
            raise SheetTooSmall(
                f"After {self._row_count - 1:,} rows the sheet is larger than {MOST_PACKED_BYTES >> 20} MiB."
            )
        return ()

    def flush(self) -> Iterable[Piece]:
        return ()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        self._sheet.write(package.SHEET_END)
        self._sheet.close()
        self._archive.writestr(_entry(package.ABOUT_PATH), package.about_sheet(self._about(truncated)))
        self._archive.close()
        return self._pieces()

    def _about(self, truncated: bool | None) -> list[tuple[str, str]]:
        cut = " (the limit cut the others off)" if truncated else ""
        notes = [("note", f"{count:,} {_WHY_TEXT[kind]}") for kind, count in sorted(self._cells.as_text.items())]
        return [*self._facts, ("rows", f"{self._row_count - 1:,}{cut}"), *notes]

    def _pieces(self) -> Iterator[memoryview]:
        whole = self._packed.getbuffer()
        for start in range(0, len(whole), _SENT_BYTES):
            yield whole[start : start + _SENT_BYTES]


def _entry(path: str) -> zipfile.ZipInfo:
    """Always of the same date, so that equal answers are equal files."""
    entry = zipfile.ZipInfo(path)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
