"""Turns the newest values of series into telemetry: which of them counts, and under which name.

In a measurement with points in the look-back, the newest value of each field counts, whichever series it is in. A field
of the measurement without a value there is 0.0, and so is NaN; booleans are 1.0 and 0.0. Text is listed by name and
never becomes a number.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.domain.series import Tags

COORDINATES = ("latitude", "longitude")
Value = float | int | bool | str


@dataclass(frozen=True)
class Newest:
    """The newest value of a field in a series. `time_ns` counts from 1970."""

    bucket: str
    measurement: str
    field: str
    tags: Tags
    time_ns: int
    value: Value


@dataclass(frozen=True)
class Telemetry:
    """`values` by measurement and field. `text`: the pairs of measurement and field that hold text."""

    values: dict[str, dict[str, float]]
    text: tuple[tuple[str, str], ...]


Fields = Mapping[str, tuple[str, ...]]
"""The types of each field of a measurement."""


@dataclass
class _Measurement:
    values: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    text: set[str] = field(default_factory=set)

    def take(self, name: str, time_ns: int, value: float) -> None:
        if name not in self.times or time_ns >= self.times[name]:
            self.values[name], self.times[name] = value, time_ns


def fold(rows: Iterable[Newest], known: Mapping[tuple[str, str], Fields]) -> Telemetry:
    """One value for each field. `known` holds every field of each (bucket, measurement), with its types.

    A measurement that several buckets hold is named `<bucket>/<measurement>` for each of them. Tags named `latitude`
    and `longitude` with numbers are among the values of the measurement, unless it has fields with these names.
    """
    measurements: dict[tuple[str, str], _Measurement] = {}
    for row in rows:
        measurement = measurements.setdefault((row.bucket, row.measurement), _Measurement())
        if isinstance(row.value, str):
            measurement.text.add(row.field)
        else:
            measurement.take(row.field, row.time_ns, _number(row.value))
        for key, text in row.tags:
            coordinate = _coordinate(key, text)
            if coordinate is not None and key not in known.get((row.bucket, row.measurement), {}):
                measurement.take(key, row.time_ns, coordinate)
    for identity, measurement in measurements.items():
        for name, types in known.get(identity, {}).items():
            if tuple(types) == ("string",):
                measurement.text.add(name)
            elif name not in measurement.values and name not in measurement.text:
                measurement.values[name] = 0.0
    return _named(measurements)


def _named(measurements: Mapping[tuple[str, str], _Measurement]) -> Telemetry:
    bucket_counts = Counter(name for _, name in measurements)
    values, text = {}, []
    for (bucket, name), measurement in sorted(measurements.items(), key=lambda item: item[0]):
        shown_name = name if bucket_counts[name] == 1 else f"{bucket}/{name}"
        values[shown_name] = dict(sorted(measurement.values.items()))
        text += [(shown_name, field_name) for field_name in sorted(measurement.text - measurement.values.keys())]
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
    """`{"ts": ms, "values": {measurement: {field: number}, "latitude": .., "longitude": ..}}`.

    Unknown coordinates are left out.
    """
    values: dict[str, object] = dict(telemetry.values)
    return {"ts": ts_ms, "values": values | _known(latitude, longitude)}


def flat(telemetry: Telemetry, ts_ms: int, latitude: float | None, longitude: float | None) -> dict[str, object]:
    """The same in one level: `{"ts": ms, "values": {"measurement.field": number, "latitude": ..}}`."""
    values: dict[str, object] = {}
    for measurement, fields in telemetry.values.items():
        values |= {f"{measurement}.{name}": value for name, value in fields.items()}
    return {"ts": ts_ms, "values": values | _known(latitude, longitude)}


def _known(latitude: float | None, longitude: float | None) -> dict[str, object]:
    return {name: value for name, value in zip(COORDINATES, (latitude, longitude), strict=True) if value is not None}
