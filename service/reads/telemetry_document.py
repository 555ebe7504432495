"""The latest telemetry as JSON: for cloud platforms, flat, or row by row with each series' own time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
import pyarrow as pa

from service.domain.telemetry import COORDINATES, Device, Newest, Part
from service.domain.telemetry_names import flat_names, measurement_names, rest_name
from service.domain.timerange import format_time
from service.frames import long_form
from service.reads.facts import LatestFacts, NameList

Values = dict[str, object]


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

    @property
    def known(self) -> Values:
        """The coordinates that are known, by name."""
        coordinates = zip(COORDINATES, (self.latitude, self.longitude), strict=True)
        return {name: degrees for name, degrees in coordinates if degrees is not None}


@dataclass(frozen=True)
class Document:
    """The bytes of an answer, and what it says of itself beside them. `facts` names no unread bucket."""

    body: bytes
    facts: LatestFacts


def row_document(rows: Iterable[Newest], parts: Iterable[Part], place: Place, now_ns: int, store: str) -> Document:
    """Every series with its own time, tags and text."""
    coordinates = {"latitude": place.latitude, "longitude": place.longitude}
    body = orjson.dumps({"ts": _ms(now_ns), **coordinates, "rows": [_row(newest) for newest in rows]})
    named = _NamedParts(parts, None)
    return Document(body, LatestFacts(store, text=named.text(), silent=named.silent()))


def value_document(form: TelemetryForm, parts: Sequence[Part], by: str | None, place: Place, now_ns: int, store: str) -> Document:
    """`{"ts": ms, "values": {...}}`; with a tag `by` such objects by device, each in a list of its own."""
    named = _NamedParts(parts, by)
    by_device, renamed = (_flat if form is TelemetryForm.FLAT else _nested)(named)
    objects = {device: _object(values, place, now_ns) for device, values in by_device.items()}
    facts = LatestFacts(
        store,
        text=named.text(),
        silent=named.silent(),
        merged=NameList.of(named.path(part) for part in parts if part.merged),
        renamed=NameList.of((name,) for name in renamed),
    )
    if by is None:
        return Document(orjson.dumps(objects.get("") or _object({}, place, now_ns)), facts)
    return Document(orjson.dumps({device: [telemetry] for device, telemetry in objects.items()}), facts)


def _object(values: Values, place: Place, now_ns: int) -> Values:
    return {"ts": _ms(now_ns), "values": values | place.known}


class _NamedParts:
    """Parts with the names that they are shown under."""

    def __init__(self, parts: Iterable[Part], by: str | None) -> None:
        self.parts = tuple(parts)
        self.measurements = measurement_names(part.source for part in self.parts)
        self._has_devices = by is not None
        devices = {part.device for part in self.parts if part.device is not None}
        self._rest = "" if by is None else rest_name(by, devices)

    def device(self, device: Device) -> str:
        return self._rest if device is None else device

    def path(self, part: Part) -> tuple[str, ...]:
        """Device, if there are some, and measurement."""
        devices = (self.device(part.device),) if self._has_devices else ()
        return *devices, self.measurements[part.source]

    def text(self) -> NameList:
        return NameList.of((*self.path(part), name) for part in self.parts for name in part.text)

    def silent(self) -> NameList:
        return NameList.of((*self.path(part), name) for part in self.parts for name in part.silent)


def _nested(named: _NamedParts) -> tuple[dict[str, Values], tuple[str, ...]]:
    """Values by device and measurement, and the names that are not plain."""
    by_device: dict[str, Values] = {}
    for part in named.parts:
        by_device.setdefault(named.device(part.device), {})[named.measurements[part.source]] = part.values
    return by_device, named.measurements.renamed


def _flat(named: _NamedParts) -> tuple[dict[str, Values], tuple[str, ...]]:
    """The same in one level."""
    names = flat_names(named.parts)
    by_device: dict[str, Values] = {}
    for part in named.parts:
        values = by_device.setdefault(named.device(part.device), {})
        values |= {names[part.source, field]: value for field, value in part.values.items()}
    return by_device, names.renamed


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


def _ms(now_ns: int) -> int:
    return now_ns // 1_000_000
