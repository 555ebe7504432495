"""The columns of an answer and their names, decided from the plan before the first row.

One pure function decides for every format, the response headers and the docs. So a clash of names (a tag named
`_value`, a field named like a tag) has the same result everywhere.
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
    ARROW_FILE = "arrow_file"
    XLSX = "xlsx"
    LINE_PROTOCOL = "lineprotocol"
    ANNOTATED_CSV = "annotated_csv"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def columnar(self) -> bool:
        """Whether each column has one type, which the schema of the file holds."""
        return self in (Format.PARQUET, Format.ARROW, Format.ARROW_FILE)

    @property
    def is_file(self) -> bool:
        """Whether people save the answer as a file, which is packed as far as it can be."""
        return self.columnar or self is Format.XLSX

    @property
    def of_points(self) -> bool:
        """Whether it holds points as InfluxDB takes them again: raw ones, in a form that no parameter changes."""
        return self in (Format.LINE_PROTOCOL, Format.ANNOTATED_CSV)


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.ARROW_FILE: "application/vnd.apache.arrow.file",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.LINE_PROTOCOL: "application/vnd.influxdb.line-protocol; charset=utf-8",
    Format.ANNOTATED_CSV: "application/csv; charset=utf-8",
}


class Shape(StrEnum):
    """Long: one row per value. Wide: one row per series and time, with one column per field."""

    LONG = "long"
    WIDE = "wide"
    TABLE = "table"
    """One row per time, one column per series. Its columns follow from the rows (`service.encoding.series_columns`)."""


class Role(StrEnum):
    """What a column holds."""

    TIME = "time"
    VALUE = "value"
    FIELD_NAME = "field name"
    MEASUREMENT = "measurement"
    TAG = "tag"
    FIELD = "field"


@dataclass(frozen=True)
class Column:
    """`source` is the tag key or field name of a column, else empty. `type` is set when its values have one type."""

    name: str
    role: Role
    source: str = ""
    type: FieldType | None = None

    @property
    def always(self) -> bool:
        """Whether every row has a value in it."""
        return self.role not in (Role.TAG, Role.FIELD)


def columns(plan: ReadPlan, shape: Shape, output: Format) -> tuple[Column, ...]:
    """The columns of a long or wide answer in their order, with distinct names.

    Long: time, value, field, measurement, tags by key. A columnar format has one value column for each type of value
    (`_value_float`, ...) when there are several. Wide: time, measurement, tags by key, fields by name. A field of
    several types has one column for each (`name.float`, ...) in every format.

    A column whose name an earlier one has gets the prefix `tag.` or `field.`, as often as needed; all others keep
    their names.
    """
    wanted = list(_long(plan, output) if shape is Shape.LONG else _wide(plan))
    used: set[str] = set()
    keeps_name = []
    for column in wanted:
        keeps_name.append(column.name not in used)
        used.add(column.name)
    return tuple(column if keeps else _renamed(column, used) for column, keeps in zip(wanted, keeps_name, strict=True))


def _renamed(column: Column, used: set[str]) -> Column:
    name = column.name
    while name in used:
        name = f"{column.role.value}.{name}"
    used.add(name)
    return replace(column, name=name)


def _long(plan: ReadPlan, output: Format) -> Iterator[Column]:
    yield Column("_time", Role.TIME)
    types = plan.value_types or (FieldType.FLOAT,)
    if not output.columnar:
        yield Column("_value", Role.VALUE)
    elif len(types) == 1:
        yield Column("_value", Role.VALUE, type=types[0])
    else:
        yield from (Column(f"_value_{field_type}", Role.VALUE, type=field_type) for field_type in types)
    yield Column("_field", Role.FIELD_NAME)
    yield Column("_measurement", Role.MEASUREMENT)
    yield from _tags(plan)


def _wide(plan: ReadPlan) -> Iterator[Column]:
    yield Column("_time", Role.TIME)
    yield Column("_measurement", Role.MEASUREMENT)
    yield from _tags(plan)
    for field, types in plan.field_types.items():
        for field_type in types:
            yield Column(field if len(types) == 1 else f"{field}.{field_type}", Role.FIELD, field, field_type)


def _tags(plan: ReadPlan) -> Iterator[Column]:
    return (Column(tag, Role.TAG, tag) for tag in plan.tags)
