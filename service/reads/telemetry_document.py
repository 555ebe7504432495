"""The latest telemetry as JSON: for cloud platforms, flat, or row by row with each series' own time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import orjson
import pyarrow as pa

from service.domain.telemetry import Newest, Telemetry, flat, thingsboard
from service.domain.timerange import format_time
from service.frames import long_form


class TelemetryForm(StrEnum):
    """The shapes of the document; see docs/telemetry.md."""

    THINGSBOARD = "thingsboard"
    FLAT = "flat"
    ROWS = "rows"


@dataclass(frozen=True)
class Place:
    """Where the telemetry is from, in degrees. `version` changes with the configuration that says so."""

    version: int = 0
    latitude: float | None = None
    longitude: float | None = None


def printed(form: TelemetryForm, telemetry: Telemetry, rows: Iterable[Newest], place: Place, now_ns: int) -> bytes:
    """The document: of `rows` where the form is that of rows, else of `telemetry`."""
    ts_ms = now_ns // 1_000_000
    if form is TelemetryForm.ROWS:
        coordinates = {"latitude": place.latitude, "longitude": place.longitude}
        return orjson.dumps({"ts": ts_ms, **coordinates, "rows": [_row(newest) for newest in rows]})
    shape = flat if form is TelemetryForm.FLAT else thingsboard
    return orjson.dumps(shape(telemetry, ts_ms, place.latitude, place.longitude))


def newest_of(bucket: str, frame: pa.RecordBatch) -> Iterator[Newest]:
    """The rows of a frame in long form, one per series."""
    values = long_form.values(frame).to_pylist()
    fields, measurements, *tags = (column.to_pylist() for column in long_form.labels(frame))
    keys = long_form.tag_keys(frame)
    for row, time_ns in enumerate(long_form.times_ns(frame).tolist()):
        columns = zip(keys, tags, strict=True)
        present = tuple((key, column[row]) for key, column in columns if column[row] is not None)
        yield Newest(bucket, measurements[row], fields[row], present, time_ns, values[row])


def _row(newest: Newest) -> dict[str, object]:
    return {
        "bucket": newest.bucket,
        "measurement": newest.measurement,
        "tags": dict(newest.tags),
        "field": newest.field,
        "time": format_time(newest.time_ns),
        "value": newest.value,
    }
