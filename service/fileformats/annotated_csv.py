"""Reads annotated CSV, as InfluxDB answers a query and as Fluxgate exports points, section by section.

A section has `#datatype`, `#group` and `#default` lines and a header; its rows are values of one type (`_field`,
`_value`), or pivoted with one column per field. In a file whose lines end with CR LF, which InfluxDB's own encoder
writes, a line break inside a cell is a line feed: the encoder makes CR LF of it. In any other file cells are exact.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.encoding.annotated_csv import FIELD_TYPES
from service.errors import FileRefused
from service.fileformats.cell_values import values_of
from service.fileformats.csv_records import BLOCK_BYTES, Records, block_records, cells_of, last_record_end, records_of
from service.fileformats.pieces import Piece, Position
from service.fileformats.plain_csv import table_piece, without_empty
from service.fileformats.text_blocks import TextBlock, TextBlocks
from service.fileformats.time_cells import TimeForm
from service.fileformats.unpacking import ByteSource
from service.lineprotocol.table_lines import FieldColumn, PointRows

_TIMES = ("dateTime:RFC3339", "dateTime:RFC3339Nano", "dateTime")
_FIXED = ("result", "table", "_time", "_measurement")
_BOUNDS = ("_start", "_stop")
_HASH = ord("#")


@dataclass(frozen=True)
class Section:
    """The columns of a section. `annotations` are its lines up to the header, as they stand in the file."""

    annotations: str
    names: tuple[str, ...]
    datatypes: tuple[str, ...]
    groups: tuple[str, ...]
    defaults: tuple[str, ...]

    @property
    def line_feeds_widened(self) -> bool:
        """Whether the encoder made CR LF of a line feed in a cell."""
        return self.annotations.endswith("\r\n")

    @property
    def is_long(self) -> bool:
        return {"_field", "_value"} <= set(self.names)

    def place(self, name: str) -> int | None:
        """The column of a fixed name. A tag may have the same name; it stands behind."""
        return self.names.index(name) if name in self.names else None

    def fields(self) -> list[int]:
        """The positions of the columns with values."""
        if self.is_long:
            return [self.names.index("_value")]
        return [place for place in self._free() if self.groups[place] != "true"]

    def tags(self) -> list[int]:
        fields = set(self.fields())
        return [place for place in self._free() if place not in fields]

    def _free(self) -> list[int]:
        """The columns that are neither fixed nor bounds of the range."""
        names = [*_FIXED, *(["_field", "_value"] if self.is_long else [])]
        fixed = {self.place(name) for name in names}
        return [
            place
            for place, name in enumerate(self.names)
            if place not in fixed and name and not (name in _BOUNDS and self.datatypes[place] in _TIMES)
        ]


class AnnotatedCsv:
    """An annotated CSV file from its beginning, or from `position`, on.

    `measurement` is that of points in sections that have no column `_measurement`.
    """

    def __init__(
        self, source: ByteSource, measurement: str | None, position: Position, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self._name = source.name
        self._measurement = measurement
        self._blocks = TextBlocks(source, last_record_end, position, block_bytes)
        self._pending = ""
        self._section: Section | None = None
        if position.context:
            self._resume(position.context.encode(), max(position.line - 1, 1))

    def _resume(self, head: bytes, line: int) -> None:
        records = records_of(head, line, ",")
        for start, end in zip(records.starts, records.ends, strict=True):
            self._head(head[start:end].decode(), line)

    def pieces(self) -> Iterator[Piece]:
        """The rows as lines. Raises FileRefused for what is no annotated CSV, with its line."""
        for block in self._blocks:
            yield from self._segments(block, block_records(block, "utf-8", ",", self._name))

    def _segments(self, block: TextBlock, records: Records) -> Iterator[Piece]:
        """The rows between heads. The last piece of a block is done when the block is; others when they are sent."""
        octets = np.frombuffer(records.text, np.uint8)
        special = np.flatnonzero(records.blank | (octets[records.starts] == _HASH))
        row, begin = 0, block.end - len(block.text)
        while row < len(records):
            text = records.text[records.starts[row] : records.ends[row]].decode()
            if records.blank[row]:
                if not self._pending:
                    self._section = None
                row += 1
            elif text.startswith("#") or self._section is None or self._pending:
                self._head(text, int(records.lines[row]))
                row += 1
            else:
                following = special[np.searchsorted(special, row) :]
                stop = int(following[0]) if len(following) else len(records)
                yield self._piece(records, row, stop, begin)
                row = stop
        yield Piece(b"", self._position(block.end, block.next_line))

    def _position(self, place: int, line: int) -> Position:
        head = self._pending or ("" if self._section is None else self._section.annotations)
        return Position(place, line, head)

    def _head(self, text: str, line: int) -> None:
        """Take a line of annotations or a header."""
        if text.startswith("#"):
            if self._section is not None and not self._pending:
                self._section = None
            self._pending += text
            return
        lines = list(csv.reader(io.StringIO(self._pending + text, newline="")))
        names = lines.pop()
        if names[1:3] == ["error", "reference"]:
            raise FileRefused(f"{self._name}, line {line:,}: the file is no result, but an error of InfluxDB.")
        annotations = {cells[0]: cells[1:] for cells in lines if cells}
        if "#datatype" not in annotations:
            advice = "Export with annotations (influx query --raw), or import it as plain CSV: --format csv"
            raise FileRefused(f"{self._name}, line {line:,}: a header without #datatype before it. {advice}.")
        width = len(names)
        if any(len(cells) != width - 1 for cells in annotations.values()):
            raise FileRefused(
                f"{self._name}, line {line:,}: the annotations have another number of cells than the header."
            )
        blanks = [""] * (width - 1)
        self._section = Section(
            self._pending + text,
            tuple(names),
            ("", *annotations["#datatype"]),
            ("", *annotations.get("#group", blanks)),
            ("", *annotations.get("#default", blanks)),
        )
        self._pending = ""
        self._check(self._section, line)

    def _check(self, section: Section, line: int) -> None:
        place = f"{self._name}, line {line:,}"
        if "_time" not in section.names:
            advice = 'Rows of windows have one after |> duplicate(column: "_stop", as: "_time")'
            raise FileRefused(f"{place}: there is no column _time. {advice}.")
        if "_measurement" not in section.names and self._measurement is None:
            raise FileRefused(f"{place}: there is no column _measurement. Name the measurement: --measurement NAME.")
        if section.datatypes[section.names.index("_time")] not in _TIMES:
            raise FileRefused(f"{place}: _time is no dateTime:RFC3339.")
        for column in section.fields():
            if section.datatypes[column] not in FIELD_TYPES:
                kind = section.datatypes[column]
                raise FileRefused(f"{place}: the column {section.names[column]!r} holds {kind!r}, which no field can.")
        if not section.fields():
            raise FileRefused(f"{place}: there is no column with values (_value, or columns outside of the group key).")

    def _piece(self, records: Records, start: int, stop: int, begin: int) -> Piece:
        section = self._section
        assert section is not None
        rows = np.arange(start, stop)
        wrong = records.cells[rows] != len(section.names)
        rejects = tuple(records.misfit(row, len(section.names)) for row in rows[wrong].tolist())
        good = rows[~wrong]
        text = records.text[records.starts[start] : records.ends[stop - 1]] if not wrong.any() else records.chosen(good)
        ends = int(records.ends[stop - 1])
        line = int(records.lines[stop]) if stop < len(records) else int(records.lines[stop - 1]) + 1
        after = self._position(begin + ends, line)
        if not len(good):
            return Piece(b"", after, rejects=rejects)
        points, bad_times, bad_values = self._points(section, text)
        return table_piece(points, records.lines[good], after, bad_times, bad_values, rejects)

    def _points(self, section: Section, text: bytes) -> tuple[PointRows, dict[int, str], list[tuple[int, str]]]:
        fields, tags = section.fields(), section.tags()
        time, name, field = (section.place(fixed) for fixed in ("_time", "_measurement", "_field"))
        labels = [place for place in (name, field if section.is_long else None) if place is not None]
        assert time is not None
        cells = cells_of(text, section.names, sorted({*fields, *tags, *labels, time}), ",")
        whole = {place: _cells(section, place, column) for place, column in cells.items()}
        times, bad_times = TimeForm().read(whole[time])
        columns, bad_values = [], []
        for place in fields:
            field_type = FIELD_TYPES[section.datatypes[place]]
            texts = whole[place]
            if section.is_long and field_type is FieldType.STRING:
                texts = texts.fill_null("")
            values, bad = values_of(texts, field_type)
            names = whole[field] if section.is_long and field is not None else section.names[place]
            columns.append(FieldColumn(_constant(names), values))
            bad_values += [(row, f"the column {section.names[place]!r}: {reason}") for row, reason in bad.items()]
        measurement = self._measurement or "" if name is None else whole[name]
        texts_of_tags = {section.names[place]: without_empty(whole[place]) for place in tags}
        return PointRows(times, _constant(measurement), texts_of_tags, tuple(columns)), bad_times, bad_values


def _cells(section: Section, place: int, column: pa.StringArray) -> pa.StringArray:
    """The cells of a column, with the default of the section where they are empty."""
    default = section.defaults[place]
    texts = column.fill_null(default) if default else column
    return pc.replace_substring(texts, "\r\n", "\n") if section.line_feeds_widened else texts


def _constant(names: str | pa.StringArray) -> str | pa.StringArray:
    """The only text of a column, as a text."""
    if isinstance(names, str) or names.null_count or not len(names):
        return names
    first: str = names[0].as_py()
    return first if pc.all(pc.equal(names, first)).as_py() else names


def is_annotated(head: bytes) -> bool:
    """Whether a text begins as annotated CSV does."""
    start: Sequence[bytes] = (b"#datatype", b"#group", b"#default")
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").startswith(tuple(start))
