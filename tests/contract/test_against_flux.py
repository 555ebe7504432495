"""Any points, any range, any window: the store, the slow model and InfluxDB's own Flux agree on every row.

Values are small multiples of a quarter, so that sums are exact in any order of adding.
"""

import secrets
from functools import lru_cache
from itertools import product
from zoneinfo import available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.schema import BucketSpec, FieldType
from service.domain.selection import Fn, Stamp, Windows
from service.domain.timerange import TimeRange
from service.domain.windows import clock_segments
from service.stores.protocol import Store
from tests.support.fluxrows import aggregate_window
from tests.support.model import Point, raw_rows, window_rows
from tests.support.rows import at, read, span, store_all, write
from tests.support.servers import InfluxServer

SECOND_NS = 1_000_000_000
BASE = at("2024-01-07T23:59:00Z")
"""A minute before the edge of a shard group, so that ranges of a few minutes lie on both sides."""
NUMBERS = 'r._field == "f" or r._field == "i" or r._field == "u"'

_offsets = st.integers(0, 240 * SECOND_NS) | st.integers(0, 24).map(lambda tens: tens * 10 * SECOND_NS)
_series = st.sampled_from([(), (("host", "a"),), (("host", "b"),), (("host", "a"), ("room", "x y"))])
_values = st.one_of(
    st.integers(-400, 400).map(lambda quarters: ("f", FieldType.FLOAT, quarters / 4)),
    st.integers(-400, 400).map(lambda value: ("i", FieldType.INTEGER, value)),
    st.integers(0, 400).map(lambda value: ("u", FieldType.UNSIGNED, value)),
    st.text("ab \n", max_size=3).map(lambda value: ("s", FieldType.STRING, value)),
    st.booleans().map(lambda value: ("t", FieldType.BOOLEAN, value)),
)


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    many = draw(st.lists(st.tuples(_series, _offsets, _values), min_size=1, max_size=40))
    return [("m", tags, field, BASE + offset, kind, value) for tags, offset, (field, kind, value) in many]


@st.composite
def ranges(draw: st.DrawFn) -> TimeRange:
    start, stop = sorted(draw(st.lists(_offsets, min_size=2, max_size=2, unique=True)))
    return TimeRange(BASE + start, BASE + stop)


def line(point: Point) -> str:
    measurement, tags, field, time_ns, kind, value = point
    shown = {FieldType.INTEGER: f"{value}i", FieldType.UNSIGNED: f"{value}u", FieldType.STRING: f'"{value}"'}.get(
        kind, str(value)
    )
    held = "".join(f",{key}={text}".replace(" ", "\\ ") for key, text in tags)
    return f"{measurement}{held} {field}={shown} {time_ns}\n"


def filled(store: Store, many: list[Point]) -> str:
    """A fresh bucket with these points, each written by itself in this order."""
    name = f"Property {secrets.token_hex(8)}"
    store.create_bucket(BucketSpec(name))
    assert write(store, name, "".join(map(line, many))).stored == len(many)
    return name


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(many=points(), span=ranges(), complete_rows=st.booleans())
def test_raw_rows_are_the_stored_points(store: Store, many: list[Point], span: TimeRange, complete_rows: bool) -> None:
    assert read(store, filled(store, many), span, complete_rows=complete_rows) == raw_rows(many, span)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(many=points(), span=ranges(), every_s=st.sampled_from([1, 7, 10, 60, 61, 3600]), complete_rows=st.booleans())
def test_windowed_rows_are_those_of_the_model_and_of_flux(
    store: Store, influx: InfluxServer, many: list[Point], span: TimeRange, every_s: int, complete_rows: bool
) -> None:
    bucket = filled(store, many)
    reference = influx.new_bucket()
    influx.write(reference, "".join(map(line, many)))
    for fn in Fn:
        windows = Windows(every_s * SECOND_NS, fn)
        found = read(store, bucket, span, windows, complete_rows=complete_rows)
        assert found == window_rows(many, span, windows.every_ns, fn)
        if fn is Fn.M4:  # no function of Flux
            continue
        where = NUMBERS if fn.numeric_only else 'r._field != "s"'
        assert [one for one in found if one.field != "s"] == aggregate_window(influx, reference, span, windows, where)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    hours=st.lists(st.integers(0, 4 * 96), min_size=1, max_size=40, unique=True),
    every_m=st.sampled_from([15, 60, 360, 1440]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    year_day=st.sampled_from(
        ["2024-03-29T23:00:00Z", "2024-10-25T22:00:00Z", "2024-03-09T05:00:00Z", "2024-11-02T04:00:00Z"]
    ),
)
def test_windows_on_a_local_clock_are_those_of_flux(
    store: Store, influx: InfluxServer, hours: list[int], every_m: int, zone: str, year_day: str
) -> None:
    start = at(year_day)
    many: list[Point] = [("m", (), "f", start + quarter * 900 * SECOND_NS, FieldType.FLOAT, 1.0) for quarter in hours]
    bucket = filled(store, many)
    reference = influx.new_bucket()
    influx.write(reference, "".join(map(line, many)))
    window = TimeRange(start, start + 97 * 3600 * SECOND_NS)
    windows = Windows(every_m * 60 * SECOND_NS, Fn.COUNT, zone)
    assert read(store, bucket, window, windows) == aggregate_window(influx, reference, window, windows)


ZONES = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("posix/", "right/")))
CENTURY = span("1900-01-01T00:00:00Z", "2037-01-01T00:00:00Z")


@lru_cache
def clock_changes(zone: str) -> list[int]:
    return [segment.start_ns for segment, _ in clock_segments(CENTURY, zone)][1:]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    zone=st.sampled_from(ZONES).filter(clock_changes),
    change=st.integers(0, 2**20),
    every_s=st.integers(1, 240).map(lambda minutes: 60 * minutes)
    | st.integers(60, 20_000)
    | st.integers(1, 72).map(lambda hours: 3600 * hours)
    | st.sampled_from([86_400, 7 * 86_400]),
    before_m=st.integers(0, 3_000),
    after_m=st.integers(1, 180) | st.integers(1, 3_000),
)
def test_windows_around_a_change_of_any_local_clock_are_those_of_flux(
    store: Store, influx: InfluxServer, zone: str, change: int, every_s: int, before_m: int, after_m: int
) -> None:
    """A point each minute around the change; hypothesis prints what reproduces a failure."""
    change_ns = clock_changes(zone)[change % len(clock_changes(zone))]
    minute_ns = 60 * SECOND_NS
    many: list[Point] = [
        ("m", (), "f", change_ns + minute * minute_ns, FieldType.FLOAT, 1.0)
        for minute in [*range(-before_m, -200, 50), *range(-200, 200), *range(200, after_m, 50)]
    ]
    bucket, reference = f"Property {secrets.token_hex(8)}", influx.new_bucket()
    store.create_bucket(BucketSpec(bucket))
    store_all(store, bucket, "".join(map(line, many)))
    influx.write(reference, "".join(map(line, many)))
    around = TimeRange(change_ns - before_m * minute_ns, change_ns + after_m * minute_ns)
    windows = Windows(every_s * SECOND_NS, Fn.COUNT, zone)
    assert read(store, bucket, around, windows) == aggregate_window(influx, reference, around, windows)


@pytest.mark.parametrize(
    ("zone", "start", "every_m", "expected"),
    [
        ("Europe/Berlin", "2025-03-30T00:00:00Z", 80, [(20, 20), (60, 40), (120, 60), (180, 60)]),
        ("Europe/Berlin", "2025-03-30T00:00:00Z", 160, [(60, 60), (180, 120)]),
        ("Europe/Berlin", "2025-03-30T00:00:00Z", 48, [(36, 36), (60, 24), (72, 12), (120, 48), (168, 48), (180, 12)]),
        ("Antarctica/Troll", "2025-03-30T00:00:00Z", 120, [(60, 60), (120, 60), (180, 60)]),
        (
            "Australia/Lord_Howe",
            "2025-10-04T14:00:00Z",
            45,
            [(15, 15), (60, 45), (90, 30), (120, 30), (165, 45), (180, 15)],
        ),
    ],
)
def test_an_edge_in_the_hour_that_spring_skips_is_the_instant_of_the_change(
    store: Store, influx: InfluxServer, zone: str, start: str, every_m: int, expected: list[tuple[int, int]]
) -> None:
    minute_ns, start_ns = 60 * SECOND_NS, at(start)
    many: list[Point] = [("m", (), "f", start_ns + minute * minute_ns, FieldType.FLOAT, 1.0) for minute in range(180)]
    bucket, reference = f"Property {secrets.token_hex(8)}", influx.new_bucket()
    store.create_bucket(BucketSpec(bucket))
    store_all(store, bucket, "".join(map(line, many)))
    influx.write(reference, "".join(map(line, many)))
    hours, windows = TimeRange(start_ns, start_ns + 180 * minute_ns), Windows(every_m * minute_ns, Fn.COUNT, zone)
    rows = read(store, bucket, hours, windows)
    assert [((one.time_ns - start_ns) // minute_ns, int(one.shown)) for one in rows] == expected
    assert rows == aggregate_window(influx, reference, hours, windows)


@pytest.mark.parametrize(
    ("months", "zone", "start", "stop"),
    [
        (1, "UTC", "2023-11-17T12:00:00Z", "2024-08-03T01:00:00Z"),
        (1, "UTC", "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        (2, "UTC", "1969-06-01T00:00:00Z", "1970-07-01T00:00:00Z"),
        (5, "UTC", "1968-01-01T00:00:00Z", "1972-01-01T00:00:00Z"),
        (12, "UTC", "2022-06-30T00:00:00Z", "2025-02-01T00:00:00Z"),
        (24, "UTC", "1967-02-03T00:00:00Z", "1973-02-03T00:00:00Z"),
        (1, "Europe/Berlin", "2024-02-10T05:00:00Z", "2024-06-24T00:00:00Z"),
        (3, "America/New_York", "2023-08-01T00:00:00Z", "2024-08-01T00:00:00Z"),
        (1, "Asia/Kathmandu", "1985-10-01T00:00:00Z", "1986-03-01T00:00:00Z"),
    ],
)
def test_months_and_years_are_those_of_flux(
    store: Store, influx: InfluxServer, months: int, zone: str, start: str, stop: str
) -> None:
    """Points in the days around some edges of months, each half an hour and a nanosecond before."""
    whole = span(start, stop)
    years = range(int(start[:4]), int(stop[:4]) + 1)
    edges = [
        at(f"{year}-{month:02d}-01T00:00:00Z") for year in years for month in range(1, 13, 2 if months < 12 else 12)
    ]
    steps = range(-30, 30)
    times = {edge + step * 1_800 * SECOND_NS + shift for edge in edges for step in steps for shift in (-1, 0)}
    many: list[Point] = [("m", (), "f", time_ns, FieldType.FLOAT, 1.0) for time_ns in sorted(times)]
    bucket, reference = f"Property {secrets.token_hex(8)}", influx.new_bucket()
    store.create_bucket(BucketSpec(bucket))
    store_all(store, bucket, "".join(map(line, many)))
    influx.write(reference, "".join(map(line, many)))
    for fn, stamp in product((Fn.COUNT, Fn.LAST), (Stamp.START, Stamp.STOP)):
        windows = Windows(0, fn, zone, months, stamp)
        rows = read(store, bucket, whole, windows)
        assert rows == aggregate_window(influx, reference, whole, windows)
        assert len(rows) > 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    many=points(),
    span=ranges(),
    every_ns=st.sampled_from([500_000_000, 7 * SECOND_NS, 61 * SECOND_NS, 3600 * SECOND_NS]),
    complete_rows=st.booleans(),
)
def test_windows_stamped_with_their_start_are_those_of_flux(
    store: Store, influx: InfluxServer, many: list[Point], span: TimeRange, every_ns: int, complete_rows: bool
) -> None:
    bucket = filled(store, many)
    reference = influx.new_bucket()
    influx.write(reference, "".join(map(line, many)))
    for fn in (Fn.MEAN, Fn.FIRST, Fn.MAX):
        windows = Windows(every_ns, fn, stamp=Stamp.START)
        found = read(store, bucket, span, windows, complete_rows=complete_rows)
        where = NUMBERS if fn.numeric_only else 'r._field != "s"'
        assert [one for one in found if one.field != "s"] == aggregate_window(influx, reference, span, windows, where)


@pytest.mark.parametrize("every_ns", [1, 1_000, 500_000_000])
def test_windows_of_less_than_a_second_are_those_of_flux(store: Store, influx: InfluxServer, every_ns: int) -> None:
    many: list[Point] = [("m", (), "f", BASE + step * every_ns // 3, FieldType.FLOAT, 1.0) for step in range(1, 40)]
    bucket, reference = filled(store, many), influx.new_bucket()
    influx.write(reference, "".join(map(line, many)))
    around, windows = TimeRange(BASE, BASE + 20 * every_ns), Windows(every_ns, Fn.COUNT)
    assert read(store, bucket, around, windows) == aggregate_window(influx, reference, around, windows)


def test_the_literal_rows_of_this_suite_are_those_of_flux(influx: InfluxServer, influx_bucket: str) -> None:
    """The medians of test_windows: of an even number of values, the mean of the middle two."""
    store_span = span("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z")
    base = store_span.start_ns
    influx.write(
        influx_bucket, "".join(f"m f={value} {base + number}\n" for number, value in enumerate(["4", "1", "1", "8"]))
    )
    rows = aggregate_window(influx, influx_bucket, store_span, Windows(3600 * SECOND_NS, Fn.MEDIAN))
    assert [one.shown for one in rows] == ["2.5"]
