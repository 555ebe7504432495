"""What to read, said once for every store; and the plan that a selection becomes against a schema.

The plan decides which fields are read with which function and which are left out, so that both
stores skip, name and type the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from service.domain.schema import FieldType, MeasurementSchema
from service.domain.timerange import TimeRange


class Fn(StrEnum):
    """The window functions, with Flux's meaning (facts 7.7)."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    FIRST = "first"
    LAST = "last"
    MEDIAN = "median"
    SPREAD = "spread"

    @property
    def numeric_only(self) -> bool:
        return self not in (Fn.COUNT, Fn.FIRST, Fn.LAST)

    def output_type(self, taken: FieldType) -> FieldType:
        """The type of the result: mean and median float, count integer, the others as taken."""
        if self in (Fn.MEAN, Fn.MEDIAN):
            return FieldType.FLOAT
        return FieldType.INTEGER if self is Fn.COUNT else taken


@dataclass(frozen=True)
class Windows:
    """Aggregate windows of `every_ns`, on the epoch grid of the local clock of `zone` (IANA)."""

    every_ns: int
    fn: Fn = Fn.MEAN
    zone: str = "UTC"


@dataclass(frozen=True)
class Selection:
    """Bucket, range and filters. Empty filters select everything; values within one filter mean "or".

    `tags` holds a pair of key and accepted values for each filtered key; a series without the tag
    does not match. `windows` absent: raw points. `complete_rows` asks for blocks that hold complete
    rows (see `service.frames.frame`), as a wide answer needs.
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
    """One field to read. `types` are the stored types taken (several: it changed between shards).

    `fn` absent: raw. `output` is the type of the values that come out; with several taken types
    and a numeric function all are computed as floats, with `first`, `last` and raw each value
    keeps its own type and `output` lists them all.
    """

    name: str
    types: tuple[FieldType, ...]
    fn: Fn | None
    output: tuple[FieldType, ...]


@dataclass(frozen=True)
class MeasurementPlan:
    name: str
    tags: tuple[str, ...]
    fields: tuple[FieldPlan, ...]


@dataclass(frozen=True)
class SkippedField:
    """A field (or one of its types) that the function cannot be applied to."""

    measurement: str
    field: str
    type: FieldType


@dataclass(frozen=True)
class ReadPlan:
    """What a read does, decided before the first row: measurements and fields sorted by name."""

    measurements: tuple[MeasurementPlan, ...]
    skipped: tuple[SkippedField, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """Tag keys of all measurements, sorted."""
        return tuple(sorted({tag for measurement in self.measurements for tag in measurement.tags}))

    @property
    def value_types(self) -> tuple[FieldType, ...]:
        """Types that can stand in a long `_value`, in the order of `FieldType`."""
        found = {kind for measurement in self.measurements for field in measurement.fields for kind in field.output}
        return tuple(kind for kind in FieldType if kind in found)

    @property
    def field_types(self) -> dict[str, tuple[FieldType, ...]]:
        """Output types by field name over all measurements, sorted by name: the columns of a wide read."""
        found: dict[str, set[FieldType]] = {}
        for measurement in self.measurements:
            for field in measurement.fields:
                found.setdefault(field.name, set()).update(field.output)
        return {name: tuple(kind for kind in FieldType if kind in found[name]) for name in sorted(found)}


def plan_read(selection: Selection, schema: Iterable[MeasurementSchema]) -> ReadPlan:
    """Hold `selection` against what the bucket has.

    Under a numeric function, text and boolean fields are left out and listed as skipped; one that
    `selection.fields` names is answered with `last` instead. A measurement without a field to read
    or without a filtered tag key is left out. No series has an empty tag value, so a filter that accepts
    nothing else leaves everything out.
    """
    if not all(any(values) for _, values in selection.tags):
        return ReadPlan(())
    wanted_tags = {key for key, _ in selection.tags}
    measurements, skipped = [], []
    for measurement in sorted(schema, key=lambda one: one.name):
        if selection.measurements and measurement.name not in selection.measurements:
            continue
        if not wanted_tags <= set(measurement.tags):
            continue
        fields = []
        for name, types in sorted(measurement.fields.items()):
            if selection.fields and name not in selection.fields:
                continue
            planned, left_out = _plan_field(name, types, selection)
            skipped += [SkippedField(measurement.name, name, kind) for kind in left_out]
            if planned is not None:
                fields.append(planned)
        if fields:
            measurements.append(MeasurementPlan(measurement.name, measurement.tags, tuple(fields)))
    return ReadPlan(tuple(measurements), tuple(skipped))


def _plan_field(name: str, types: tuple[FieldType, ...], selection: Selection) -> tuple[FieldPlan | None, tuple[FieldType, ...]]:
    if selection.windows is None:
        return FieldPlan(name, types, None, types), ()
    fn = selection.windows.fn
    numbers = tuple(kind for kind in types if kind.numeric)
    if not fn.numeric_only or (not numbers and name in selection.fields):
        applied = Fn.LAST if fn.numeric_only else fn
        output = (FieldType.INTEGER,) if applied is Fn.COUNT else types
        return FieldPlan(name, types, applied, output), ()
    left_out = tuple(kind for kind in types if not kind.numeric)
    if not numbers:
        return None, left_out
    taken = numbers[0] if len(numbers) == 1 else FieldType.FLOAT
    return FieldPlan(name, numbers, fn, (fn.output_type(taken),)), left_out
