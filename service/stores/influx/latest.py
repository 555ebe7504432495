"""The newest values, asked in one Flux query; what its CSV cannot carry exactly is asked in InfluxQL, in one request.

Also the newest or oldest time of a bucket that InfluxQL cannot find by its name.
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
from service.stores.influx.catalog import Asked, Catalog, Newest
from service.stores.influx.labels import frames_of, long_frame
from service.stores.influx.raw import ask_flux
from service.stores.influx.transport import Call, Transport


def newest_frames(
    transport: Transport, catalog: Catalog, bucket: str, span: TimeRange, schema: list[MeasurementSchema], call: Call
) -> list[pa.RecordBatch]:
    """Long frames, one row for each field and series of the measurements in `schema`."""
    fields = [Asked(one.name, name, types) for one in schema for name, types in one.fields.items()]
    carried = {one.name: flux.can_carry(one.name, "", one.tags) for one in schema}
    plain = [one for one in fields if carried[one.measurement] and _is_plain(one)]
    rest = sorted(set(fields) - set(plain), key=lambda one: (one.measurement, one.field))
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
    times = (
        time_ns for rows in rows_of(ask_flux(transport, query, call, bucket).chunks()) for time_ns in table_of(rows, ()).column("_value").to_pylist()
    )
    return (max if newest else min)(times, default=None)


def _is_plain(one: Asked) -> bool:
    """Text of another shard could stand between the numbers of a field, and cannot be told from them in Flux."""
    return flux.can_carry("", one.field, ()) and (one.types == (FieldType.STRING,) or FieldType.STRING not in one.types)


def _by_flux(transport: Transport, bucket: str, span: TimeRange, plain: list[Asked], rest: list[Asked], call: Call) -> Iterator[pa.RecordBatch]:
    """Numbers and booleans as they are, text as a second result of the same query."""
    text = [(one.measurement, one.field) for one in plain if one.types == (FieldType.STRING,)]
    others = sorted({one.measurement for one in plain if one.types != (FieldType.STRING,)})
    left_out = text + [(one.measurement, one.field) for one in rest if one.measurement in others]
    source, newest, queries = flux.source(bucket, span), "  |> last()", []
    if others:
        filters = [flux.any_of("_measurement", others), *(flux.none_of(*one) for one in left_out if one[0] in others)]
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


def _frames(found: Iterable[Newest]) -> Iterator[pa.RecordBatch]:
    def frame_of(newest: Newest) -> tuple[str, str, FieldType]:
        return newest.series.measurement, newest.series.field, newest.series.type

    for (measurement, field, kind), group in groupby(found, key=frame_of):
        rows = list(group)
        tags_by_row = [dict(row.series.tags) for row in rows]
        keys = tuple(sorted({key for tags in tags_by_row for key in tags}))
        tags = [pa.array([row_tags.get(key) for row_tags in tags_by_row], pa.string()).dictionary_encode() for key in keys]
        times, values = pa.array([row.time_ns for row in rows], pa.int64()), pa.array([row.value for row in rows], VALUE_TYPES[kind])
        yield long_frame(kind, measurement, field, keys, times, values, tags)
