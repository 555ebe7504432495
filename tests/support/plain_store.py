"""A store of plain dictionaries, as slow histories want it: cheap enough for tens of thousands of reads and writes.

It has one type per field. What it answers is the definition of a window, one point after the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from service.domain.schema import Bucket, BucketSpec, FieldType, MeasurementSchema
from service.domain.selected_windows import grids_of
from service.domain.selection import Fn, MeasurementPlan, ReadPlan, Selection, Stamp, plan_read
from service.domain.series import FieldSeries, SeriesKey
from service.domain.timerange import TimeRange
from service.domain.window_blocks import edges_of
from service.errors import UnknownBucket
from service.frames.frame import TIME, VALUE_TYPES, Block, Reading, constant_codes, long_schema
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, WriteBounds, WriteOutcome
from service.stores.row_order import RowOrder

_RULES: dict[Fn, Callable[[list[Any]], Any]] = {
    Fn.MEAN: lambda values: float(sum(values)) / len(values),
    Fn.SUM: sum,
    Fn.COUNT: len,
    Fn.LAST: lambda values: values[-1],
    Fn.MAX: max,
}
Values = dict[FieldSeries, dict[int, Any]]


class PlainStore:
    """`clock`: nanoseconds since 1970; what a retention ends is not shown."""

    name = "plain"

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[Bucket, Values]] = {}

    def bucket(self, name: str) -> Bucket:
        return self._of(name)[0]

    def create_bucket(self, spec: BucketSpec) -> bool:
        if spec.name in self._buckets:
            return False
        bucket = Bucket(spec.name, spec.description, spec.retention_ns, 0, str(len(self._buckets)))
        self._buckets[spec.name] = (bucket, {})
        return True

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        bucket, values = self._of(name)
        oldest_ns = self._oldest_ns(bucket)
        kept = {key: {time: value for time, value in rows.items() if time >= oldest_ns} for key, rows in values.items()}
        self._buckets[name] = (replace(bucket, description=description, retention_ns=retention_ns), kept)

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        fields: dict[str, dict[str, tuple[FieldType, ...]]] = {}
        tags: dict[str, set[str]] = {}
        for key in self._visible(bucket):
            fields.setdefault(key.measurement, {})[key.field] = (key.type,)
            tags.setdefault(key.measurement, set()).update(name for name, _ in key.tags)
        return [MeasurementSchema(name, tuple(sorted(tags[name])), fields[name]) for name in sorted(fields)]

    def read(self, selection: Selection) -> Reading:
        plan = plan_read(selection, self.schema(selection.bucket))
        return Reading(plan, self._blocks(selection, plan, self._visible(selection.bucket)), lambda: None)

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder:
        sections = {
            (measurement.name, field.name): list(FieldType).index(field.output[0])
            for measurement in plan.measurements
            for field in measurement.fields
        }
        return RowOrder(sections, lambda _keys, tags, field: (tags, field), has_runs=False)

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        _, values = self._of(bucket)
        for column in points.columns:
            for key, line, value in zip(column.keys, column.lines, column.values.to_pylist(), strict=True):
                values.setdefault(points.keys[key], {})[int(points.times_ns[line])] = value
        return WriteOutcome(len(points))

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        for key, rows in self._of(bucket)[1].items():
            if key.key == series:
                for time_ns in [time for time in rows if span.start_ns <= time < span.stop_ns]:
                    del rows[time_ns]

    def close(self) -> None:
        self._buckets.clear()

    def _of(self, name: str) -> tuple[Bucket, Values]:
        if name not in self._buckets:
            raise UnknownBucket(name, [])
        return self._buckets[name]

    def _oldest_ns(self, bucket: Bucket) -> int:
        return self._clock() - bucket.retention_ns if bucket.retention_ns else -(2**62)

    def _visible(self, name: str) -> Values:
        bucket, values = self._of(name)
        oldest_ns = self._oldest_ns(bucket)
        seen = {key: {time: value for time, value in rows.items() if time >= oldest_ns} for key, rows in values.items()}
        return {key: rows for key, rows in seen.items() if rows}

    def _blocks(self, selection: Selection, plan: ReadPlan, values: Values) -> Iterator[Block]:
        windows = selection.windows
        assert windows is not None
        for measurement in plan.measurements:
            fields = {field.name: field for field in measurement.fields}
            keys = [key for key in values if key.measurement == measurement.name and key.field in fields]
            matching = [key for key in keys if all(dict(key.tags).get(tag) in good for tag, good in selection.tags)]
            sections = self.window_order(selection, plan).sections
            matching.sort(key=lambda key: (sections[key.measurement, key.field], key.tags, key.field))
            for grid in grids_of(selection.span, windows):
                edges = edges_of(grid)
                frames = []
                for key in matching:
                    field = fields[key.field]
                    assert field.fn is not None
                    rows = sorted(values[key].items())
                    inside = [(time, value) for time, value in rows if edges[0] <= time < edges[-1]]
                    places = np.searchsorted(edges, [time for time, _ in inside], "right") - 1
                    times, results = [], []
                    for place, group in groupby(zip(places, inside, strict=True), key=lambda pair: pair[0]):
                        times.append(edges[int(place) + (windows.stamp is Stamp.STOP)])
                        results.append(_RULES[field.fn]([value for _, (_, value) in group]))
                    if times:
                        frames.append(_frame(measurement, key, field.output[0], times, results))
                if frames:
                    yield tuple(frames)


def _frame(
    plan: MeasurementPlan, key: FieldSeries, output: FieldType, times: list[int], values: list[Any]
) -> pa.RecordBatch:
    tags = dict(key.tags)
    columns = [pa.array(times, pa.int64()).view(TIME), pa.array(values, VALUE_TYPES[output])]
    columns += [constant_codes(key.field, len(times)), constant_codes(key.measurement, len(times))]
    for name in plan.tags:
        absent = pa.DictionaryArray.from_arrays(pa.nulls(len(times), pa.int32()), pa.array([], pa.string()))
        columns.append(constant_codes(tags[name], len(times)) if name in tags else absent)
    return pa.RecordBatch.from_arrays(columns, schema=long_schema(output, plan.tags))
