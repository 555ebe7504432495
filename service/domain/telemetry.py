"""The latest values as telemetry: which of them counts, and under which name.

In a measurement that has points in the look-back, each field's own newest value counts, whichever
series it is in. A field that the measurement has and that is silent is 0.0, and so is NaN; booleans
are 1.0 and 0.0. Text is named, never turned into a number.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

COORDINATES = ("latitude", "longitude")
Value = float | int | bool | str


@dataclass(frozen=True)
class Newest:
    """The newest value of one series. `time_ns` since 1970; `tags` without absent ones."""

    bucket: str
    measurement: str
    field: str
    tags: tuple[tuple[str, str], ...]
    time_ns: int
    value: Value


@dataclass(frozen=True)
class Telemetry:
    """`values`: by measurement, then field. `text`: pairs of measurement and field that hold text."""

    values: dict[str, dict[str, float]]
    text: tuple[tuple[str, str], ...]


Fields = Mapping[str, tuple[str, ...]]


@dataclass
class _Measurement:
    values: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    text: set[str] = field(default_factory=set)

    def take(self, name: str, time_ns: int, value: float) -> None:
        if name not in self.times or time_ns >= self.times[name]:
            self.values[name], self.times[name] = value, time_ns


def fold(rows: Iterable[Newest], known: Mapping[tuple[str, str], Fields]) -> Telemetry:
    """One value for each field. `known`: every field of a (bucket, measurement), with its types.

    A measurement that several buckets hold appears as `<bucket>/<measurement>` for each of them. Tags
    named `latitude` and `longitude` that are numbers stand among the measurement's values, unless it
    has fields of that name.
    """
    found: dict[tuple[str, str], _Measurement] = {}
    for row in rows:
        measurement = found.setdefault((row.bucket, row.measurement), _Measurement())
        if isinstance(row.value, str):
            measurement.text.add(row.field)
        else:
            measurement.take(row.field, row.time_ns, _number(row.value))
        for key, text in row.tags:
            place = _coordinate(key, text)
            if place is not None and key not in known.get((row.bucket, row.measurement), {}):
                measurement.take(key, row.time_ns, place)
    for name, measurement in found.items():
        for silent, types in known.get(name, {}).items():
            if tuple(types) == ("string",):
                measurement.text.add(silent)
            elif silent not in measurement.values and silent not in measurement.text:
                measurement.values[silent] = 0.0
    return _named(found)


def _named(found: Mapping[tuple[str, str], _Measurement]) -> Telemetry:
    buckets: dict[str, int] = {}
    for _, measurement in found:
        buckets[measurement] = buckets.get(measurement, 0) + 1
    values, text = {}, []
    for (bucket, measurement), held in sorted(found.items()):
        name = measurement if buckets[measurement] == 1 else f"{bucket}/{measurement}"
        values[name] = dict(sorted(held.values.items()))
        text += [(name, one) for one in sorted(held.text - held.values.keys())]
    return Telemetry(values, tuple(text))


def _number(value: float | int | bool) -> float:
    number = float(value)
    return number if math.isfinite(number) else 0.0


def _coordinate(key: str, text: str) -> float | None:
    if key not in COORDINATES:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def thingsboard(telemetry: Telemetry, ts_ms: int, latitude: float | None, longitude: float | None) -> dict[str, object]:
    """`{"ts": ms, "values": {measurement: {field: number}, "latitude": .., "longitude": ..}}`; unknown coordinates are left out."""
    values: dict[str, object] = dict(telemetry.values)
    return {"ts": ts_ms, "values": values | _known(latitude, longitude)}


def flat(telemetry: Telemetry, ts_ms: int, latitude: float | None, longitude: float | None) -> dict[str, object]:
    """The same in one level: `{"ts": ms, "values": {"measurement.field": number, "latitude": ..}}`."""
    values: dict[str, object] = {f"{measurement}.{name}": value for measurement, fields in telemetry.values.items() for name, value in fields.items()}
    return {"ts": ts_ms, "values": values | _known(latitude, longitude)}


def _known(latitude: float | None, longitude: float | None) -> dict[str, object]:
    return {name: value for name, value in zip(COORDINATES, (latitude, longitude), strict=True) if value is not None}
