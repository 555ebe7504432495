"""Making the latest telemetry: one question to the store for each bucket, folded and printed once for all who ask."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pyarrow as pa
import structlog

from service.api.deps import Parts
from service.api.names import header_buckets, header_names
from service.cache.single_flight import Produced
from service.domain.telemetry import Newest, flat, fold, thingsboard
from service.domain.timerange import EARLIEST_NS, TimeRange, format_time
from service.errors import OF_ONE_BUCKET, FluxgateError, StoreTimeout, UnknownBucket
from service.frames import long_form
from service.stores.protocol import Latest

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LatestQuestion:
    """`buckets`: to look in; `named`: the caller named them, so all of them must be read. `measurements`: only these, when any are given."""

    buckets: tuple[str, ...]
    measurements: tuple[str, ...]
    lookback_ns: int
    form: str
    named: bool = True


def produce_latest(parts: Parts, question: LatestQuestion) -> Produced:
    now_ns = parts.clock_ns()
    span = TimeRange(max(now_ns - question.lookback_ns, EARLIEST_NS), now_ns)
    found, unread = _looked(parts, question, span)
    rows = [row for bucket, latest in found for frame in latest.frames for row in _newest(bucket, frame)]
    known = {(bucket, name): fields for bucket, latest in found for name, fields in latest.fields.items()}
    parts.metrics.upstream_rows.inc(len(rows))
    body, text = _printed(parts, question, rows, known, now_ns)
    headers = {"Content-Type": "application/json", "X-Fluxgate-Store": parts.store.name}
    if text:
        headers["X-Fluxgate-Text-Fields"] = text
    if unread:
        headers["X-Fluxgate-Unread-Buckets"] = header_buckets(unread)
    return Produced(headers, iter([body]), lambda: None)


def _looked(parts: Parts, question: LatestQuestion, span: TimeRange) -> tuple[list[tuple[str, Latest]], list[str]]:
    """What each bucket holds, and the buckets that cannot be read. Raises when the caller named one of those, or none can be read."""
    found: list[tuple[str, Latest]] = []
    unread: dict[str, FluxgateError] = {}
    word, measurements = ("", question.measurements) if question.measurements else (parts.limits.telemetry_word, None)
    begun_s = time.monotonic()
    for bucket in question.buckets:
        if time.monotonic() - begun_s > parts.limits.read_timeout_s:
            raise StoreTimeout("Looking for the latest values took longer than READ_TIMEOUT_S. Name fewer buckets, or raise it.")
        try:
            found.append((bucket, parts.store.latest(bucket, span, word, measurements)))
        except UnknownBucket:
            if question.named:
                raise  # else it was deleted since the buckets were listed
        except OF_ONE_BUCKET as error:
            unread[bucket] = error
            _log.warning("telemetry without a bucket", bucket=bucket, code=error.code, detail=error.message)
    if unread and (question.named or not found):
        raise next(iter(unread.values()))
    return found, sorted(unread)


def _printed(
    parts: Parts, question: LatestQuestion, rows: list[Newest], known: dict[tuple[str, str], dict[str, tuple[str, ...]]], now_ns: int
) -> tuple[bytes, str]:
    telemetry = fold(rows, known)
    latitude, longitude = _coordinates(parts)
    document: dict[str, object]
    if question.form == "rows":
        document = {"ts": now_ns // 1_000_000, "latitude": latitude, "longitude": longitude, "rows": [_row(one) for one in rows]}
    else:
        shape = flat if question.form == "flat" else thingsboard
        document = shape(telemetry, now_ns // 1_000_000, latitude, longitude)
    return orjson.dumps(document), header_names(telemetry.text)


def _coordinates(parts: Parts) -> tuple[float | None, float | None]:
    """From the runtime configuration; what is not set there, from the settings."""
    section = parts.config.get_or_last_known("coordinates").value
    latitude, longitude = section.get("latitude"), section.get("longitude")
    return (
        parts.limits.latitude if latitude is None else latitude,
        parts.limits.longitude if longitude is None else longitude,
    )


def _row(newest: Newest) -> dict[str, object]:
    return {
        "bucket": newest.bucket,
        "measurement": newest.measurement,
        "tags": dict(newest.tags),
        "field": newest.field,
        "time": format_time(newest.time_ns),
        "value": newest.value,
    }


def _newest(bucket: str, frame: pa.RecordBatch) -> Iterator[Newest]:
    values = long_form.values(frame).to_pylist()
    fields, measurements, *tags = (column.to_pylist() for column in long_form.labels(frame))
    keys = long_form.tag_keys(frame)
    for place, time_ns in enumerate(long_form.times_ns(frame).tolist()):
        present = tuple((key, column[place]) for key, column in zip(keys, tags, strict=True) if column[place] is not None)
        yield Newest(bucket, measurements[place], fields[place], present, time_ns, values[place])
