"""Flux's annotated CSV, as it streams: schema blocks, rows, the error in the middle, and the end.

The encoder writes the annotations again when columns change, a blank line before them, an error as
a table of its own with status 200, and one more blank line at the end of every complete result
(flux v0.200.0 csv/result.go): an answer without that last line was cut.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pacsv

from service.domain.schema import FieldType
from service.domain.timerange import parse_time
from service.errors import InvalidParameter, LineEndLost, StoreBroken
from service.frames.frame import TEXT_CODES, TIME, VALUE_TYPES
from service.stores.influx.failures import query_failure, senseless

_FIELD_TYPES = {
    "double": FieldType.FLOAT,
    "long": FieldType.INTEGER,
    "unsignedLong": FieldType.UNSIGNED,
    "string": FieldType.STRING,
    "boolean": FieldType.BOOLEAN,
}
_HEADER_LINES = 4
FIRST_BLOCK_BYTES, BLOCK_BYTES = 32 * 1024, 2 * 1024 * 1024
"""Blocks begin small, so that the first rows leave at once also over a poor link, and grow."""
_SUSPECT = re.compile(rb'(?:^|,)"(?:[^\s",][^",\n]*)?"(?=[,\r])', re.MULTILINE)
_QUOTED = re.compile(rb'"((?:[^"]|"")*)"')
_CUT = "InfluxDB's answer ended without its last line: rows are missing. Ask again; if it stays so, look at its log and the link."


@dataclass(frozen=True)
class Columns:
    """A schema block: names and datatypes by position."""

    names: tuple[str, ...]
    datatypes: tuple[str, ...]

    @property
    def value_type(self) -> FieldType:
        return _FIELD_TYPES[self.datatypes[self.names.index("_value")]]

    @property
    def tags(self) -> tuple[str, ...]:
        """Names after the fixed ones: the tag keys of the tables."""
        return tuple(name for name in self.names[3:] if name not in ("_time", "_value", "_field", "_measurement"))


@dataclass(frozen=True)
class Rows:
    columns: Columns
    text: bytes


def rows_of(chunks: Iterator[bytes]) -> Iterator[Rows]:
    """Rows with their columns, in pieces of whole lines.

    Raises:
        FluxgateError: the error that InfluxDB wrote into its answer. StoreBroken: the answer was cut.
        LineEndLost: a cell does not hold what is stored.
    """
    state, enough = _Sections(), FIRST_BLOCK_BYTES
    for chunk in chunks:
        state.pending += chunk
        if len(state.pending) >= enough:
            yield from state.take()
            enough = min(enough * 2, BLOCK_BYTES)
    yield from state.take()
    if state.pending or not state.blank:
        raise StoreBroken(_CUT)


class _Sections:
    """Where in the answer we are: text not yet taken, the columns in force, whether a blank line was last."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.blank = False
        self._columns: Columns | None = None

    def take(self) -> Iterator[Rows]:
        """Give out all whole lines that are there."""
        whole = self.pending.rfind(b"\n") + 1
        region = bytes(self.pending[:whole])
        if b'"' in region and _line_end_lost(region):
            raise LineEndLost
        position = 0
        while position < len(region):
            if region.startswith(b"\r\n", position):
                position, self.blank, self._columns = position + 2, True, None
                continue
            if self._columns is None:
                header = _header(region, position)
                if header is None:
                    break
                self._columns, position = header
                self.blank = False
                continue
            end = region.find(b"\r\n\r\n", position)
            end = len(region) if end < 0 else end + 2
            yield self._rows(region[position:end])
            position = end
        del self.pending[:position]

    def _rows(self, text: bytes) -> Rows:
        assert self._columns is not None
        if self._columns.names[1:3] == ("error", "reference"):
            message = next(csv.reader(io.StringIO(text.decode("utf-8", "replace"))))
            raise query_failure(message[1] if len(message) > 1 else "no reason given")
        return Rows(self._columns, text)


def _line_end_lost(region: bytes) -> bool:
    """Whether the line end of a name or tag was lost: a line feed came behind a backslash, and is two letters now; a carriage return
    is gone, and its cell is quoted for nothing (Go's encoding/csv fieldNeedsQuotes, with UseCRLF). No name or tag ends with a backslash."""
    return b"\\\r\n" in region or (_SUSPECT.search(region) is not None and any(map(_quoted_for_nothing, _QUOTED.findall(region))))


def _quoted_for_nothing(cell: bytes) -> bool:
    return not (any(letter in cell for letter in b',"\n') or cell.decode("utf-8", "replace")[:1].isspace() or cell == b"\\.")


def _header(region: bytes, position: int) -> tuple[Columns, int] | None:
    """The schema block at `position` and where its rows begin; None when it is not all there yet."""
    lines = []
    for _ in range(_HEADER_LINES):
        end = region.find(b"\n", position)
        if end < 0:
            return None
        try:
            lines.append(region[position:end].rstrip(b"\r").decode())
        except UnicodeDecodeError as broken:  # two tags may look like one
            raise senseless(broken) from broken
        position = end + 1
    if not lines[0].startswith("#datatype"):
        raise StoreBroken(
            "InfluxDB answered something else where columns are due.",
            advice="Check {url}, and what stands between.",
            upstream=repr(lines[0][:80]),
        )
    datatypes, _, _, names = (tuple(cells) for cells in csv.reader(lines))
    return Columns(names, datatypes), position


def table_of(rows: Rows, labels: Sequence[str]) -> pa.Table:
    """`_time` (int64 ns), `_value`, then `labels` as dictionary columns.

    Raises:
        StoreBroken: cells that do not fit their columns.
    """
    columns = rows.columns
    wanted = {"_time": TIME, "_value": VALUE_TYPES[columns.value_type], **dict.fromkeys(labels, TEXT_CODES)}
    places = {name: place for place, name in enumerate(columns.names)}
    try:
        return _read(rows, {f"c{places[name]}": kind for name, kind in wanted.items()}).rename_columns(list(wanted))
    except pa.ArrowInvalid:
        pass  # an infinity, or a time in the first second there is: read these as text
    as_text = {"_time": pa.string()} | ({"_value": pa.string()} if columns.value_type is FieldType.FLOAT else {})
    try:
        table = _read(rows, {f"c{places[name]}": as_text.get(name, kind) for name, kind in wanted.items()}).rename_columns(list(wanted))
        return _from_text(table, columns.value_type)
    except (pa.ArrowInvalid, InvalidParameter, ValueError) as broken:
        raise senseless(broken) from broken


def _read(rows: Rows, types: dict[str, pa.DataType]) -> pa.Table:
    names = [f"c{place}" for place in range(len(rows.columns.names))]
    convert = pacsv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=[""],
        strings_can_be_null=False,
        true_values=["true"],
        false_values=["false"],
        timestamp_parsers=[pacsv.ISO8601],
    )
    read = pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(rows.text) + 1)
    return pacsv.read_csv(io.BytesIO(rows.text), read, pacsv.ParseOptions(newlines_in_values=False), convert)


def _from_text(table: pa.Table, kind: FieldType) -> pa.Table:
    """Times, and floats with their infinities, out of text: exact and slow."""
    times = pa.array([parse_time(text, "_time") for text in table.column("_time").to_pylist()], pa.int64()).view(TIME)
    table = table.set_column(0, "_time", times)
    if kind is not FieldType.FLOAT:
        return table
    values = pa.array([float(text) for text in table.column("_value").to_pylist()], pa.float64())
    return table.set_column(1, "_value", values)


def first_datatype(chunks: Iterator[bytes]) -> FieldType:
    """The value type of the first table of an answer."""
    for rows in rows_of(chunks):
        return rows.columns.value_type
    raise StoreBroken("InfluxDB answered no point where one was read before. Ask again.")
