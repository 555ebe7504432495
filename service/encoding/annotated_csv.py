"""Writes points as annotated CSV, the form in which InfluxDB answers and which `influx write` reads.

A section has the annotations and a header; another one begins where types or tag keys change. Inside it each series is
a table with its own number. Lines end with a line feed, so that a carriage return in a text is exact
(`service.fileformats.annotated_csv` tells both kinds of files apart by their line ends).
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries
from service.encoding.document import Piece
from service.encoding.text_rows import joined_bytes, text_slices
from service.encoding.time_texts import rfc3339
from service.encoding.value_texts import csv_quoted, csv_values
from service.frames import long_form
from service.frames.frame import Block, value_type
from service.frames.row_series import series_of

DATATYPES = {
    FieldType.FLOAT: "double",
    FieldType.INTEGER: "long",
    FieldType.UNSIGNED: "unsignedLong",
    FieldType.STRING: "string",
    FieldType.BOOLEAN: "boolean",
}
FIELD_TYPES = {datatype: field_type for field_type, datatype in DATATYPES.items()}
RESULT = "_result"
Ints = npt.NDArray[np.int64]
_Section = tuple[FieldType, tuple[str, ...]]
"""What the rows of a section share: the type of their values, and their tag keys."""


def annotated_pieces(blocks: Iterable[Block], limit: int | None) -> Iterator[Iterator[Piece]]:
    """The rows of each of `blocks`, at most `limit` in all. Raises what `blocks` raises."""
    writer = _Writer(limit)
    for block in blocks:
        yield writer.block(block)
        if writer.left == 0:
            return


class _Writer:
    """The sections and tables of one answer. `left`: rows that may still be written; None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self.left = limit
        self._section: _Section | None = None
        self._tables = 0

    def block(self, block: Block) -> Iterator[Piece]:
        for frame in block:
            rows = frame if self.left is None else frame.slice(0, self.left)
            if rows.num_rows:
                yield from self._frame(rows)

    def _frame(self, rows: pa.RecordBatch) -> Iterator[Piece]:
        wanted = (value_type(rows), tuple(long_form.tag_keys(rows)))
        if wanted != self._section:
            yield _head(wanted, first=self._section is None)
            self._section = wanted
        series, of_row = series_of(rows)
        yield from _tables(rows, series, of_row, self._tables)
        self._tables += len(series)
        if self.left is not None:
            self.left -= rows.num_rows


def _head(section: _Section, first: bool) -> bytes:
    kind, tag_keys = section
    datatype, tags = DATATYPES[kind], len(tag_keys)
    names = csv_quoted(pa.array(tag_keys, pa.string())).to_pylist()
    lines = (
        ["#datatype", "string", "long", "dateTime:RFC3339", datatype, "string", "string", *["string"] * tags],
        ["#group", "false", "false", "false", "false", "true", "true", *["true"] * tags],
        ["#default", RESULT, "", "", "", "", "", *[""] * tags],
        ["", "result", "table", "_time", "_value", "_field", "_measurement", *names],
    )
    return ("" if first else "\n").encode() + "".join(",".join(cells) + "\n" for cells in lines).encode()


def _tables(
    frame: pa.RecordBatch,
    series: Sequence[FieldSeries],
    of_row: Ints,
    base: int,
) -> Iterator[Piece]:
    """The rows of a frame, series by series, numbered from `base` on."""
    keys = long_form.tag_keys(frame)
    before = pa.array([f",,{base + number}," for number in range(len(series))], pa.string())
    behind = pa.array([_labels(key, keys) for key in series], pa.string())
    order = np.argsort(of_row, kind="stable")
    longest = max(map(len, behind.to_pylist())) + 80
    ordered = long_form.values(frame).take(pa.array(order))
    for start, length in text_slices([ordered], len(order), longest):
        rows = order[start : start + length]
        numbers = pa.array(of_row[rows])
        times = rfc3339(long_form.times_ns(frame)[rows], "UTC", after=",")
        values = csv_values(ordered.slice(start, length))
        yield joined_bytes([before.take(numbers), times, values, behind.take(numbers)])


def _labels(series: FieldSeries, keys: Sequence[str]) -> str:
    """The cells behind the value: field, measurement and tags. An absent tag is an empty cell."""
    tags = dict(series.key.tags)
    labels = [series.field, series.key.measurement, *(tags.get(key) for key in keys)]
    texts = csv_quoted(pa.array(labels, pa.string())).to_pylist()
    return "," + ",".join("" if text is None else text for text in texts) + "\n"
