"""The columns of an answer and their names, decided from the plan before the first row.

One pure function serves every format, the response headers and the docs, so that a clash of names
(a tag called `_value`, a field called like a tag) is settled the same way everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from service.domain.schema import FieldType
from service.domain.selection import ReadPlan


class Format(StrEnum):
    """The formats of an answer, by the value of `format=`."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def columnar(self) -> bool:
        """Whether each column has one type, written into the file's schema."""
        return self in (Format.PARQUET, Format.ARROW)


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


class Shape(StrEnum):
    """Long: a row per value. Wide: a row per series and time, with a column per field."""

    LONG = "long"
    WIDE = "wide"


class Role(StrEnum):
    """What stands in a column."""

    TIME = "time"
    VALUE = "value"
    FIELD_NAME = "field name"
    MEASUREMENT = "measurement"
    TAG = "tag"
    FIELD = "field"


@dataclass(frozen=True)
class Column:
    """`source` is the key of a tag, the name of a field, else empty. `type` is that of values, when they have one."""

    name: str
    role: Role
    source: str = ""
    type: FieldType | None = None

    @property
    def always(self) -> bool:
        """Whether every row has it."""
        return self.role not in (Role.TAG, Role.FIELD)


def columns(plan: ReadPlan, shape: Shape, form: Format) -> tuple[Column, ...]:
    """The columns in the order of the answer, with names that differ.

    Long: time, value, field, measurement, tags by key; a columnar format with several value types
    has a value column for each (`_value_float`, ...). Wide: time, measurement, tags by key, fields by
    name; a field of several types has a column for each (`name.float`, ...) in every format.

    A name taken by an earlier column is led by `tag.` or `field.`, as often as it takes; whoever can
    keep its own name does.
    """
    wanted = list(_long(plan, form) if shape is Shape.LONG else _wide(plan))
    taken: set[str] = set()
    keeps = []
    for column in wanted:
        keeps.append(column.name not in taken)
        taken.add(column.name)
    return tuple(column if kept else _renamed(column, taken) for column, kept in zip(wanted, keeps, strict=True))


def _renamed(column: Column, taken: set[str]) -> Column:
    name = column.name
    while name in taken:
        name = f"{column.role.value}.{name}"
    taken.add(name)
    return replace(column, name=name)


def _long(plan: ReadPlan, form: Format) -> Iterator[Column]:
    yield Column("_time", Role.TIME)
    kinds = plan.value_types or (FieldType.FLOAT,)
    if not form.columnar:
        yield Column("_value", Role.VALUE)
    elif len(kinds) == 1:
        yield Column("_value", Role.VALUE, type=kinds[0])
    else:
        yield from (Column(f"_value_{kind}", Role.VALUE, type=kind) for kind in kinds)
    yield Column("_field", Role.FIELD_NAME)
    yield Column("_measurement", Role.MEASUREMENT)
    yield from _tags(plan)


def _wide(plan: ReadPlan) -> Iterator[Column]:
    yield Column("_time", Role.TIME)
    yield Column("_measurement", Role.MEASUREMENT)
    yield from _tags(plan)
    for field, kinds in plan.field_types.items():
        for kind in kinds:
            yield Column(field if len(kinds) == 1 else f"{field}.{kind}", Role.FIELD, field, kind)


def _tags(plan: ReadPlan) -> Iterator[Column]:
    return (Column(tag, Role.TAG, tag) for tag in plan.tags)
