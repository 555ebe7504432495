"""Reads Flux's annotated CSV as a stream: schema blocks, rows, an error in the middle, and the end.

When columns change, the encoder writes a blank line and the annotations again. An error is a table of its own, with
status 200. A complete result ends with one more blank line (flux v0.200.0 csv/result.go). An answer without that line
was cut.
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
from service.encoding.annotated_csv import FIELD_TYPES
from service.errors import InvalidParameter, LineEndLost, StoreBroken
from service.frames.frame import TEXT_CODES, TIME, VALUE_TYPES
from service.stores.influx.failures import ASK_AGAIN, query_failure, unreadable_rows

_HEADER_LINES = 4
FIRST_BLOCK_BYTES, BLOCK_BYTES = 32 * 1024, 2 * 1024 * 1024
"""Blocks begin small, so that the first rows leave at once also over a poor link, and grow."""
_SUSPECT = re.compile(rb'(?:^|,)"(?:[^\s",][^",\n]*)?"(?=[,\r])', re.MULTILINE)
_QUOTED = re.compile(rb'"((?:[^"]|"")*)"')
_CUT = f"InfluxDB's answer ended without its last line: rows are missing. {ASK_AGAIN}"


@dataclass(frozen=True)
class Columns:
    """A schema block: names and datatypes by position."""

    names: tuple[str, ...]
    datatypes: tuple[str, ...]

    @property
    def value_type(self) -> FieldType:
        return FIELD_TYPES[self.datatypes[self.names.index("_value")]]

    @property
    def tags(self) -> tuple[str, ...]:
        """Names after the fixed ones: the tag keys of the tables."""
        return tuple(name for name in self.names[3:] if name not in ("_time", "_value", "_field", "_measurement"))


@dataclass(frozen=True)
class Rows:
    """Whole lines of an answer, and their columns."""

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
    """The state of the parser: text not yet taken, the present columns, and whether the last line was blank."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.blank = False
        self._columns: Columns | None = None

    def take(self) -> Iterator[Rows]:
        """Give all whole lines that have arrived."""
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
    """Whether a name or tag has lost a line end.

    A line feed is written as two letters after a backslash, and no name or tag ends with a backslash. A carriage return
    is dropped, and its cell has quotes without need (Go's encoding/csv fieldNeedsQuotes, with UseCRLF).
    """
    if b"\\\r\n" in region:
        return True
    return _SUSPECT.search(region) is not None and any(map(_has_needless_quotes, _QUOTED.findall(region)))


def _has_needless_quotes(cell: bytes) -> bool:
    if any(letter in cell for letter in b',"\n') or cell == b"\\.":
        return False
    return not cell.decode("utf-8", "replace")[:1].isspace()


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
            raise unreadable_rows(broken) from broken
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
    column_types = {"_time": TIME, "_value": VALUE_TYPES[columns.value_type], **dict.fromkeys(labels, TEXT_CODES)}
    places = {name: place for place, name in enumerate(columns.names)}
    types = {f"c{places[name]}": value_type for name, value_type in column_types.items()}
    try:
        return _read(rows, types).rename_columns(list(column_types))
    except pa.ArrowInvalid:
        pass  # an infinity, or a time in the first storable second: these are read as text
    types[f"c{places['_time']}"] = pa.string()
    if columns.value_type is FieldType.FLOAT:
        types[f"c{places['_value']}"] = pa.string()
    try:
        table = _read(rows, types).rename_columns(list(column_types))
        return _from_text(table, columns.value_type)
    except (pa.ArrowInvalid, InvalidParameter, ValueError) as broken:
        raise unreadable_rows(broken) from broken


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


def _from_text(table: pa.Table, value_type: FieldType) -> pa.Table:
    """Times, and floats with their infinities, out of text: exact and slow."""
    times = pa.array([parse_time(text, "_time") for text in table.column("_time").to_pylist()], pa.int64()).view(TIME)
    table = table.set_column(0, "_time", times)
    if value_type is not FieldType.FLOAT:
        return table
    values = pa.array([float(text) for text in table.column("_value").to_pylist()], pa.float64())
    return table.set_column(1, "_value", values)


def first_datatype(chunks: Iterator[bytes]) -> FieldType:
    """The value type of the first table of an answer."""
    for rows in rows_of(chunks):
        return rows.columns.value_type
    raise StoreBroken("InfluxDB answered no point where one was read before. Ask again.")


@dataclass(frozen=True)
class Density:
    """How many points there are, and windows of series that hold some."""

    points: int
    windows: int


def density_of(chunks: Iterator[bytes]) -> Density:
    """What an answer to `flux.density` says."""
    for rows in rows_of(chunks):
        cells = dict(zip(rows.columns.names, next(csv.reader([rows.text.decode()])), strict=True))
        return Density(int(cells["points"]), int(cells["windows"]))
    return Density(0, 0)
