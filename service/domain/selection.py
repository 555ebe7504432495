"""What to read, in the same words for every store; and the plan of a read, made of a selection and a schema.

The plan decides which fields are read with which function, and which are skipped. So both stores skip, name and type
fields alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from service.domain.durations import Length
from service.domain.schema import FieldType, MeasurementSchema
from service.domain.timerange import TimeRange
from service.domain.unknown_names import UnknownName, unknown_names
from service.domain.unreadable import NameKind, listed
from service.errors import InvalidParameter, UnreadableText


class Fn(StrEnum):
    """The window functions of Flux, which take and give the types that Flux takes and gives (2.9.1); and `m4`.

    `m4` gives of each window up to four points of a series, each once and with its own time, ascending: the first, the
    last, the earliest of the lowest and the earliest of the highest. A chart whose pixel columns are the windows looks
    like one of all points (Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014).
    """

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    FIRST = "first"
    LAST = "last"
    MEDIAN = "median"
    SPREAD = "spread"
    M4 = "m4"

    @property
    def most_rows(self) -> int:
        """How many rows a window of a series has at most."""
        return 4 if self is Fn.M4 else 1

    @property
    def numeric_only(self) -> bool:
        return self not in (Fn.COUNT, Fn.FIRST, Fn.LAST)

    def output_type(self, input_type: FieldType) -> FieldType:
        """The type of the result: float of mean and median, integer of count, otherwise the input type."""
        if self in (Fn.MEAN, Fn.MEDIAN):
            return FieldType.FLOAT
        return FieldType.INTEGER if self is Fn.COUNT else input_type


def one_row_function(fn: Fn, parameter: str) -> Fn:
    """`fn`, where each window has to become one row. Raises InvalidParameter: it gives several."""
    if fn.most_rows > 1:
        allowed = [other.value for other in Fn if other.most_rows == 1]
        reason = f"fn={fn} gives several points of a window, for charts. Allowed: {', '.join(allowed)}."
        raise InvalidParameter(parameter, reason, allowed=allowed)
    return fn


class Stamp(StrEnum):
    """Which end of its window, cut to the range, is the time of a row; or with `m4` the time of the point itself."""

    START = "start"
    STOP = "stop"
    POINT = "point"


@dataclass(frozen=True)
class Windows:
    """Aggregate windows of `every_ns`, on the epoch grid of the local clock of `zone` (IANA).

    With `months`, `every_ns` is 0, and each window is so many months of that clock's calendar, counted from January
    1970, as those of Flux are. The rows of `Fn.M4`, and of no other function, have the times of their points: whatever
    `stamp` says, it is `Stamp.POINT` then.
    """

    every_ns: int
    fn: Fn = Fn.MEAN
    zone: str = "UTC"
    months: int = 0
    stamp: Stamp = Stamp.STOP

    def __post_init__(self) -> None:
        Length(self.every_ns, self.months)
        if self.fn is Fn.M4:
            object.__setattr__(self, "stamp", Stamp.POINT)
        elif self.stamp is Stamp.POINT:
            raise ValueError(f"{self.fn} gives no points, so its rows have no times of points")


@dataclass(frozen=True)
class Selection:
    """Bucket, range and filters. An empty filter selects everything; values of one filter mean "or".

    `tags` holds a pair of key and accepted values for each filtered key; a series without the tag does not match.
    `windows` None: raw points. `complete_rows` asks for blocks of complete rows (see `service.frames.frame`), as a wide
    answer needs.
    """

    bucket: str
    span: TimeRange
    windows: Windows | None = None
    measurements: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    complete_rows: bool = False


@dataclass(frozen=True)
class FieldPlan:
    """A field to read. `types` are the stored types that are read: several when it changed between shard groups.

    `fn` None: raw values. `output` lists the types of the result. Several types under a numeric function are computed
    as floats. With `first`, `last` and raw values each value keeps its type, and `output` lists all of them.
    """

    name: str
    types: tuple[FieldType, ...]
    fn: Fn | None
    output: tuple[FieldType, ...]


@dataclass(frozen=True)
class MeasurementPlan:
    """A measurement to read: its tag keys, sorted, and the fields that are read of it."""

    name: str
    tags: tuple[str, ...]
    fields: tuple[FieldPlan, ...]


@dataclass(frozen=True)
class SkippedField:
    """A field, or one of its types, that the function cannot be applied to."""

    measurement: str
    field: str
    type: FieldType


@dataclass(frozen=True)
class ReadPlan:
    """The plan of a read, decided before the first row. Measurements and fields are sorted by name.

    `unknown`: names in the filters that the bucket does not know; no value of a tag is among them.
    """

    measurements: tuple[MeasurementPlan, ...]
    skipped: tuple[SkippedField, ...] = ()
    unknown: tuple[UnknownName, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """Tag keys of all measurements, sorted."""
        return tuple(sorted({tag for measurement in self.measurements for tag in measurement.tags}))

    @property
    def value_types(self) -> tuple[FieldType, ...]:
        """The types that `_value` can have in long form, in the order of `FieldType`."""
        fields = (field for measurement in self.measurements for field in measurement.fields)
        present = {field_type for field in fields for field_type in field.output}
        return tuple(field_type for field_type in FieldType if field_type in present)

    @property
    def field_types(self) -> dict[str, tuple[FieldType, ...]]:
        """The output types of each field name in all measurements, sorted by name: the columns of a wide read."""
        types: dict[str, set[FieldType]] = {}
        for measurement in self.measurements:
            for field in measurement.fields:
                types.setdefault(field.name, set()).update(field.output)
        return {name: tuple(sorted(types[name], key=list(FieldType).index)) for name in sorted(types)}


def plan_read(selection: Selection, schema: Iterable[MeasurementSchema]) -> ReadPlan:
    """The plan of `selection` in a bucket with this schema.

    Under a numeric function, text and boolean fields are skipped and listed as such; one that `selection.fields` names
    is read with `last` instead. A measurement without a field to read, or without a filtered tag key, is not in the
    plan. No series has an empty tag value, so a filter that accepts nothing else selects nothing.

    Raises UnreadableText: something is selected whose name is no Unicode text.
    """
    schema = list(schema)
    wanted_tags = {key for key, _ in selection.tags}
    unknown = unknown_names(schema, selection.measurements, selection.fields, wanted_tags)
    if not all(any(values) for _, values in selection.tags):
        return ReadPlan((), unknown=unknown)
    measurements, skipped = [], []
    for measurement in sorted(schema, key=lambda measurement: measurement.name):
        if selection.measurements and measurement.name not in selection.measurements:
            continue
        if not wanted_tags <= set(measurement.tags):
            continue
        _check_readable(measurement, selection)
        fields = []
        for name, types in sorted(measurement.fields.items()):
            if selection.fields and name not in selection.fields:
                continue
            field, skipped_types = _plan_field(name, types, selection)
            skipped += [SkippedField(measurement.name, name, field_type) for field_type in skipped_types]
            if field is not None:
                fields.append(field)
        if fields:
            measurements.append(MeasurementPlan(measurement.name, measurement.tags, tuple(fields)))
    return ReadPlan(tuple(measurements), tuple(skipped), unknown)


def _check_readable(measurement: MeasurementSchema, selection: Selection) -> None:
    """Rows without a tag would look like those of another series; without a field they would not be complete."""
    is_selected = not selection.fields or not measurement.fields.keys().isdisjoint(selection.fields)
    names = [name for name in measurement.unreadable if name.kind is not NameKind.FIELD or not selection.fields]
    if is_selected and names:
        finding = f"Not UTF-8, so no answer can carry it: {listed(measurement.name, names)}."
        raise UnreadableText(finding, measurement=measurement.name)


def _plan_field(
    name: str,
    types: tuple[FieldType, ...],
    selection: Selection,
) -> tuple[FieldPlan | None, tuple[FieldType, ...]]:
    """How a field is read, None when it is not; and those of its types that are skipped."""
    if selection.windows is None:
        return FieldPlan(name, types, None, types), ()
    fn = selection.windows.fn
    numeric = tuple(field_type for field_type in types if field_type.numeric)
    if not fn.numeric_only or (not numeric and name in selection.fields):
        applied = Fn.LAST if fn.numeric_only else fn
        output = (FieldType.INTEGER,) if applied is Fn.COUNT else types
        return FieldPlan(name, types, applied, output), ()
    skipped = tuple(field_type for field_type in types if not field_type.numeric)
    if not numeric:
        return None, skipped
    input_type = numeric[0] if len(numeric) == 1 else FieldType.FLOAT
    return FieldPlan(name, numeric, fn, (fn.output_type(input_type),)), skipped
