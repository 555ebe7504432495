"""Puts parsed lines together as `Points`, whichever road each line came by.

Groups arrive in any order; the lines leave in the order of the body, each with its time print_lines in
nanoseconds, and every series is resolved once.
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
_SERIES_BYTES, _TAG_BYTES, _KEY_BYTES = 1_000, 250, 500
_LINE_BYTES, _VALUE_BYTES = 500, 120
"""What a series, each of its tags, a field of a series, a single line and each of its values hold in memory: measured, rounded up."""


class SeriesNumbers:
    """Numbers for series and for their fields, given once each and in the order of arrival."""

    def __init__(self) -> None:
        self.known: dict[bytes, WrittenSeries] = {}
        """Series by their text, as far as seen."""
        self._series: dict[SeriesKey, int] = {}
        self._series_keys: list[SeriesKey] = []
        self._fields: dict[tuple[str, FieldType], int] = {}
        self._field_names: list[tuple[str, FieldType]] = []
        self._keys: dict[int, int] = {}
        self._tag_count = 0

    @property
    def memory_bytes(self) -> int:
        """About what the names hold, once they are told as `FieldSeries`s too."""
        names = len(self._keys) + len(self._field_names)
        return _SERIES_BYTES * len(self._series_keys) + _TAG_BYTES * self._tag_count + _KEY_BYTES * names

    def series(self, series: SeriesKey) -> int:
        number = self._series.setdefault(series, len(self._series))
        if number == len(self._series_keys):
            self._series_keys.append(series)
            self._tag_count += len(series.tags)
        return number

    def field(self, name: str, kind: FieldType) -> int:
        pair = (name, kind)
        number = self._fields.setdefault(pair, len(self._fields))
        if number == len(self._field_names):
            self._field_names.append(pair)
        return number

    def key(self, series: int, field: int) -> int:
        keys = self._keys
        return keys.setdefault((series << _FIELD_BITS) | field, len(keys))

    def table(self, series: Sequence[int], fields: Sequence[int]) -> npt.NDArray[np.int32]:
        """Key numbers, one row a series and one column a field."""
        keys = self._keys
        numbers = [keys.setdefault((one << _FIELD_BITS) | field, len(keys)) for one in series for field in fields]
        return np.array(numbers, np.int32).reshape(len(series), len(fields))

    def all(self) -> tuple[FieldSeries, ...]:
        low = (1 << _FIELD_BITS) - 1
        series, fields = self._series_keys, self._field_names
        return tuple([FieldSeries(series[pair >> _FIELD_BITS], *fields[pair & low]) for pair in self._keys])


@dataclass(frozen=True)
class TypedValues:
    """TypedValues of one type: for each its key, and its line as an index into the group."""

    keys: npt.NDArray[np.int32]
    lines: Longs
    values: pa.Array


@dataclass(frozen=True)
class LineGroup:
    """Lines with their start in the body, number, time, and the text before the time (large_binary)."""

    starts: Longs
    numbers: Longs
    times_ns: Longs
    prefixes: pa.Array
    values: dict[FieldType, TypedValues]


class SingleLines:
    """Collects single lines as one group."""

    def __init__(self, keys: SeriesNumbers) -> None:
        self._keys = keys
        self._rows: list[tuple[int, int, int, bytes]] = []
        self._values: dict[FieldType, tuple[list[int], list[int], list[Value]]] = {kind: ([], [], []) for kind in FieldType}
        self._value_count = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def memory_bytes(self) -> int:
        return _LINE_BYTES * len(self._rows) + _VALUE_BYTES * self._value_count

    def add(self, start: int, number: int, time_ns: int, line: Line) -> None:
        row = len(self._rows)
        self._rows.append((start, number, time_ns, line.prefix))
        series = self._keys.series(line.series)
        self._value_count += len(line.fields)
        for name, kind, value in line.fields:
            keys, lines, values = self._values[kind]
            keys.append(self._keys.key(series, self._keys.field(name, kind)))
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
                kind: TypedValues(np.array(keys, np.int32), np.array(lines, np.int64), pa.array(values, VALUE_TYPES[kind]))
                for kind, (keys, lines, values) in self._values.items()
                if keys
            },
        )


def build_points(groups: Sequence[LineGroup], keys: SeriesNumbers) -> Points:
    """All lines of `groups` in the order of their starts."""
    order: Longs = np.argsort(np.concatenate([group.starts for group in groups]), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    times = np.concatenate([group.times_ns for group in groups])[order]
    text, offsets = print_lines([_in_order(pa.concat_arrays([group.prefixes for group in groups]), order)], times)
    numbers = np.concatenate([group.numbers for group in groups])[order]
    return Points(text, offsets, numbers, times, keys.all(), _columns(groups, rank))


def print_lines(parts: Sequence[pa.Array], times: Longs) -> tuple[bytes, Longs]:
    """Lines and their offsets: for each time the `parts` before it (large_binary), the time, and a line feed."""
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
    for kind in FieldType:
        parts = [(int(first), group.values[kind]) for first, group in zip(firsts, groups, strict=False) if kind in group.values]
        if not parts:
            continue
        lines = np.concatenate([rank[values.lines + first] for first, values in parts])
        keys = np.concatenate([values.keys for _, values in parts])
        values = pa.concat_arrays([values.values for _, values in parts])
        order = np.argsort(lines, kind="stable")
        columns.append(ValueColumn(kind, keys[order], lines[order].astype(np.int32), _in_order(values, order)))
    return tuple(columns)


def _in_order(values: pa.Array, order: Longs) -> pa.Array:
    if len(order) < 2 or bool((np.diff(order) == 1).all()):
        return values
    return values.take(pa.array(order))
