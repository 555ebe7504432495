"""Rows as tests write and compare them: plain tuples in which no two different values look alike.

`collect` also holds every reading against the promises of service.frames.frame, so that each test of
a store checks them on the way.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import Selection, Windows
from service.domain.timerange import TimeRange, parse_time
from service.frames.frame import FIXED_COLUMNS, VALUE_TYPES, Reading, long_schema
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Store, WriteOutcome

Value = float | int | str | bool
Tags = tuple[tuple[str, str], ...]
_KINDS = {kind: name for name, kind in VALUE_TYPES.items()}


class Row(NamedTuple):
    """One value. `shown` is the value's repr: exact for floats, and -0.0 is not 0.0."""

    measurement: str
    tags: Tags
    field: str
    time_ns: int
    type: str
    shown: str


def at(text: str) -> int:
    """Nanoseconds of an RFC 3339 time."""
    return parse_time(text, "at")


def span(start: str, stop: str) -> TimeRange:
    return TimeRange(at(start), at(stop))


def row(
    measurement: str, tags: dict[str, str], field: str, time: str | int, value: Value, type: str | None = None
) -> Row:
    """An expected row. The type follows from the value, but for unsigned, which has to be said."""
    kinds: dict[type, FieldType] = {
        bool: FieldType.BOOLEAN,
        int: FieldType.INTEGER,
        float: FieldType.FLOAT,
        str: FieldType.STRING,
    }
    time_ns = at(time) if isinstance(time, str) else time
    return Row(
        measurement, tuple(sorted(tags.items())), field, time_ns, type or kinds[value.__class__].value, repr(value)
    )


def write(store: Store, bucket: str, lines: str, precision: str = "ns") -> WriteOutcome:
    """Store line protocol that has to parse, as the HTTP route does."""
    parsed = parse_lines(lines.encode(), precision, time.time_ns())
    assert parsed.bad == ()
    return store.write(bucket, parsed.points)


def store_all(store: Store, bucket: str, lines: str) -> None:
    """Store lines none of which may be refused."""
    outcome = write(store, bucket, lines)
    assert outcome == WriteOutcome(len([line for line in lines.splitlines() if line]))


def read(
    store: Store,
    bucket: str,
    span: TimeRange,
    windows: Windows | None = None,
    *,
    complete_rows: bool = False,
    **filters: tuple[object, ...],
) -> list[Row]:
    """The rows of one read, sorted."""
    selection = Selection(bucket, span, windows, complete_rows=complete_rows, **filters)  # type: ignore[arg-type]
    return collect(store.read(selection), complete_rows=complete_rows)


def collect(reading: Reading, *, complete_rows: bool = False) -> list[Row]:
    """All rows, sorted, with the promises of frames and blocks checked on the way."""
    rows: list[Row] = []
    newest: dict[tuple[str, Tags, str], int] = {}
    seen: set[tuple[str, Tags, int]] = set()
    planned = {
        (one.name, field.name, kind.value)
        for one in reading.plan.measurements
        for field in one.fields
        for kind in field.output
    }
    try:
        for block in reading.blocks:
            inside: set[tuple[str, Tags, int]] = set()
            for frame in block:
                for one in rows_of(frame):
                    series = one[:3]
                    assert newest.get(series, one.time_ns - 1) < one.time_ns, f"times do not ascend in {series}"
                    newest[series] = one.time_ns
                    assert (one.measurement, one.field, one.type) in planned, f"{one} is not in the plan"
                    inside.add((one.measurement, one.tags, one.time_ns))
                    rows.append(one)
            assert not (complete_rows and inside & seen), "a wide row is split over two blocks"
            seen |= inside
    finally:
        reading.cancel()
    return sorted(rows)


def rows_of(frame: pa.RecordBatch) -> Iterable[Row]:
    """The rows of a long frame whose schema has to be the promised one."""
    names = frame.schema.names
    assert tuple(names[:4]) == FIXED_COLUMNS
    assert names[4:] == sorted(names[4:])
    kind = _KINDS[frame.schema.field(1).type]
    assert frame.schema.types == long_schema(kind, tuple(names[4:])).types
    assert all(frame.column(index).null_count == 0 for index in range(4))
    frame.validate(full=True)
    times, values, fields, measurements, *tags = (_plain(column) for column in frame.columns)
    for index, time_ns in enumerate(times):
        held = tuple(
            (key, column[index]) for key, column in zip(names[4:], tags, strict=True) if column[index] is not None
        )
        yield Row(measurements[index], held, fields[index], time_ns, kind.value, repr(values[index]))


def _plain(column: pa.Array) -> list[object]:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()  # type: ignore[no-any-return]
