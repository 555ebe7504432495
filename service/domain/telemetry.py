"""Turns the newest values of series into telemetry: which of them counts, in the object of which device.

In a measurement with points in the look-back, the newest value of each field counts, whichever series it is in. A field
of the measurement without a value there is silent, and so is NaN; booleans are 1.0 and 0.0. Text is listed by name and
never becomes a number. Series of several devices stay apart when the tag that names the device is said.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from service.domain.series import Tags

COORDINATES = ("latitude", "longitude")
Value = float | int | bool | str
Source = tuple[str, str]
"""A bucket and a measurement."""
Device = str | None
"""The value of the tag that names devices; None for series without it, and for all series when no tag is said."""
Fields = Mapping[str, tuple[str, ...]]
"""The types of each field of a measurement."""


class Missing(StrEnum):
    """What stands for a silent field: 0.0, null, or nothing."""

    ZERO = "zero"
    NULL = "null"
    OMIT = "omit"


@dataclass(frozen=True)
class Newest:
    """The newest value of a field in a series. `time_ns` counts from 1970."""

    bucket: str
    measurement: str
    field: str
    tags: Tags
    time_ns: int
    value: Value

    @property
    def source(self) -> Source:
        return self.bucket, self.measurement


@dataclass(frozen=True)
class Part:
    """What one device has of one measurement of one bucket.

    `text` and `silent` name fields. `merged`: the values are of several series.
    """

    device: Device
    source: Source
    values: Mapping[str, float | None]
    text: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    merged: bool = False


@dataclass
class _Gathered:
    values: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    text: set[str] = field(default_factory=set)
    series: set[Tags] = field(default_factory=set)

    def add(self, row: Newest, fields: Fields) -> None:
        self.series.add(row.tags)
        if isinstance(row.value, str):
            self.text.add(row.field)
        elif math.isfinite(number := float(row.value)):
            self._take(row.field, row.time_ns, number)
        for key, text in row.tags:
            coordinate = _coordinate(key, text)
            if coordinate is not None and key not in fields:
                self._take(key, row.time_ns, coordinate)

    def _take(self, name: str, time_ns: int, value: float) -> None:
        if name not in self.times or time_ns >= self.times[name]:
            self.values[name], self.times[name] = value, time_ns

    def part(self, device: Device, source: Source, fields: Fields, missing: Missing) -> Part:
        text = self.text | {name for name, types in fields.items() if tuple(types) == ("string",)}
        silent = sorted(fields.keys() - self.values.keys() - text)
        values: dict[str, float | None] = dict(self.values)
        if missing is not Missing.OMIT:
            values |= dict.fromkeys(silent, 0.0 if missing is Missing.ZERO else None)
        ordered = dict(sorted(values.items()))
        return Part(device, source, ordered, tuple(sorted(text)), tuple(silent), len(self.series) > 1)


def fold(
    rows: Iterable[Newest],
    known: Mapping[Source, Fields],
    by: str | None = None,
    missing: Missing = Missing.ZERO,
) -> list[Part]:
    """One value for each field, in one part for each device and measurement: sorted, series without a device first.

    `known` holds every field of each bucket and measurement, with its types. `by`: the tag that names the device; None:
    all series are of one. Tags named `latitude` and `longitude` with numbers are among the values, unless the
    measurement has fields with these names.
    """
    gathered: dict[tuple[Device, Source], _Gathered] = {}
    for row in rows:
        device = None if by is None else dict(row.tags).get(by)
        gathered.setdefault((device, row.source), _Gathered()).add(row, known.get(row.source, {}))
    ordered = sorted(gathered, key=lambda owner: (owner[0] or "", owner[1]))
    return [gathered[device, source].part(device, source, known.get(source, {}), missing) for device, source in ordered]


def _coordinate(key: str, text: str) -> float | None:
    if key not in COORDINATES:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
