"""Blocks out of a store as points for another one: one line for each series and time, holding all its fields.

Exact in type and bits. What line protocol cannot hold is handed back with the reason, and the rest goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.series import FieldSeries
from service.frames.frame import Block
from service.frames.label_codes import compact
from service.frames.points import Contents, Points, ValueColumn
from service.frames.row_alignment import AlignedRows, FieldValues, Ints, align_rows
from service.lineprotocol.names import quote_field
from service.lineprotocol.points_builder import print_lines
from service.lineprotocol.prefixes import line_prefixes
from service.lineprotocol.unwritable import UnwritableValues, split_writable
from service.lineprotocol.value_texts import value_texts

_SPACE = ord(" ")


@dataclass(frozen=True)
class WrittenBlock:
    """Points with a line for each series and time, by series and then time, numbered from 1; and values that have none."""

    points: Points
    unwritable: tuple[UnwritableValues, ...]


def write_block(block: Block) -> WrittenBlock:
    """The values of a block of complete rows (service.frames.frame). Blocks that hold different rows may be added up to one.

    The fields of a line stand in the order of the block. Should a field have two types at one series
    and time, each is in a line of its own.
    """
    gathered = _BlockWriter()
    for rows in align_rows(block):
        gathered.add(rows)
    return WrittenBlock(gathered.points(), tuple(gathered.unwritable))


class _BlockWriter:
    """What can be written of some measurements. Their series and rows are numbered on, from one to the next."""

    def __init__(self) -> None:
        self.unwritable: list[UnwritableValues] = []
        self._measurements: list[AlignedRows] = []
        self._pieces: list[FieldValues] = []
        self._texts: list[pa.Array] = []
        self._names: list[tuple[str, str]] = []
        self._prefixes: list[pa.Array] = []
        self._series: list[Ints] = []
        self._series_count = 0
        self._row_count = 0

    def add(self, rows: AlignedRows) -> None:
        prefixes = line_prefixes(rows.measurement, rows.tags, rows.series_count)
        for piece in rows.field_values:
            good, unwritable = split_writable(rows, prefixes, piece)
            self.unwritable += unwritable
            if len(good.rows):
                self._texts.append(value_texts(f",{quote_field(good.field).decode()}=", good.values))
                self._names.append((rows.measurement, good.field))
                self._pieces.append(FieldValues(good.field, good.type, good.rows + self._row_count, good.values))
        self._measurements.append(rows)
        self._prefixes.append(prefixes.texts)
        self._series.append(rows.series + self._series_count)
        self._series_count += rows.series_count
        self._row_count += len(rows.times_ns)

    def points(self) -> Points:
        if not self._pieces:
            return Points(b"", np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), (), ())
        lines = _lines(self._pieces, self._names)
        series = np.concatenate(self._series)
        times = np.concatenate([rows.times_ns for rows in self._measurements])[lines.rows]
        prefixes = pa.concat_arrays(self._prefixes).cast(pa.large_binary()).take(pa.array(series[lines.rows]))
        fields = _side_by_side(pa.concat_arrays(self._texts).take(pa.array(lines.order)), lines.firsts)
        text, offsets = print_lines([prefixes, fields], times)
        make = partial(_contents, self._measurements, self._pieces, series, lines.of_value)
        return Points.lazy(text, offsets, np.arange(1, len(times) + 1), times, make)


@dataclass(frozen=True)
class _Lines:
    """Which values make which line. `order` puts the values of all pieces line by line, `firsts` is where each line begins in it."""

    order: Ints
    firsts: Ints
    rows: Ints
    """The row that each line is of."""
    of_value: Ints
    """The line of each value of all pieces."""


def _lines(pieces: Sequence[FieldValues], names: Sequence[tuple[str, str]]) -> _Lines:
    rows = np.concatenate([piece.rows for piece in pieces])
    repeats = _repeats(pieces, names, rows)
    places = rows * (int(repeats.max()) + 1) + repeats
    order: Ints = np.argsort(places, kind="stable")
    new = _begins(places[order])
    of_value = np.empty_like(order)
    of_value[order] = np.cumsum(new) - 1
    firsts = np.flatnonzero(new)
    return _Lines(order, firsts, rows[order[firsts]], of_value)


def _repeats(pieces: Sequence[FieldValues], names: Sequence[tuple[str, str]], rows: Ints) -> Ints:
    """How many values of its field stand before each value in its row: none, unless the field has two types there."""
    repeats = np.zeros(len(rows), np.int64)
    ends = np.cumsum([len(piece.rows) for piece in pieces])
    by_field: dict[tuple[str, str], list[int]] = {}
    for place, name in enumerate(names):
        by_field.setdefault(name, []).append(place)
    for places in by_field.values():
        if len({pieces[place].type for place in places}) > 1:
            values = np.concatenate([np.arange(ends[place] - len(pieces[place].rows), ends[place]) for place in places])
            order = np.argsort(rows[values], kind="stable")
            counted = np.arange(len(order))
            repeats[values[order]] = counted - np.maximum.accumulate(np.where(_begins(rows[values[order]]), counted, 0))
    return repeats


def _begins(numbers: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where a run of equal numbers begins."""
    new = np.ones(len(numbers), np.bool_)
    new[1:] = numbers[1:] != numbers[:-1]
    return new


def _side_by_side(texts: pa.Array, firsts: Ints) -> pa.Array:
    """The texts (large_string, each with a comma before it) of each line in one, the first with a space before it.

    They lie one after another in memory already, so that only the ends between lines are kept.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    letters = np.frombuffer(data, np.uint8).copy()
    starts = bounds[firsts]
    letters[starts] = _SPACE
    ends = np.append(starts, bounds[-1])
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(firsts), [None, pa.py_buffer(ends), pa.py_buffer(letters)])


def _contents(measurements: Sequence[AlignedRows], pieces: Sequence[FieldValues], series: Ints, line_of_value: Ints) -> Contents:
    """Keys by field and then series, and the columns. `series` is that of each row."""
    series_keys = [key for rows in measurements for key in rows.series_keys()]
    numbers: dict[tuple[str, FieldType], int] = {}
    codes = [numbers.setdefault((piece.field, piece.type), len(numbers)) * len(series_keys) + series[piece.rows] for piece in pieces]
    distinct, key_of_value = compact(np.concatenate(codes), len(numbers) * len(series_keys))
    fields = list(numbers)
    count = len(series_keys)
    keys = tuple([FieldSeries(series_keys[code % count], *fields[code // count]) for code in distinct.tolist()])
    return keys, _columns(pieces, key_of_value, line_of_value)


def _columns(pieces: Sequence[FieldValues], keys: Ints, lines: Ints) -> tuple[ValueColumn, ...]:
    ends = np.cumsum([len(piece.rows) for piece in pieces])
    columns = []
    for kind in FieldType:
        of_kind = [(piece, int(end)) for piece, end in zip(pieces, ends, strict=True) if piece.type is kind]
        if of_kind:
            places = np.concatenate([np.arange(end - len(piece.rows), end) for piece, end in of_kind])
            order = np.argsort(lines[places], kind="stable")
            values = pa.concat_arrays([piece.values for piece, _ in of_kind]).take(pa.array(order))
            columns.append(ValueColumn(kind, keys[places[order]].astype(np.int32), lines[places[order]].astype(np.int32), values))
    return tuple(columns)
