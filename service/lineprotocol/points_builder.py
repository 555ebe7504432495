"""Builds `Points` from parsed lines, whether the columnar or the single-line parser parsed them.

Groups of lines come in any order. The points are in the order of the body, each line with its time in nanoseconds, and
each series is stored once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.frame import VALUE_TYPES
from service.frames.points import Points, ValueColumn
from service.lineprotocol.names import WrittenSeries
from service.lineprotocol.single_line import Line, Value

Longs = npt.NDArray[np.int64]
_FIELD_BITS = 32
_ValueLists = tuple[list[int], list[int], list[Value]]
"""Field series, lines and values."""
_SERIES_BYTES, _TAG_BYTES, _KEY_BYTES = 1_000, 250, 500
_LINE_BYTES, _VALUE_BYTES = 500, 120
"""Bytes in memory of a series, a tag, a field series, a single line and a value of one: measured, rounded up."""


class SeriesNumbers:
    """Numbers series, fields and field series, each in the order of arrival."""

    def __init__(self) -> None:
        self.known: dict[bytes, WrittenSeries] = {}
        """The series so far, by the bytes that begin their lines."""
        self._series: dict[SeriesKey, int] = {}
        self._series_keys: list[SeriesKey] = []
        self._fields: dict[tuple[str, FieldType], int] = {}
        self._field_names: list[tuple[str, FieldType]] = []
        self._field_series: dict[int, int] = {}
        self._tag_count = 0

    @property
    def memory_bytes(self) -> int:
        """About the memory of all names, including the `FieldSeries` that `field_series` makes."""
        names = len(self._field_series) + len(self._field_names)
        return _SERIES_BYTES * len(self._series_keys) + _TAG_BYTES * self._tag_count + _KEY_BYTES * names

    def series_number(self, series: SeriesKey) -> int:
        number = self._series.setdefault(series, len(self._series))
        if number == len(self._series_keys):
            self._series_keys.append(series)
            self._tag_count += len(series.tags)
        return number

    def field_number(self, name: str, field_type: FieldType) -> int:
        field = (name, field_type)
        number = self._fields.setdefault(field, len(self._fields))
        if number == len(self._field_names):
            self._field_names.append(field)
        return number

    def field_series_number(self, series: int, field: int) -> int:
        """The number of the field series of a series and a field, both given by number."""
        numbers = self._field_series
        return numbers.setdefault((series << _FIELD_BITS) | field, len(numbers))

    def field_series_numbers(self, series: Sequence[int], fields: Sequence[int]) -> npt.NDArray[np.int32]:
        """The same for every pair: one row per series, one column per field."""
        known = self._field_series
        pairs = ((series_number << _FIELD_BITS) | field for series_number in series for field in fields)
        numbers = [known.setdefault(pair, len(known)) for pair in pairs]
        return np.array(numbers, np.int32).reshape(len(series), len(fields))

    def field_series(self) -> tuple[FieldSeries, ...]:
        """All field series in the order of their numbers."""
        low_bits = (1 << _FIELD_BITS) - 1
        series, fields = self._series_keys, self._field_names
        pairs = self._field_series
        return tuple([FieldSeries(series[pair >> _FIELD_BITS], *fields[pair & low_bits]) for pair in pairs])


@dataclass(frozen=True)
class TypedValues:
    """Values of one type: the number of the field series of each, and the index of its line in the group."""

    keys: npt.NDArray[np.int32]
    lines: Longs
    values: pa.Array


@dataclass(frozen=True)
class LineGroup:
    """Lines: the start of each in the body, its number, time and text before the time (large_binary); and values."""

    starts: Longs
    numbers: Longs
    times_ns: Longs
    prefixes: pa.Array
    values: dict[FieldType, TypedValues]


class SingleLines:
    """Collects lines that were parsed one by one, and makes one group of them."""

    def __init__(self, numbers: SeriesNumbers) -> None:
        self._numbers = numbers
        self._rows: list[tuple[int, int, int, bytes]] = []
        self._values: dict[FieldType, _ValueLists] = {field_type: ([], [], []) for field_type in FieldType}
        self._value_count = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def memory_bytes(self) -> int:
        return _LINE_BYTES * len(self._rows) + _VALUE_BYTES * self._value_count

    def add(self, start: int, number: int, time_ns: int, line: Line) -> None:
        row = len(self._rows)
        self._rows.append((start, number, time_ns, line.prefix))
        series = self._numbers.series_number(line.series)
        self._value_count += len(line.fields)
        for name, field_type, value in line.fields:
            keys, lines, values = self._values[field_type]
            keys.append(self._numbers.field_series_number(series, self._numbers.field_number(name, field_type)))
            lines.append(row)
            values.append(value)

    def group(self) -> LineGroup:
        starts, numbers, times, prefixes = zip(*self._rows, strict=True) if self._rows else ((), (), (), ())
        return LineGroup(
            np.array(starts, np.int64),
            np.array(numbers, np.int64),
            np.array(times, np.int64),
            pa.array(prefixes, pa.large_binary()),
            {
                field_type: TypedValues(
                    np.array(keys, np.int32),
                    np.array(lines, np.int64),
                    pa.array(values, VALUE_TYPES[field_type]),
                )
                for field_type, (keys, lines, values) in self._values.items()
                if keys
            },
        )


def build_points(groups: Sequence[LineGroup], series: SeriesNumbers) -> Points:
    """All lines of `groups` in the order of their starts. `series` numbered their series."""
    order: Longs = np.argsort(np.concatenate([group.starts for group in groups]), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    times = np.concatenate([group.times_ns for group in groups])[order]
    text, offsets = print_lines([_in_order(pa.concat_arrays([group.prefixes for group in groups]), order)], times)
    numbers = np.concatenate([group.numbers for group in groups])[order]
    return Points(text, offsets, numbers, times, series.field_series(), _columns(groups, rank))


def joined_by_line(texts: pa.Array, firsts: Longs) -> pa.Array:
    """Join the texts (large_string, each begins with a comma) of each line. The first comma becomes a space.

    `firsts` is where each line begins in `texts`. These are contiguous in memory, so only the offsets between lines are
    kept.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    characters = np.frombuffer(data, np.uint8).copy() if data is not None else np.zeros(0, np.uint8)
    starts = bounds[firsts]
    characters[starts] = ord(" ")
    ends = np.append(starts, bounds[-1])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(characters)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(firsts), buffers)


def print_lines(parts: Sequence[pa.Array], times: Longs) -> tuple[bytes, Longs]:
    """The text of lines, and their offsets. A line is the `parts` (large_binary), a space, its time and a line feed."""
    if not len(times):
        return b"", np.zeros(1, np.int64)
    stamps = pa.array(times).cast(pa.large_string()).cast(pa.large_binary())
    space, line_feed, nothing = (pa.scalar(part, pa.large_binary()) for part in (b" ", b"\n", b""))
    joined = pc.binary_join_element_wise(*parts, space, stamps, line_feed, nothing)
    _, offsets, data = joined.buffers()
    ends = np.frombuffer(offsets, np.int64, len(joined) + 1)
    return data[: int(ends[-1])].to_pybytes(), ends


def _columns(groups: Sequence[LineGroup], rank: Longs) -> tuple[ValueColumn, ...]:
    firsts = np.cumsum([0] + [len(group.starts) for group in groups])
    columns = []
    for field_type in FieldType:
        numbered = zip(firsts, groups, strict=False)
        parts = [(int(first), group.values[field_type]) for first, group in numbered if field_type in group.values]
        if not parts:
            continue
        lines = np.concatenate([rank[values.lines + first] for first, values in parts])
        keys = np.concatenate([values.keys for _, values in parts])
        values = pa.concat_arrays([values.values for _, values in parts])
        order = np.argsort(lines, kind="stable")
        columns.append(ValueColumn(field_type, keys[order], lines[order].astype(np.int32), _in_order(values, order)))
    return tuple(columns)


def _in_order(values: pa.Array, order: Longs) -> pa.Array:
    if len(order) < 2 or bool((np.diff(order) == 1).all()):
        return values
    return values.take(pa.array(order))
