"""Simulated sensors: of every kind, with plausible values that are the same at the same time."""

from service.demo.sensors import simulated_sensors
from service.domain.durations import SECOND_NS

NOON_NS = 1_767_268_800 * SECOND_NS


def test_sensors_are_of_each_kind_in_turn() -> None:
    points = [sensor.point(NOON_NS) for sensor in simulated_sensors(9)]
    assert [point.measurement for point in points] == [
        "temperature", "humidity", "co2", "light", "power", "water", "gps", "temperature", "humidity",
    ]  # fmt: skip
    assert [point.tags["sensor"] for point in points] == [
        "temperature-001", "humidity-001", "co2-001", "light-001", "power-001", "water-001", "gps-001",
        "temperature-002", "humidity-002",
    ]  # fmt: skip
    types = {type(value) for point in points for value in point.fields.values()}
    assert types == {float, int, bool, str}


def test_values_are_plausible_and_the_same_every_time() -> None:
    bounds = {
        "celsius": (-30, 60), "percent": (0, 100), "ppm": (300, 2000), "lux": (0, 100_000), "watts": (0, 10_000),
        "energy_wh": (0, 2**40), "litres": (0, 2**40), "litres_a_minute": (0, 50), "latitude": (53, 54),
        "longitude": (9, 11), "altitude": (0, 20), "satellites": (4, 14),
    }  # fmt: skip
    for sensor in simulated_sensors(70):
        for hour in range(0, 24 * 8, 5):
            time_ns = NOON_NS + hour * 3600 * SECOND_NS
            point = sensor.point(time_ns)
            assert sensor.point(time_ns) == point
            for name, value in point.fields.items():
                if name in bounds:
                    low, high = bounds[name]
                    assert low <= float(value) <= high, (sensor, name, value)


def test_counters_only_grow() -> None:
    for sensor in simulated_sensors(7):
        series = [sensor.point(NOON_NS + minute * 60 * SECOND_NS).fields for minute in range(0, 600, 10)]
        for name in ("energy_wh", "litres"):
            counts = [int(fields[name]) for fields in series if name in fields]
            assert counts == sorted(counts)
