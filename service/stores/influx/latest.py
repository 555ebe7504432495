"""Reads the newest values by one Flux query, and by one InfluxQL request what Flux's CSV would change.

Also reads the newest or oldest time of a bucket that InfluxQL cannot find by its name.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import pyarrow as pa

from service.domain.schema import FieldType, MeasurementSchema
from service.domain.timerange import EVER, TimeRange
from service.errors import LineEndLost, UnreadableText
from service.frames import long_form
from service.frames.frame import VALUE_TYPES
from service.stores.influx import flux
from service.stores.influx.annotated_csv import rows_of, table_of
from service.stores.influx.catalog import Catalog, FieldTypes, Newest
from service.stores.influx.labels import frames_of, long_frame
from service.stores.influx.raw import ask_flux
from service.stores.influx.transport import Call, Transport


def newest_frames(
    transport: Transport,
    catalog: Catalog,
    bucket: str,
    span: TimeRange,
    schema: list[MeasurementSchema],
    call: Call,
) -> list[pa.RecordBatch]:
    """Long frames, one row for each field and series of the measurements in `schema`."""
    fields, plain = [], []
    for measurement in schema:
        of_measurement = [FieldTypes(measurement.name, name, types) for name, types in measurement.fields.items()]
        fields += of_measurement
        if flux.can_carry(measurement.name, "", measurement.tags):
            plain += [field for field in of_measurement if _is_plain(field)]
    rest = sorted(set(fields) - set(plain), key=lambda field: (field.measurement, field.field))
    frames: list[pa.RecordBatch] = []
    try:
        if plain:
            frames = list(_by_flux(transport, bucket, span, plain, rest, call))
    except LineEndLost:
        frames, rest = [], fields
    if not rest:
        return frames
    with catalog.reached(bucket):
        return frames + list(_frames(catalog.newest(bucket, span, rest)))


def readable_frames(
    ask: Callable[[list[MeasurementSchema]], list[pa.RecordBatch]], schema: list[MeasurementSchema]
) -> tuple[list[pa.RecordBatch], set[str]]:
    """What `ask` gives for the measurements that it can read, and the names of the others.

    One question nearly always. Each half is asked again by itself where something in it is no Unicode.
    """
    if not schema:
        return [], set()
    try:
        return ask(schema), set()
    except UnreadableText:
        if len(schema) == 1:
            return [], {schema[0].name}
    middle = len(schema) // 2
    halves = [readable_frames(ask, half) for half in (schema[:middle], schema[middle:])]
    return [frame for frames, _ in halves for frame in frames], halves[0][1] | halves[1][1]


def outermost_time(transport: Transport, bucket: str, newest: bool, call: Call) -> int | None:
    """The time of the newest or the oldest point, by Flux alone, which goes by the bucket's own name."""
    query = flux.pipeline(
        flux.source(bucket, EVER),
        f"  |> {'last' if newest else 'first'}()",
        '  |> keep(columns: ["_time"])',
        "  |> map(fn: (r) => ({_time: r._time, _value: int(v: r._time)}))",
        f"  |> {'max' if newest else 'min'}()",
    )
    times: list[int] = []
    for rows in rows_of(ask_flux(transport, query, call, bucket).chunks()):
        times += table_of(rows, ()).column("_value").to_pylist()
    return (max if newest else min)(times, default=None)


def _is_plain(field: FieldTypes) -> bool:
    """Whether Flux can read the field. Flux cannot tell text in one shard from numbers in another one."""
    has_one_type = field.types == (FieldType.STRING,) or FieldType.STRING not in field.types
    return has_one_type and flux.can_carry("", field.field, ())


def _by_flux(
    transport: Transport,
    bucket: str,
    span: TimeRange,
    plain: list[FieldTypes],
    rest: list[FieldTypes],
    call: Call,
) -> Iterator[pa.RecordBatch]:
    """Numbers and booleans as they are, text as a second result of the same query."""
    text = [(field.measurement, field.field) for field in plain if field.types == (FieldType.STRING,)]
    others = sorted({field.measurement for field in plain if field.types != (FieldType.STRING,)})
    excluded = text + [(field.measurement, field.field) for field in rest]
    source, newest, queries = flux.source(bucket, span), "  |> last()", []
    if others:
        without = [flux.none_of(measurement, field) for measurement, field in excluded if measurement in others]
        filters = [flux.any_of("_measurement", others), *without]
        queries.append(flux.pipeline(source, *filters, newest))
    if text:
        queries.append(flux.as_text(flux.pipeline(source, flux.any_field(text), newest)))
    reply = ask_flux(transport, "\n\n".join(['import "strings"', *queries] if text else queries), call, bucket)
    for rows in rows_of(reply.chunks()):
        for frame in frames_of(rows):
            yield _plain(frame) if rows.columns.value_type is FieldType.STRING else frame


def _plain(frame: pa.RecordBatch) -> pa.RecordBatch:
    texts = [flux.plain_text(carried) for carried in long_form.values(frame).to_pylist()]
    return long_form.with_values(frame, pa.array(texts, pa.string()))


def _frames(newest_values: Iterable[Newest]) -> Iterator[pa.RecordBatch]:
    def frame_of(newest: Newest) -> tuple[str, str, FieldType]:
        return newest.series.measurement, newest.series.field, newest.series.type

    for (measurement, field, field_type), group in groupby(newest_values, key=frame_of):
        rows = list(group)
        tags_by_row = [dict(row.series.tags) for row in rows]
        keys = tuple(sorted({key for tags in tags_by_row for key in tags}))
        tags = [pa.array([tags.get(key) for tags in tags_by_row], pa.string()).dictionary_encode() for key in keys]
        times = pa.array([row.time_ns for row in rows], pa.int64())
        values = pa.array([row.value for row in rows], VALUE_TYPES[field_type])
        yield long_frame(field_type, measurement, field, keys, times, values, tags)
