"""Reads CSV with named columns as points: one line per row. A column has one type in the whole file.

The types that are not given are found out by a pass over all cells before anything is sent. Standard input cannot be
read twice: there the first block decides, and a later cell that does not fit ends the import with its line.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.errors import FileRefused
from service.fileformats.cell_values import Bad, ColumnType, values_of
from service.fileformats.column_roles import TableForm, roles_of
from service.fileformats.csv_records import (
    BLOCK_BYTES,
    block_records,
    cells_of,
    decoded,
    last_record_end,
    records_of,
)
from service.fileformats.pieces import Piece, Position, Reject
from service.fileformats.text_blocks import TextBlock, TextBlocks
from service.fileformats.unpacking import ByteSource
from service.lineprotocol.table_lines import FieldColumn, PointRows, write_rows

Types = Mapping[int, FieldType]


@dataclass(frozen=True)
class _Rows:
    """Rows of a block with as many cells as the header: the line of each, and their text."""

    lines: npt.NDArray[np.int64]
    text: bytes
    rejects: tuple[Reject, ...]


class PlainCsv:
    """A CSV file from its header, or from `position`, on. Each source is read once: for `types`, or for `pieces`."""

    def __init__(self, source: ByteSource, form: TableForm, position: Position, block_bytes: int = BLOCK_BYTES) -> None:
        self._name = source.name
        self._form = form
        self._blocks = TextBlocks(source, last_record_end, position, block_bytes)
        self._header = position.context or self._read_header()
        self.names = _cells(self._header, form.separator)
        self.roles = roles_of(self.names, form, source.name)
        self._given = {self.names.index(column): field_type for column, field_type in form.types.items()}

    def _read_header(self) -> str:
        head = self._blocks.head
        end = records_of(head, 1, self._form.separator).ends[0]
        block = self._blocks.take(int(end))
        return decoded(block.text, self._form.encoding, 1, self._name).decode()

    def types(self) -> dict[int, FieldType]:
        """The type of each field, out of all rows of the source. Raises FileRefused."""
        columns = self._unknown()
        for block in self._blocks:
            open_places = [place for place, column in columns.items() if not column.is_text]
            rows = self._rows(block)
            for place, cells in cells_of(rows.text, self.names, open_places, self._form.separator).items():
                columns[place].add(cells)
        return self._with_given(columns)

    def pieces(self, types: Types | None) -> Iterator[Piece]:
        """The rows as lines. Without `types` those of the first block hold for all. Raises FileRefused."""
        fixed = types
        for block in self._blocks:
            rows = self._rows(block)
            if fixed is None:
                columns = self._unknown()
                for place, cells in cells_of(rows.text, self.names, list(columns), self._form.separator).items():
                    columns[place].add(cells)
                fixed = self._with_given(columns)
            yield self._piece(block, rows, fixed, strict=types is None)

    def _unknown(self) -> dict[int, ColumnType]:
        return {place: ColumnType(self._form.decimal) for place in self.roles.fields if place not in self._given}

    def _with_given(self, columns: Mapping[int, ColumnType]) -> dict[int, FieldType]:
        return self._given | {place: column.type for place, column in columns.items()}

    def _rows(self, block: TextBlock) -> _Rows:
        records = block_records(block, self._form.encoding, self._form.separator, self._name)
        wrong = (records.cells != len(self.names)) & ~records.blank
        rejects = tuple(records.misfit(row, len(self.names)) for row in np.flatnonzero(wrong).tolist())
        rows = np.flatnonzero(~wrong & ~records.blank)
        return _Rows(records.lines[rows], records.chosen(rows), rejects)

    def _piece(self, block: TextBlock, rows: _Rows, types: Types, strict: bool) -> Piece:
        after = Position(block.end, block.next_line, self._header)
        if not len(rows.lines):
            return Piece(b"", after, rejects=rows.rejects)
        cells = cells_of(rows.text, self.names, self.roles.used, self._form.separator)
        times, bad_times = self._form.time_form.read(cells[self.roles.time])
        fields, bad_values = self._fields(cells, types)
        if strict and (wrong := next(iter(bad_values), None)) is not None:
            place, row, reason = wrong
            column = self.names[place]
            finding = f"{self._name}, line {rows.lines[row]:,}: the column {column!r}: {reason}"
            raise FileRefused(f"{finding}, as the first rows are. Give its type: --type {column}=float, or string.")
        measurement = self.roles.measurement
        points = PointRows(
            times,
            measurement if isinstance(measurement, str) else without_empty(cells[measurement]),
            {target: without_empty(cells[place]) for place, target in self.roles.tags.items()},
            fields,
        )
        reasons = [(row, f"the column {self.names[place]!r}: {reason}") for place, row, reason in bad_values]
        return table_piece(points, rows.lines, after, bad_times, reasons, rows.rejects)

    def _fields(
        self, cells: Mapping[int, pa.StringArray], types: Types
    ) -> tuple[tuple[FieldColumn, ...], list[tuple[int, int, str]]]:
        """The fields, and the cells that do not fit: column, row and reason."""
        fields, wrong = [], []
        for place, target in self.roles.fields.items():
            values, bad = values_of(cells[place], types[place], self._form.decimal)
            fields.append(FieldColumn(target, values))
            wrong += [(place, row, reason) for row, reason in bad.items()]
        return tuple(fields), wrong


def without_empty(texts: pa.StringArray) -> pa.StringArray:
    """Tags: an empty text is an absent one."""
    return pa.compute.if_else(pa.compute.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _cells(header: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader(io.StringIO(header), delimiter=separator), [])]


def table_piece(
    points: PointRows,
    lines: npt.NDArray[np.int64],
    after: Position,
    bad_times: Bad,
    bad_values: Iterable[tuple[int, str]] = (),
    rejects: tuple[Reject, ...] = (),
) -> Piece:
    """The rows as a piece. `lines` holds the line of each row in the file. Rows with a wrong time are left out.

    A row of which nothing is written is named once, with one reason; else each cell that does not fit is named.
    """
    good = np.ones(len(lines), np.bool_)
    good[list(bad_times)] = False
    chosen = np.flatnonzero(good)
    written = write_rows(_taken(points, chosen) if len(chosen) < len(lines) else points)
    refused = {int(chosen[row]): reason for row, reason in written.refused}
    whole = bad_times.keys() | (refused.keys() - set(chosen[written.rows].tolist()))
    found = [
        *rejects,
        *(Reject(int(lines[row]), reason) for row, reason in bad_times.items()),
        *(Reject(int(lines[row]), reason) for row, reason in bad_values if row not in whole),
        *(Reject(int(lines[row]), reason) for row, reason in refused.items()),
    ]
    found.sort(key=lambda reject: reject.line)
    rows = lines[chosen[written.rows]]
    times = points.times_ns[chosen[written.rows]]
    return Piece(
        written.text,
        after,
        offsets=written.offsets,
        rows=rows,
        times=times,
        rejects=tuple(found),
        empty_rows=written.empty,
    )


def _taken(points: PointRows, rows: npt.NDArray[np.int64]) -> PointRows:
    chosen = pa.array(rows)
    name = points.measurement
    return PointRows(
        points.times_ns[rows],
        name if isinstance(name, str) else name.take(chosen),
        {key: column.take(chosen) for key, column in points.tags.items()},
        tuple(
            FieldColumn(
                column.name if isinstance(column.name, str) else column.name.take(chosen), column.values.take(chosen)
            )
            for column in points.fields
        ),
    )
