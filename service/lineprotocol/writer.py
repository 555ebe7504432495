"""Writes the blocks of one store as line protocol for another: one line per series and time, with all its fields.

Types and bits stay exact. Values that line protocol cannot hold are returned with the reason; all others are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries
from service.frames.frame import Block
from service.frames.label_combinations import compact
from service.frames.points import Contents, Points, ValueColumn
from service.frames.row_alignment import AlignedRows, FieldValues, Ints, align_rows
from service.lineprotocol.names import quote_field
from service.lineprotocol.points_builder import joined_by_line, print_lines
from service.lineprotocol.prefixes import line_prefixes
from service.lineprotocol.unwritable import UnwritableValues, split_writable
from service.lineprotocol.value_texts import value_texts


@dataclass(frozen=True)
class WrittenBlock:
    """The lines of a block, ordered by series and then time and numbered from 1; and the values that no line holds."""

    points: Points
    unwritable: tuple[UnwritableValues, ...]


def write_block(block: Block) -> WrittenBlock:
    """The lines of a block of complete rows (service.frames.frame), or of several blocks with different rows as one.

    The fields of a line are in the order of the block. If a field has two types at one series and time, each value is
    in a line of its own.
    """
    writer = _BlockWriter()
    for rows in align_rows(block):
        writer.add(rows)
    return WrittenBlock(writer.points(), tuple(writer.unwritable))


class _BlockWriter:
    """Collects the writable values of measurements. The numbers of series and rows continue from one to the next."""

    def __init__(self) -> None:
        self.unwritable: list[UnwritableValues] = []
        self._measurements: list[AlignedRows] = []
        self._columns: list[FieldValues] = []
        self._texts: list[pa.Array] = []
        self._names: list[tuple[str, str]] = []
        self._prefixes: list[pa.Array] = []
        self._series: list[Ints] = []
        self._series_count = 0
        self._row_count = 0

    def add(self, rows: AlignedRows) -> None:
        prefixes = line_prefixes(rows.measurement, rows.tags, rows.series_count)
        for field in rows.field_values:
            good, unwritable = split_writable(rows, prefixes, field)
            self.unwritable += unwritable
            if len(good.rows):
                self._texts.append(value_texts(f",{quote_field(good.field).decode()}=", good.values))
                self._names.append((rows.measurement, good.field))
                self._columns.append(FieldValues(good.field, good.type, good.rows + self._row_count, good.values))
        self._measurements.append(rows)
        self._prefixes.append(prefixes.texts)
        self._series.append(rows.series + self._series_count)
        self._series_count += rows.series_count
        self._row_count += len(rows.times_ns)

    def points(self) -> Points:
        if not self._columns:
            return Points(b"", np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), (), ())
        lines = _lines(self._columns, self._names)
        series = np.concatenate(self._series)
        times = np.concatenate([rows.times_ns for rows in self._measurements])[lines.rows]
        prefixes = pa.concat_arrays(self._prefixes).cast(pa.large_binary()).take(pa.array(series[lines.rows]))
        fields = joined_by_line(pa.concat_arrays(self._texts).take(pa.array(lines.order)), lines.firsts)
        text, offsets = print_lines([prefixes, fields], times)
        make = partial(_contents, self._measurements, self._columns, series, lines.of_value)
        return Points.lazy(text, offsets, np.arange(1, len(times) + 1), times, make)


@dataclass(frozen=True)
class _Lines:
    """How values form lines. `order` sorts the values line by line; `firsts` is where each line begins in it."""

    order: Ints
    firsts: Ints
    rows: Ints
    """The row of each line."""
    of_value: Ints
    """The line of each value."""


def _lines(columns: Sequence[FieldValues], names: Sequence[tuple[str, str]]) -> _Lines:
    rows = np.concatenate([column.rows for column in columns])
    repeats = _repeats(columns, names, rows)
    numbers = rows * (int(repeats.max()) + 1) + repeats
    order: Ints = np.argsort(numbers, kind="stable")
    new = _begins(numbers[order])
    of_value = np.empty_like(order)
    of_value[order] = np.cumsum(new) - 1
    firsts = np.flatnonzero(new)
    return _Lines(order, firsts, rows[order[firsts]], of_value)


def _repeats(columns: Sequence[FieldValues], names: Sequence[tuple[str, str]], rows: Ints) -> Ints:
    """The number of earlier values of the same field in the same row: 0, unless the field has two types there."""
    repeats = np.zeros(len(rows), np.int64)
    ends = np.cumsum([len(column.rows) for column in columns])
    by_field: dict[tuple[str, str], list[int]] = {}
    for index, name in enumerate(names):
        by_field.setdefault(name, []).append(index)
    for indices in by_field.values():
        if len({columns[index].type for index in indices}) > 1:
            ranges = [np.arange(ends[index] - len(columns[index].rows), ends[index]) for index in indices]
            values = np.concatenate(ranges)
            order = np.argsort(rows[values], kind="stable")
            counted = np.arange(len(order))
            repeats[values[order]] = counted - np.maximum.accumulate(np.where(_begins(rows[values[order]]), counted, 0))
    return repeats


def _begins(numbers: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether a run of equal numbers begins at each position."""
    new = np.ones(len(numbers), np.bool_)
    new[1:] = numbers[1:] != numbers[:-1]
    return new


def _contents(
    measurements: Sequence[AlignedRows],
    columns: Sequence[FieldValues],
    series: Ints,
    line_of_value: Ints,
) -> Contents:
    """The field series, ordered by field and then series, and the columns. `series` holds the series of each row."""
    series_keys = [key for rows in measurements for key in rows.series_keys()]
    numbers: dict[tuple[str, FieldType], int] = {}
    count = len(series_keys)
    codes = []
    for column in columns:
        number = numbers.setdefault((column.field, column.type), len(numbers))
        codes.append(number * count + series[column.rows])
    distinct, key_of_value = compact(np.concatenate(codes), len(numbers) * count)
    fields = list(numbers)
    keys = tuple([FieldSeries(series_keys[code % count], *fields[code // count]) for code in distinct.tolist()])
    return keys, _columns(columns, key_of_value, line_of_value)


def _columns(columns: Sequence[FieldValues], keys: Ints, lines: Ints) -> tuple[ValueColumn, ...]:
    ends = np.cumsum([len(column.rows) for column in columns])
    value_columns = []
    for field_type in FieldType:
        of_type = [(column, int(end)) for column, end in zip(columns, ends, strict=True) if column.type is field_type]
        if of_type:
            indices = np.concatenate([np.arange(end - len(column.rows), end) for column, end in of_type])
            order = np.argsort(lines[indices], kind="stable")
            values = pa.concat_arrays([column.values for column, _ in of_type]).take(pa.array(order))
            chosen = indices[order]
            value_keys, value_lines = keys[chosen].astype(np.int32), lines[chosen].astype(np.int32)
            value_columns.append(ValueColumn(field_type, value_keys, value_lines, values))
    return tuple(value_columns)
