"""The newest values: one Flux query for everything but text, and one of InfluxQL for text, which Flux cannot carry exactly."""

from collections.abc import Iterable
from itertools import groupby

import pyarrow as pa

from service.domain.schema import FieldType, MeasurementSchema
from service.domain.timerange import TimeRange
from service.stores.influx import flux
from service.stores.influx.annotated import rows_of
from service.stores.influx.catalog import Catalog, NewestText
from service.stores.influx.labels import frames_of, long_frame
from service.stores.influx.raw import ask_flux
from service.stores.influx.transport import Call, Transport


def newest_frames(
    transport: Transport, catalog: Catalog, bucket: str, span: TimeRange, schema: list[MeasurementSchema], call: Call
) -> list[pa.RecordBatch]:
    """Long frames, one row for each field and series of the measurements in `schema`."""
    text = [(one.name, name) for one in schema for name, types in one.fields.items() if types == (FieldType.STRING,)]
    query = flux.pipeline(
        flux.source(bucket, span),
        flux.any_of("_measurement", [one.name for one in schema]),
        *(flux.none_of(measurement, name) for measurement, name in text),
        "  |> last()",
    )
    reply = ask_flux(transport, query, call, bucket)
    frames = [frame for rows in rows_of(reply.chunks()) for frame in frames_of(rows)]
    return frames + (list(_text_frames(catalog.newest_text(bucket, span, text))) if text else [])


def _text_frames(found: Iterable[NewestText]) -> Iterable[pa.RecordBatch]:
    for (measurement, field), group in groupby(found, key=lambda one: (one.measurement, one.field)):
        rows = list(group)
        keys = tuple(sorted({key for row in rows for key in row.tags}))
        tags = [pa.array([row.tags.get(key) for row in rows], pa.string()).dictionary_encode() for key in keys]
        times, values = pa.array([row.time_ns for row in rows], pa.int64()), pa.array([row.value for row in rows], pa.string())
        yield long_frame(FieldType.STRING, measurement, field, keys, times, values, tags)
