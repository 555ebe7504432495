"""A month of demo data for an empty store, written in a few large batches."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from service.demo import signals
from service.demo.signals import SITES, STATIONS, Fields, Place, Times
from service.domain.durations import SECOND_NS
from service.domain.schema import BucketSpec, FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.frame import VALUE_TYPES
from service.frames.points import Points, ValueColumn
from service.stores.protocol import Store

POWER = BucketSpec("Power Consumption", "Demo: electric meters of six sites, once a minute")
WEATHER = BucketSpec("Weather", "Demo: three weather stations, every five minutes")
MINUTE_NS = 60 * SECOND_NS
MONTH_NS = 31 * 24 * 60 * MINUTE_NS
"""A day more than the 30 days that the examples ask for."""
_LIVE_NS = 10 * MINUTE_NS
_LIVE_STEP_NS = 5 * SECOND_NS


def fill_if_empty(store: Store, now_ns: int) -> bool:
    """Fill `store` up to `now_ns`, unless it holds data already. Returns whether it was filled.

    The month of power is one batch. A fill that was broken off before that batch is repeated at the next start.
    """
    for bucket in store.buckets():
        if bucket.name != WEATHER.name and store.last_point(bucket.name) is not None:
            return False
    for spec in (WEATHER, POWER):
        store.create_bucket(spec)
    write_history(store, now_ns - MONTH_NS, now_ns)
    write_live(store, _moments(now_ns - _LIVE_NS, now_ns, _LIVE_STEP_NS))
    return True


def write_history(store: Store, start_ns: int, stop_ns: int) -> None:
    """Write the measurements with a fixed interval, for all of `[start_ns, stop_ns)`."""
    _write(store, WEATHER, "weather", STATIONS, signals.weather, _moments(start_ns, stop_ns, 5 * MINUTE_NS))
    _write(store, POWER, "power", SITES, signals.power, _moments(start_ns, stop_ns, MINUTE_NS))


def write_live(store: Store, times_ns: Times) -> None:
    """Write the measurements of the latest telemetry, with `real` in their name, at any times."""
    _write(store, WEATHER, "real_weather", STATIONS, signals.weather, times_ns)
    _write(store, POWER, "real_power", SITES, signals.power, times_ns)


def _moments(start_ns: int, stop_ns: int, step_ns: int) -> Times:
    """The multiples of `step_ns` in `[start_ns, stop_ns)`."""
    return np.arange(-(-start_ns // step_ns) * step_ns, stop_ns, step_ns, dtype=np.int64)


def _write(
    store: Store,
    bucket: BucketSpec,
    measurement: str,
    places: tuple[Place, ...],
    measure: Callable[[Times], Fields],
    times_ns: Times,
) -> None:
    if len(times_ns):
        store.write(bucket.name, points_of(measurement, places, times_ns, measure(times_ns)))


def points_of(measurement: str, places: tuple[Place, ...], times_ns: Times, fields: Fields) -> Points:
    """Points in columns, one line for each time and place. The lines have no text: this store does not need it."""
    series = [SeriesKey(measurement, place.tags) for place in places]
    keys = tuple(FieldSeries(key, name, field_type) for name, (field_type, _) in fields.items() for key in series)
    lines = np.arange(len(times_ns) * len(places), dtype=np.int32)
    place = np.tile(np.arange(len(places), dtype=np.int32), len(times_ns))
    columns = []
    for column_type in FieldType:
        typed = [(at, values) for at, (field_type, values) in enumerate(fields.values()) if field_type is column_type]
        if typed:
            numbers = np.stack([place + at * len(places) for at, _ in typed], axis=1).astype(np.int32)
            stacked = np.stack([values.ravel() for _, values in typed], axis=1).ravel()
            values = pa.array(stacked, VALUE_TYPES[column_type])
            columns.append(ValueColumn(column_type, numbers.ravel(), np.repeat(lines, len(typed)), values))
    offsets = np.zeros(len(lines) + 1, np.int64)
    return Points(b"", offsets, np.arange(1, len(lines) + 1), np.repeat(times_ns, len(places)), keys, tuple(columns))
