"""Blocks made from plain rows, and the strategies that make hostile ones."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.selection import FieldPlan, MeasurementPlan, ReadPlan
from service.domain.timerange import TimeRange
from service.encoding.encoders import Format, Layout, Shape
from service.frames.frame import TEXT_CODES, TIME, VALUE_TYPES, Block, long_schema

Value = float | int | str | bool


@dataclass(frozen=True)
class Row:
    """A point as a test says it. `tags` holds the tags that are there."""

    time_ns: int
    value: Value
    field: str = "f"
    measurement: str = "m"
    tags: tuple[tuple[str, str], ...] = ()
    type: FieldType = FieldType.FLOAT


def frame(rows: list[Row], tag_keys: tuple[str, ...]) -> pa.RecordBatch:
    """Rows of one measurement and type as a long frame."""
    kind = rows[0].type
    columns = [
        pa.array([row.time_ns for row in rows], pa.int64()).cast(TIME),
        pa.array([row.value for row in rows], VALUE_TYPES[kind]),
        pa.array([row.field for row in rows], pa.string()).dictionary_encode().cast(TEXT_CODES),
        pa.array([row.measurement for row in rows], pa.string()).dictionary_encode().cast(TEXT_CODES),
    ]
    columns += [
        pa.array([dict(row.tags).get(key) for row in rows], pa.string()).dictionary_encode().cast(TEXT_CODES)
        for key in tag_keys
    ]
    return pa.RecordBatch.from_arrays(columns, schema=long_schema(kind, tag_keys))


def plan_of(rows: Iterable[Row]) -> ReadPlan:
    """A raw plan that just covers `rows`."""
    types: dict[str, dict[str, set[FieldType]]] = {}
    tags: dict[str, set[str]] = {}
    for row in rows:
        types.setdefault(row.measurement, {}).setdefault(row.field, set()).add(row.type)
        tags.setdefault(row.measurement, set()).update(key for key, _ in row.tags)
    return ReadPlan(
        tuple(
            MeasurementPlan(
                name,
                tuple(sorted(tags[name])),
                tuple(_field(field, found) for field, found in sorted(types[name].items())),
            )
            for name in sorted(types)
        )
    )


def _field(name: str, found: set[FieldType]) -> FieldPlan:
    types = tuple(kind for kind in FieldType if kind in found)
    return FieldPlan(name, types, None, types)


def block_of(rows: list[Row], per_field: bool = True) -> Block:
    """Rows as frames: one per measurement, type and (with `per_field`) field, in the order given."""
    plan = {one.name: one.tags for one in plan_of(rows).measurements}
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.measurement, row.type, row.field if per_field else ""), []).append(row)
    return tuple(frame(some, plan[some[0].measurement]) for some in groups.values())


def layout(form: Format, shape: Shape = Shape.LONG, zone: str = "UTC") -> Layout:
    return Layout(form, shape, zone, "Power Consumption", TimeRange(0, 3_600_000_000_000), "raw")


names = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
    st.sampled_from(["a,b", 'say "hi"', "new\nline", "cr\r", " lead", "\\", "é😀"]),
    st.sampled_from(["_value", "_time", "_field", "_measurement", "tag._value", "f", "m", "f.float"]),
)
texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(["", '"', "\r\n", "\x00", "\\u0041", "\x1f\x7f", "true", "7"]),
)
_VALUES = {
    FieldType.FLOAT: st.one_of(st.floats(), st.integers(-(10**17), 10**17).map(float)),
    FieldType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    FieldType.UNSIGNED: st.integers(0, 2**64 - 1),
    FieldType.STRING: texts,
    FieldType.BOOLEAN: st.booleans(),
}
times = st.one_of(
    st.integers(-(2**63) + 2, 2**63 - 2),
    st.integers(0, 5).map(lambda second: second * 1_000_000_000),
    st.integers(0, 3),
)


@st.composite
def hostile_rows(draw: st.DrawFn) -> list[Row]:
    """Rows of a few measurements, series and fields.

    Each (series, field, time) has one value, times ascend within it."""
    found: dict[tuple[object, ...], Row] = {}
    measurements = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    keys = draw(st.lists(names, max_size=3, unique=True))
    fields = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    moments = draw(st.lists(times, min_size=1, max_size=4, unique=True))
    for _ in range(draw(st.integers(1, 12))):
        tags = tuple((key, draw(names)) for key in sorted(keys) if draw(st.booleans()))
        kind = draw(st.sampled_from(list(FieldType)))
        field, measurement = draw(st.sampled_from(fields)), draw(st.sampled_from(measurements))
        row = Row(draw(st.sampled_from(moments)), draw(_VALUES[kind]), field, measurement, tags, kind)
        found.setdefault((row.measurement, row.tags, row.field, row.time_ns), row)
    return sorted(found.values(), key=lambda row: (row.measurement, row.tags, row.field, row.time_ns))
