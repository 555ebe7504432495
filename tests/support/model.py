"""The slow, obvious model of a windowed read: one point after the other, no cleverness.

Says what the rows have to be for points of one type a field, on the epoch grid in UTC.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable

from service.domain.schema import FieldType
from service.domain.selection import Fn
from service.domain.timerange import TimeRange
from tests.support.rows import Row, Tags, Value

Point = tuple[str, Tags, str, int, FieldType, Value]
"""Measurement, tags, field, time in ns, type, value."""

_RULES: dict[Fn, Callable[[list[Value]], Value]] = {
    Fn.MEAN: lambda values: sum(values) / len(values),  # type: ignore[arg-type]
    Fn.MIN: min,
    Fn.MAX: max,
    Fn.SUM: sum,  # type: ignore[dict-item]
    Fn.COUNT: len,
    Fn.FIRST: lambda values: values[0],
    Fn.LAST: lambda values: values[-1],
    Fn.MEDIAN: lambda values: float(statistics.median(values)),  # type: ignore[type-var]
    Fn.SPREAD: lambda values: max(values) - min(values),  # type: ignore[operator]
}


def raw_rows(points: Iterable[Point], span: TimeRange) -> list[Row]:
    """The points in `span`; of one series and time, the one written last counts."""
    stored: dict[tuple[str, Tags, str, int], tuple[FieldType, Value]] = {}
    for measurement, tags, field, time_ns, kind, value in points:
        stored[measurement, tags, field, time_ns] = (kind, value)
    return sorted(
        Row(*key, kind.value, repr(value))
        for key, (kind, value) in stored.items()
        if span.start_ns <= key[3] < span.stop_ns
    )


def window_rows(points: Iterable[Point], span: TimeRange, every_ns: int, fn: Fn) -> list[Row]:
    """One row for each window and series with a point, stamped with the window's stop or the range's, if earlier.

    `Fn.M4` gives points instead.
    """
    stored: dict[tuple[str, Tags, str, int], tuple[FieldType, Value]] = {}
    for measurement, tags, field, time_ns, kind, value in points:
        stored[measurement, tags, field, time_ns] = (kind, value)
    if fn is Fn.M4:
        return _corner_rows(stored, span, every_ns)
    held: dict[tuple[str, Tags, str, int, FieldType], list[Value]] = defaultdict(list)
    for (measurement, tags, field, time_ns), (kind, value) in sorted(stored.items(), key=lambda one: one[0]):
        if not span.start_ns <= time_ns < span.stop_ns or (fn.numeric_only and not kind.numeric):
            continue
        stamp_ns = min(time_ns - time_ns % every_ns + every_ns, span.stop_ns)
        held[measurement, tags, field, stamp_ns, kind].append(value)
    rows = []
    for (measurement, tags, field, stamp_ns, kind), values in held.items():
        output = fn.output_type(kind)
        result = _RULES[fn](values)
        rows.append(
            Row(
                measurement,
                tags,
                field,
                stamp_ns,
                output.value,
                repr(float(result) if output is FieldType.FLOAT else result),
            )
        )
    return sorted(rows)


def _corner_rows(
    stored: dict[tuple[str, Tags, str, int], tuple[FieldType, Value]], span: TimeRange, every_ns: int
) -> list[Row]:
    """First, last, lowest and highest point of each window; of several that are lowest or highest, the first one."""
    windows: dict[tuple[str, Tags, str, int], list[tuple[int, FieldType, Value]]] = defaultdict(list)
    for (measurement, tags, field, time_ns), (kind, value) in sorted(stored.items(), key=lambda point: point[0]):
        if span.start_ns <= time_ns < span.stop_ns and kind.numeric:
            windows[measurement, tags, field, time_ns // every_ns].append((time_ns, kind, value))
    return sorted(
        Row(*series, time_ns, kind.value, repr(value))
        for (*series, _), points in windows.items()
        for time_ns, kind, value in {
            points[0],
            points[-1],
            min(points, key=lambda point: point[2]),
            max(points, key=lambda point: point[2]),
        }
    )
