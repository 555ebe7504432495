"""Simulated sensors of seven kinds, with fields of every type, as measurements that a writer takes.

The same sensor gives the same values at the same time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fluxgate_client import Measurement, UInt, field, tag
from service.demo import signals
from service.demo.signals import Fields, Place
from service.domain.durations import SECOND_NS

_ROOMS = ("Hall", "Lab", "Office", "Roof", "Store")
_SINCE_S = 1_577_836_800
"""2020-01-01, when the meters were installed."""
_METRES_A_DEGREE = 111_320.0


class Sensor(Measurement):
    """What every simulated sensor has."""

    sensor: str = tag()
    room: str = tag()


class Temperature(Sensor, name="temperature"):
    celsius: float = field()


class Humidity(Sensor, name="humidity"):
    percent: float = field()


class CarbonDioxide(Sensor, name="co2"):
    ppm: int = field()


class Light(Sensor, name="light"):
    lux: float = field()
    daylight: bool = field()


class Power(Sensor, name="power"):
    watts: float = field()
    energy_wh: UInt = field()
    relay_closed: bool = field()
    status: str = field()


class Water(Sensor, name="water"):
    litres: UInt = field()
    litres_a_minute: float = field()


class Position(Sensor, name="gps"):
    latitude: float = field()
    longitude: float = field()
    altitude: float = field()
    satellites: int = field()
    fix: str = field()


@dataclass(frozen=True)
class SimulatedSensor:
    """A sensor by its kind and number."""

    kind: str
    number: int

    def point(self, time_ns: int) -> Measurement:
        """What it measures at `time_ns`."""
        name = f"{self.kind}-{self.number + 1:03d}"
        return _KINDS[self.kind](name, _ROOMS[self.number % len(_ROOMS)], self._place(), time_ns)

    def _place(self) -> Place:
        return Place((("sensor", self.kind),), 0.8 + 0.4 * (self.number % 7) / 7, 100 + self.number)


def simulated_sensors(count: int) -> list[SimulatedSensor]:
    """`count` sensors, of each kind in turn."""
    kinds = list(_KINDS)
    return [SimulatedSensor(kinds[index % len(kinds)], index // len(kinds)) for index in range(count)]


def _temperature(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    celsius = _value(signals.weather(_at(time_ns), (place,)), "temperature")
    return Temperature(sensor=sensor, room=room, time=time_ns, celsius=float(celsius))


def _humidity(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    percent = _value(signals.weather(_at(time_ns), (place,)), "humidity")
    return Humidity(sensor=sensor, room=room, time=time_ns, percent=float(percent))


def _co2(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    ppm = 640 + 220 * place.size * _day(time_ns, peak_hour=14) + 25 * _noise(time_ns, place, 7)
    return CarbonDioxide(sensor=sensor, room=room, time=time_ns, ppm=round(ppm))


def _light(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    sun = max(0.0, _day(time_ns, peak_hour=13))
    lux = round(20_000 * place.size * sun + 3 + _noise(time_ns, place, 8), 1)
    return Light(sensor=sensor, room=room, time=time_ns, lux=lux, daylight=sun > 0)


def _power(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    fields = signals.power(_at(time_ns), (place,))
    return Power(
        sensor=sensor,
        room=room,
        time=time_ns,
        watts=round(1000 * float(_value(fields, "power")), 1),
        energy_wh=int(_value(fields, "energy_wh")),
        relay_closed=bool(_value(fields, "relay_closed")),
        status=str(_value(fields, "status")),
    )


def _water(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    flow = round(max(0.0, 4 * place.size * (0.6 + 0.4 * _day(time_ns, peak_hour=7))), 2)
    litres = int((time_ns // SECOND_NS - _SINCE_S) * place.size / 25)
    return Water(sensor=sensor, room=room, time=time_ns, litres=litres, litres_a_minute=flow)


def _gps(sensor: str, room: str, place: Place, time_ns: int) -> Measurement:
    """A vehicle on a circle of 500 m around a harbour, once an hour."""
    angle = 2 * np.pi * (time_ns / SECOND_NS / 3600 + place.seed / 7)
    north_m, east_m = 500 * np.sin(angle), 500 * np.cos(angle)
    satellites = 9 + round(2 * _noise(time_ns, place, 9))
    return Position(
        sensor=sensor,
        room=room,
        time=time_ns,
        latitude=round(53.5436 + float(north_m) / _METRES_A_DEGREE, 7),
        longitude=round(9.9658 + float(east_m) / (_METRES_A_DEGREE * 0.594), 7),
        altitude=round(6 + _noise(time_ns, place, 10), 2),
        satellites=satellites,
        fix="3D" if satellites > 7 else "2D",
    )


_KINDS: dict[str, Callable[[str, str, Place, int], Measurement]] = {
    "temperature": _temperature,
    "humidity": _humidity,
    "co2": _co2,
    "light": _light,
    "power": _power,
    "water": _water,
    "gps": _gps,
}


def _at(time_ns: int) -> signals.Times:
    return np.array([time_ns], np.int64)


def _value(fields: Fields, name: str) -> np.generic:
    values = fields[name][1]
    return values.ravel()[0]  # type: ignore[no-any-return]


def _day(time_ns: int, peak_hour: float) -> float:
    return float(signals.day_curve(_at(time_ns)[:, None] / SECOND_NS, peak_hour).ravel()[0])


def _noise(time_ns: int, place: Place, channel: int) -> float:
    return float(signals.noise(_at(time_ns), (place,), channel).ravel()[0])
