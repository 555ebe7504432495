"""Where the records of CSV (RFC 4180) begin and end, and their cells as columns of text.

A line feed inside quotes ends no record. Cells are text alone: an empty cell is null, `""` is an empty text.
"""

import codecs
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from service.errors import FileRefused
from service.fileformats.pieces import Reject
from service.fileformats.text_blocks import TextBlock

BLOCK_BYTES = 2 * 1024 * 1024
Longs = npt.NDArray[np.int64]
_LF, _CR, _QUOTE = b'\n\r"'


@dataclass(frozen=True)
class Records:
    """The records of a text: `text[starts[i]:ends[i]]` with its line end, begun on line `lines[i]`; `cells` of each."""

    text: bytes
    starts: Longs
    ends: Longs
    lines: Longs
    cells: Longs
    blank: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def chosen(self, rows: Longs) -> bytes:
        """The text of some records."""
        if len(rows) == len(self.starts):
            return self.text
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if len(rows) else []
        return b"".join([self.text[self.starts[run[0]] : self.ends[run[-1]]] for run in runs])

    def misfit(self, row: int, width: int) -> Reject:
        """The reject of a record that has another number of cells than the header."""
        return Reject(int(self.lines[row]), f"the row has {self.cells[row]} cells, the header {width}")


def last_record_end(text: bytes) -> int:
    """The end of the last whole record of `text`, which begins with one."""
    end = text.rfind(b"\n") + 1
    if b'"' not in text:
        return end
    octets = np.frombuffer(text, np.uint8)
    ends = _unquoted(np.flatnonzero(octets == _LF), np.flatnonzero(octets == _QUOTE))
    return int(ends[-1]) + 1 if len(ends) else 0


def _unquoted(positions: Longs, quotes: Longs) -> Longs:
    """The positions that stand outside of quotes."""
    return positions[np.searchsorted(quotes, positions) % 2 == 0] if len(quotes) else positions


def block_records(block: TextBlock, encoding: str, separator: str, name: str) -> Records:
    """The records of a block of the file `name`, as UTF-8. Raises FileRefused, which names the line."""
    if block.too_long:
        raise FileRefused(f"{name}, line {block.line:,}: a record is longer than 16 MiB. Is a quote not closed?")
    return records_of(decoded(block.text, encoding, block.line, name), block.line, separator)


def records_of(text: bytes, first_line: int, separator: str) -> Records:
    """The records of `text`, the last of which may lack its line feed."""
    octets = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(octets == _QUOTE)
    feeds = np.flatnonzero(octets == _LF)
    ends = _unquoted(feeds, quotes) + 1
    if not len(ends) or ends[-1] != len(text):
        ends = np.append(ends, len(text))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    marks = _unquoted(np.flatnonzero(octets == ord(separator)), quotes)
    cells = np.searchsorted(marks, ends) - np.searchsorted(marks, starts) + 1
    lines = first_line + np.searchsorted(feeds, starts)
    lengths = ends - starts
    blank = (lengths == 1) & (octets[starts] == _LF)
    blank |= (lengths == 2) & (octets[starts] == _CR) & (octets[ends - 1] == _LF)
    return Records(text, starts, ends, lines, cells, blank)


def cells_of(text: bytes, names: Sequence[str], wanted: Sequence[int], separator: str) -> dict[int, pa.StringArray]:
    """The cells of the columns at the positions `wanted`, each as one array. Raises FileRefused.

    Every record of `text` has as many cells as `names`.
    """
    columns = [f"c{place}" for place in range(len(names))]
    included = [columns[place] for place in wanted]
    if not text:
        return {place: pa.array([], pa.string()) for place in wanted}
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(included, pa.string()),
        include_columns=included,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    read = pacsv.ReadOptions(column_names=columns, use_threads=False, block_size=len(text) + 1)
    parse = pacsv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in text)
    try:
        table = pacsv.read_csv(io.BytesIO(text), read, parse, convert)
    except pa.ArrowInvalid as broken:
        raise FileRefused(f"Rows cannot be read: {str(broken)[:200]}.") from None
    return {place: _whole(table.column(columns[place])) for place in wanted}


def _whole(column: pa.ChunkedArray) -> pa.StringArray:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def decoded(text: bytes, encoding: str, first_line: int, name: str) -> bytes:
    """`text` as UTF-8. Raises FileRefused, which names the line with the first byte that is none."""
    if text.isascii():
        return text
    try:
        letters = codecs.decode(text, encoding)
    except UnicodeDecodeError as broken:
        line = first_line + text.count(b"\n", 0, broken.start)
        advice = " Name the encoding of the file: --encoding cp1252, for instance." if encoding == "utf-8" else ""
        finding = f"byte 0x{text[broken.start]:02x} is not {encoding.upper()}"
        raise FileRefused(f"{name}, line {line:,}: {finding}.{advice}") from None
    return text if encoding == "utf-8" else letters.encode()
