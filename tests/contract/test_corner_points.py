"""`fn=m4`, on every store: of each window the first, last, lowest and highest point, each once, with its own time."""

import random

import pytest

from service.domain.chart_windows import chart_windows
from service.domain.durations import parse_duration
from service.domain.schema import FieldType
from service.domain.selection import Fn, Selection, SkippedField, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.stores.protocol import Store
from tests.support.model import Point, window_rows
from tests.support.rows import Value, at, collect, read, row, span, store_all

HOUR = span("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z")
DAYS = span("2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z")
SECOND_NS = 1_000_000_000


def m4(text: str, zone: str = "UTC") -> Windows:
    return Windows(parse_duration(text, "every"), Fn.M4, zone)


def minute(number: int) -> int:
    return HOUR.start_ns + number * 60 * SECOND_NS


def lines(values: dict[int, object], field: str = "f") -> str:
    return "".join(f"m {field}={value} {minute(number)}\n" for number, value in values.items())


def test_of_each_window_the_four_points_come_with_their_own_times(store: Store, bucket: str) -> None:
    store_all(store, bucket, lines({0: 4, 3: 5, 7: 9, 11: 5, 13: -2, 17: 3, 29: 6, 30: 1, 31: 7}))
    assert read(store, bucket, HOUR, m4("30m")) == [
        row("m", {}, "f", minute(number), value)
        for number, value in {0: 4.0, 7: 9.0, 13: -2.0, 29: 6.0, 30: 1.0, 31: 7.0}.items()
    ]


def test_a_point_that_is_several_of_them_comes_once(store: Store, bucket: str) -> None:
    store_all(store, bucket, lines({1: 5, 20: 1, 21: 2, 40: 3, 41: 3, 42: 3}))
    assert [(one.time_ns, one.shown) for one in read(store, bucket, HOUR, m4("20m"))] == [
        (minute(1), "5.0"),
        (minute(20), "1.0"),
        (minute(21), "2.0"),
        (minute(40), "3.0"),
        (minute(42), "3.0"),
    ]


def test_of_equal_values_the_earliest_point_counts(store: Store, bucket: str) -> None:
    store_all(store, bucket, lines({0: 5, 4: 9, 5: 1, 6: 9, 7: 1, 8: 5}) + lines({0: 5, 3: -0.0, 4: 0.0, 9: 5}, "z"))
    rows = read(store, bucket, HOUR, m4("1h"))
    assert [(one.field, one.time_ns, one.shown) for one in rows] == [
        ("f", minute(0), "5.0"),
        ("f", minute(4), "9.0"),
        ("f", minute(5), "1.0"),
        ("f", minute(8), "5.0"),
        ("z", minute(0), "5.0"),
        ("z", minute(3), "-0.0"),
        ("z", minute(9), "5.0"),
    ]


def test_whole_numbers_keep_their_type_and_all_64_bits(store: Store, bucket: str) -> None:
    low, high, most = -(2**63), 2**63 - 1, 2**64 - 1
    store_all(store, bucket, lines({1: "7i", 2: f"{high}i", 3: f"{high - 1}i", 4: f"{low}i", 5: "0i"}, "i"))
    store_all(store, bucket, lines({1: "7u", 2: f"{most}u", 3: f"{most - 1}u", 4: "0u", 5: "9u"}, "u"))
    for field, kind, values in (("i", "integer", (7, high, low, 0)), ("u", "unsigned", (7, most, 0, 9))):
        assert read(store, bucket, HOUR, m4("1h"), fields=(field,)) == [
            row("m", {}, field, minute(number), value, kind) for number, value in zip((1, 2, 4, 5), values, strict=True)
        ]


def test_floats_keep_their_bits(store: Store, bucket: str) -> None:
    values = {1: 5e-324, 2: -1.7976931348623157e308, 3: 0.1, 4: 1.7976931348623157e308, 5: 0.30000000000000004}
    store_all(store, bucket, lines(values))
    rows = read(store, bucket, HOUR, m4("1h"))
    assert [one.shown for one in rows] == [repr(values[number]) for number in (1, 2, 4, 5)]


def test_text_and_booleans_are_skipped_and_named(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm f=1,s="x",t=true {minute(1)}\n')
    reading = store.read(Selection(bucket, HOUR, m4("1h")))
    assert reading.plan.skipped == (
        SkippedField("m", "s", FieldType.STRING),
        SkippedField("m", "t", FieldType.BOOLEAN),
    )
    assert collect(reading) == [row("m", {}, "f", minute(1), 1.0)]


@pytest.mark.parametrize("complete_rows", [False, True])
def test_text_and_booleans_asked_for_by_name_are_the_last_points(
    store: Store, bucket: str, complete_rows: bool
) -> None:
    truths = {1: "false", 2: "true", 3: "false"}
    text = (f'm f={number},s="x{number}",t={truth} {minute(number)}\n' for number, truth in truths.items())
    store_all(store, bucket, "".join(text))
    rows = read(store, bucket, HOUR, m4("1h"), fields=("s", "f", "t"), complete_rows=complete_rows)
    assert rows == [
        row("m", {}, "f", minute(1), 1.0),
        row("m", {}, "f", minute(3), 3.0),
        row("m", {}, "s", minute(3), "x3"),
        row("m", {}, "t", minute(3), False),
    ]


def test_a_field_of_several_numeric_types_is_read_as_floats(store: Store, bucket: str) -> None:
    times = [at(f"2024-01-0{day}T12:00:00Z") for day in (6, 7, 8, 9)]
    texts = zip(("2", "1.5", "4i", "3i"), times, strict=True)
    store_all(store, bucket, "".join(f"m f={text} {time}\n" for text, time in texts))
    assert read(store, bucket, DAYS, m4("52w")) == [
        row("m", {}, "f", time, value) for time, value in zip(times, (2.0, 1.5, 4.0, 3.0), strict=True)
    ]


def test_numbers_of_a_field_that_was_text_in_another_shard_are_read(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm f="old" {at("2024-01-07T12:00:00Z")}\nm f=4i {at("2024-01-08T12:00:00Z")}\n')
    reading = store.read(Selection(bucket, DAYS, m4("4d")))
    assert reading.plan.skipped == (SkippedField("m", "f", FieldType.STRING),)
    assert collect(reading) == [row("m", {}, "f", "2024-01-08T12:00:00Z", 4)]


@pytest.mark.parametrize("name", ["result", "_time", "a b", "${x}", 'q"q', "naïve 🌡", "back\\slash"])
def test_series_with_any_tags_stay_apart(store: Store, bucket: str, name: str) -> None:
    """Some of these names cannot be said in Flux: their points are read instead."""
    key = name.replace(" ", "\\ ")
    text = "".join(f"m,{key}={host},k=v f={host * (-1) ** n} {minute(n)}\n" for host in (1, 2) for n in range(5))
    store_all(store, bucket, text)
    assert read(store, bucket, HOUR, m4("1h")) == [
        row("m", {name: str(host), "k": "v"}, "f", minute(n), float(host * (-1) ** n))
        for host in (1, 2)
        for n in (0, 1, 4)
    ]


def test_a_range_that_cuts_its_windows_gives_points_inside_of_it(store: Store, bucket: str) -> None:
    store_all(store, bucket, lines({number: number for number in range(60)}))
    cut = TimeRange(minute(7) + 1, minute(33))
    assert [(one.time_ns - HOUR.start_ns) // (60 * SECOND_NS) for one in read(store, bucket, cut, m4("10m"))] == [
        8,
        9,
        10,
        19,
        20,
        29,
        30,
        32,
    ]


def test_days_and_months_of_a_local_clock(store: Store, bucket: str) -> None:
    """In Berlin, the day of 31 March 2024 has 23 hours; November begins at 23:00Z of the day before."""
    hours = span("2024-03-30T00:00:00Z", "2024-04-02T00:00:00Z")
    times = range(hours.start_ns, hours.stop_ns, 3600 * SECOND_NS)
    store_all(store, bucket, "".join(f"m f={number} {time}\n" for number, time in enumerate(times)))
    days = [one.time_ns for one in read(store, bucket, hours, m4("1d", "Europe/Berlin"))]
    edges = ["2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z", "2024-04-01T22:00:00Z"]
    inner = sorted(at(edge) - before for edge in edges for before in (0, 3600 * SECOND_NS))
    assert days == [hours.start_ns, *inner, hours.stop_ns - 3600 * SECOND_NS]
    months = read(store, bucket, hours, Windows(0, Fn.M4, "Europe/Berlin", months=1))
    assert [one.time_ns for one in months] == [days[0], *inner[2:4], days[-1]]


@pytest.mark.parametrize("complete_rows", [False, True])
@pytest.mark.parametrize("text", ["52w", "15000w"])
def test_all_time_is_read_from_its_first_instant_to_its_last(
    store: Store, bucket: str, text: str, complete_rows: bool
) -> None:
    times = [EARLIEST_NS, EARLIEST_NS + 1, -8_500_000_000_000_000_000, -1, 0, 1_700_000_000_000_000_000, LATEST_NS]
    store_all(store, bucket, "".join(f"m f={number},i={number}i {time}\n" for number, time in enumerate(times)))
    ever = TimeRange(EARLIEST_NS, LATEST_NS + 1)
    rows = read(store, bucket, ever, m4(text), complete_rows=complete_rows)
    assert {one.field for one in rows} == {"f", "i"}
    assert {one.time_ns for one in rows} <= set(times)
    assert {times[0], times[-1]} <= {one.time_ns for one in rows if one.field == "f"}
    if text == "52w":
        assert [one.time_ns for one in rows if one.field == "i"] == times


@pytest.mark.parametrize("complete_rows", [False, True])
def test_many_windows_of_many_series_are_those_of_the_model(store: Store, bucket: str, complete_rows: bool) -> None:
    """More rows than a block holds, of values that are often equal; in InfluxDB few points of a window are read another
    way than many.
    """
    pick = random.Random(4)
    many: list[Point] = [
        ("m", (("host", host),), field, minute(0) + number * SECOND_NS, kind, value)
        for host in "abcd"
        for number in range(3600)
        for field, kind in (("f", FieldType.FLOAT), ("i", FieldType.INTEGER))
        for value in [pick.choice([0.5, 1.5, 2.5]) if kind is FieldType.FLOAT else pick.randrange(3)]
    ]
    shown = {FieldType.FLOAT: "{}", FieldType.INTEGER: "{}i"}
    points = ((tags[0][1], field, shown[kind].format(value), time) for _, tags, field, time, kind, value in many)
    store_all(store, bucket, "".join(f"m,host={host} {field}={text} {time}\n" for host, field, text, time in points))
    for every_s in (7, 60, 900):
        windows = Windows(every_s * SECOND_NS, Fn.M4)
        rows = read(store, bucket, HOUR, windows, complete_rows=complete_rows)
        assert rows == window_rows(many, HOUR, windows.every_ns, Fn.M4)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("complete_rows", [False, True])
def test_windows_of_many_points_keep_all_bits(store: Store, bucket: str, zone: str, complete_rows: bool) -> None:
    """The range cuts the window, and beyond it there are points that are higher and lower."""
    low, high, most = -(2**63), 2**63 - 1, 2**64 - 1
    held = {100: (0.0, low, 0), 200: (0.5, high, most), 300: (-0.0, low, 0), 400: (0.5, high, most)}
    middle = (0.25, 5, 7)
    text = "".join(
        f"m f={f!r},i={i}i,u={u}u {HOUR.start_ns + number * SECOND_NS}\n"
        for number in range(1, 900)
        for f, i, u in [held.get(number, middle)]
    )
    store_all(store, bucket, f"m f=-1,i=0i,u=1u {HOUR.start_ns}\n{text}m f=2,i=1i,u=8u {minute(15)}\n")
    cut = TimeRange(HOUR.start_ns + 1, minute(15))
    rows = read(store, bucket, cut, m4("1d", zone), complete_rows=complete_rows)
    for place, (field, kind) in enumerate((("f", "float"), ("i", "integer"), ("u", "unsigned"))):
        assert [one for one in rows if one.field == field] == [
            row("m", {}, field, HOUR.start_ns + number * SECOND_NS, held.get(number, middle)[place], kind)
            for number in (1, 100, 200, 899)
        ]


def test_a_spike_of_one_second_in_a_year_is_seen(store: Store, bucket: str) -> None:
    year = span("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    spike: dict[int, Value] = {at("2025-07-14T03:09:26Z"): 99.5}
    calm = dict.fromkeys(range(year.start_ns, year.stop_ns, 600 * SECOND_NS), 20.0)
    store_all(store, bucket, "".join(f"m f={value} {time}\n" for time, value in (calm | spike).items()))
    chart = chart_windows(year, 800)
    rows = read(store, bucket, chart.span, Windows(chart.every_ns, Fn.M4))
    assert len(rows) <= 4 * 800
    assert {one.time_ns: float(one.shown) for one in rows if float(one.shown) > 20} == spike
