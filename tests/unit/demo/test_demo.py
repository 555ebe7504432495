"""The demo: a month in an empty store, nothing in any other, the same values every time, and no gaps."""

import time
from pathlib import Path

import numpy as np
import pytest

from service.demo import Simulator, fill_if_empty, signals
from service.demo.filling import MONTH_NS, points_of
from service.domain.durations import SECOND_NS, parse_duration
from service.domain.schema import BucketSpec, FieldType
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange
from service.stores.embedded.store import EmbeddedStore
from service.stores.observed import BucketChange, ObservedStore
from tests.support.clock import Clock
from tests.support.embedded_stores import NOON, open_store, points
from tests.support.rows import read

MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStore:
    store = open_store(tmp_path_factory.mktemp("demo"))
    assert fill_if_empty(store, NOON) is True
    return store


def count(store: EmbeddedStore, bucket: str, measurement: str, span: TimeRange) -> dict[str, int]:
    rows = read(store, bucket, span, Windows(parse_duration("520w", "every"), Fn.COUNT), measurements=(measurement,))
    found: dict[str, int] = {}
    for row in rows:
        found[row.field] = found.get(row.field, 0) + int(row.shown)
    return found


def test_an_empty_store_gets_a_month_of_every_type(filled: EmbeddedStore) -> None:
    assert [bucket.name for bucket in filled.buckets()] == ["Power Consumption", "Weather"]
    fields = {one.name: one.fields for one in filled.schema("Power Consumption")}
    assert (
        fields["power"]
        == fields["real_power"]
        == {
            "current": (FieldType.FLOAT,),
            "energy_wh": (FieldType.INTEGER,),
            "power": (FieldType.FLOAT,),
            "relay_closed": (FieldType.BOOLEAN,),
            "status": (FieldType.STRING,),
            "voltage": (FieldType.FLOAT,),
        }
    )
    thirty_days = TimeRange(NOON - 30 * 24 * HOUR_NS, NOON)
    assert set(count(filled, "Power Consumption", "power", thirty_days).values()) == {6 * 30 * 24 * 60}
    assert set(count(filled, "Weather", "weather", thirty_days).values()) == {3 * 30 * 24 * 12}


def test_the_live_measurements_reach_to_now(filled: EmbeddedStore) -> None:
    last_half_minute = TimeRange(NOON - 30 * SECOND_NS, NOON)
    latest = filled.latest("Weather", last_half_minute, "real")
    assert set(latest.fields) == {"real_weather"}
    assert sum(frame.num_rows for frame in latest.frames) == 3 * 4


def test_the_demo_tells_what_it_writes(tmp_path: Path) -> None:
    """It wrote around the cache before, so that answers about its buckets were old until they expired."""
    changes: list[BucketChange] = []
    embedded = open_store(tmp_path)
    store = ObservedStore(embedded, [changes.append])
    fill_if_empty(store, NOON)
    assert [change.bucket for change in changes] == ["Weather", "Power Consumption"] * 3
    assert changes[3].ranges == (TimeRange(NOON - MONTH_NS, NOON - MINUTE_NS + 1),)
    changes.clear()
    Simulator(store, 5.0, Clock(NOON + SECOND_NS)).write_once()
    now = (TimeRange(NOON + SECOND_NS, NOON + SECOND_NS + 1),)
    assert changes[-2:] == [BucketChange("Weather", now), BucketChange("Power Consumption", now)]
    embedded.close()


def test_a_store_with_data_is_left_alone(tmp_path: Path, filled: EmbeddedStore) -> None:
    assert fill_if_empty(filled, NOON + MONTH_NS) is False
    store = open_store(tmp_path)
    store.create_bucket(BucketSpec("mine"))
    store.write("mine", points(f"m f=1 {NOON}\n"))
    assert fill_if_empty(store, NOON) is False
    assert [bucket.name for bucket in store.buckets()] == ["mine"]
    store.close()


def test_the_same_moment_has_the_same_values_in_any_batch() -> None:
    times = np.arange(NOON - HOUR_NS, NOON, MINUTE_NS)
    for signal in (signals.power, signals.weather):
        whole, part = signal(times), signal(times[40:])
        assert all((whole[name][1][40:] == part[name][1]).all() for name in whole)


def test_values_are_plausible() -> None:
    times = np.arange(NOON - MONTH_NS, NOON, 10 * MINUTE_NS)
    power, weather = signals.power(times), signals.weather(times)
    assert 225 < power["voltage"][1].min() < power["voltage"][1].max() < 235
    assert (np.diff(power["energy_wh"][1], axis=0) > 0).all()
    assert set(np.unique(power["status"][1].astype(str))) == {"ok", "high load", "maintenance"}
    assert 0 < power["power"][1].min() < power["power"][1].max() < 50
    assert 0 < weather["temperature"][1].min() < weather["temperature"][1].max() < 40
    assert 5 <= weather["humidity"][1].min() < weather["humidity"][1].max() <= 100
    from_midnight = weather["temperature"][1][72:, 0][: 30 * 144]
    by_hour = from_midnight.reshape(30, 24, 6).mean(axis=(0, 2))
    assert by_hour.argmin() in (2, 3, 4)
    assert by_hour.argmax() in (14, 15, 16)


def test_points_are_laid_out_line_by_line() -> None:
    times = np.array([NOON, NOON + MINUTE_NS])
    made = points_of("real_weather", signals.STATIONS, times, signals.weather(times))
    assert len(made) == 6
    assert made.times_ns.tolist() == [NOON] * 3 + [NOON + MINUTE_NS] * 3
    [column] = made.columns
    assert column.lines.tolist() == [line for line in range(6) for _ in range(4)]
    assert [made.keys[key].field for key in column.keys[:4]] == ["humidity", "pressure", "temperature", "wind_speed"]
    assert {made.keys[key].tags for key in column.keys[4:8]} == {signals.STATIONS[1].tags}


def test_the_simulator_makes_up_for_the_time_it_was_off(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = open_store(tmp_path, clock)
    fill_if_empty(store, NOON)
    clock.now = NOON + 2 * HOUR_NS
    simulator = Simulator(store, 5.0, clock)
    simulator.write_once()
    gap = TimeRange(NOON, NOON + 2 * HOUR_NS)
    assert set(count(store, "Power Consumption", "power", gap).values()) == {6 * 120}
    clock.now += 5 * SECOND_NS
    simulator.write_once()
    clock.now += MINUTE_NS
    simulator.write_once()
    assert set(count(store, "Power Consumption", "power", TimeRange(NOON, clock.now)).values()) == {6 * 122}
    assert set(count(store, "Power Consumption", "real_power", TimeRange(NOON, clock.now + 1)).values()) == {6 * 3}
    store.close()


def test_the_simulator_writes_until_it_is_stopped(tmp_path: Path) -> None:
    store = open_store(tmp_path, time.time_ns)  # type: ignore[arg-type]
    fill_if_empty(store, time.time_ns())
    simulator = Simulator(store, 0.05)
    before = time.time_ns()
    simulator.start()
    while (store.last_point("Power Consumption") or 0) <= before:
        time.sleep(0.02)
    simulator.stop()
    simulator.stop()
    newest = store.last_point("Power Consumption")
    time.sleep(0.15)
    assert store.last_point("Power Consumption") == newest
    store.close()


def test_a_simulator_that_never_started_can_be_stopped(filled: EmbeddedStore) -> None:
    Simulator(filled, 1.0).stop()


def test_a_store_that_fails_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path)
    simulator = Simulator(store, 0.02, Clock(NOON))
    simulator.start()
    while len(caplog.records) < 2:
        time.sleep(0.02)
    for name in ("Weather", "Power Consumption"):
        store.create_bucket(BucketSpec(name))
    while store.last_point("Power Consumption") is None:
        time.sleep(0.02)
    simulator.stop()
    assert "The demo could not write and will try again: There is no bucket 'Power Consumption'" in caplog.text
    reading = store.read(Selection("Power Consumption", TimeRange(NOON, NOON + 1)))
    assert any(True for _ in reading.blocks)
    reading.cancel()
    store.close()
