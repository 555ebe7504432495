"""The values of the demo's meters and weather stations, as pure functions of time.

The same time always gives the same value. So a filled month, a gap that is filled later and the simulator's points
fit together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.domain.durations import SECOND_NS
from service.domain.schema import FieldType
from service.domain.series import Tags

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Fields = dict[str, tuple[FieldType, npt.NDArray[np.generic]]]
"""By field: its type, and an array of shape (times, places)."""

_DAY_S = 86_400.0
_COUNTING_SINCE_S = 1_577_836_800
"""2020-01-01, when the meters were installed."""


@dataclass(frozen=True)
class Place:
    """A place with sensors. `size` scales its values, `seed` makes its noise unlike that of other places."""

    tags: Tags
    size: float
    seed: int


SITES = tuple(
    Place((("meter", f"M-{100 + number}"), ("site", site)), size, number)
    for number, (site, size) in enumerate(
        [
            ("Assembly", 42.0),
            ("Canteen", 9.0),
            ("Cold Store", 27.0),
            ("Offices", 14.0),
            ("Paint Shop", 35.0),
            ("Warehouse", 6.5),
        ]
    )
)
STATIONS = (
    Place((("station", "Harbour"),), 1.0, 50),
    Place((("station", "Hill"),), 0.8, 51),
    Place((("station", "Roof"),), 1.1, 52),
)


def power(times_ns: Times, sites: tuple[Place, ...] = SITES) -> Fields:
    """Electric meters: three floats, a counter that only grows, a switch, a text."""
    seconds = times_ns[:, None] / SECOND_NS
    size = np.array([[site.size for site in sites]])
    late = np.array([[600.0 * site.seed for site in sites]])
    load = size * (0.55 + 0.4 * day_curve(seconds - late, peak_hour=13))
    voltage = 230 + 2.5 * day_curve(seconds, peak_hour=3) + 0.8 * noise(times_ns, sites, 1)
    kilowatts = load * (1 + 0.06 * noise(times_ns, sites, 2))
    serviced = _serviced(seconds, late)
    kilowatts = np.where(serviced, 0.02 * size, kilowatts)
    status = np.where(serviced, "maintenance", np.where(kilowatts > 0.97 * size, "high load", "ok"))
    return {
        "current": (FieldType.FLOAT, np.round(kilowatts * 1000 / (3 * voltage), 2)),
        "energy_wh": (FieldType.INTEGER, _energy_wh(seconds, size, late)),
        "power": (FieldType.FLOAT, np.round(kilowatts, 3)),
        "relay_closed": (FieldType.BOOLEAN, ~serviced),
        "status": (FieldType.STRING, status.astype(object)),
        "voltage": (FieldType.FLOAT, np.round(voltage, 1)),
    }


def weather(times_ns: Times, stations: tuple[Place, ...] = STATIONS) -> Fields:
    """Weather stations, in a summer without end."""
    seconds = times_ns[:, None] / SECOND_NS
    size = np.array([[station.size for station in stations]])
    swing = day_curve(seconds, peak_hour=15)
    front = np.sin(2 * np.pi * seconds / (5.3 * _DAY_S))
    temperature = 17 + 6.5 * size * swing + 2.5 * front + 0.4 * noise(times_ns, stations, 3)
    humidity = np.clip(62 - 18 * swing - 9 * front + 2.0 * noise(times_ns, stations, 4), 5, 100)
    pressure = 1013.2 + 7.5 * front - 4 * (1 - size) + 0.1 * noise(times_ns, stations, 6)
    wind = np.abs(3.2 * size + 1.5 * swing + 1.4 * noise(times_ns, stations, 5))
    return {
        "humidity": (FieldType.FLOAT, np.round(humidity, 1)),
        "pressure": (FieldType.FLOAT, np.round(pressure, 1)),
        "temperature": (FieldType.FLOAT, np.round(temperature, 2)),
        "wind_speed": (FieldType.FLOAT, np.round(wind, 1)),
    }


def day_curve(seconds: Floats, peak_hour: float) -> Floats:
    """A daily curve from -1 to 1."""
    swing: Floats = np.cos(2 * np.pi * (seconds - 3600 * peak_hour) / _DAY_S)
    return swing


def _energy_wh(seconds: Floats, size: Floats, late: Floats) -> npt.NDArray[np.int64]:
    """The integral of the load without its noise, so that the counter grows at every moment."""
    angle = 2 * np.pi / _DAY_S
    swing_s = np.sin(angle * (seconds - late - 3600 * 13)) / angle
    kilowatt_s = size * (0.55 * (seconds - _COUNTING_SINCE_S) + 0.4 * swing_s)
    return np.floor(kilowatt_s / 3.6).astype(np.int64)


def _serviced(seconds: Floats, late: Floats) -> npt.NDArray[np.bool_]:
    """Whether it is the hour of maintenance, in the night of every seventh day."""
    within_week: Floats = (seconds - 10 * late) % (7 * _DAY_S)
    return (within_week >= 2 * 3600) & (within_week < 3 * 3600)


def noise(times_ns: Times, places: tuple[Place, ...], channel: int) -> Floats:
    """Between -1 and 1, mostly near 0. The same for the same second, place and channel (splitmix64)."""
    seconds = (times_ns // SECOND_NS).astype(np.uint64)[:, None]
    seeds = np.array([[place.seed * 64 + channel for place in places]], np.uint64)
    mixed = seconds * np.uint64(0x9E3779B97F4A7C15) + seeds * np.uint64(0xD1B54A32D192ED03)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    high, low = mixed >> np.uint64(32), mixed & np.uint64(0xFFFFFFFF)
    spread: Floats = (high.astype(np.float64) + low.astype(np.float64)) / 2**32 - 1
    return spread
