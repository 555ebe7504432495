"""Windowed reads: the nine functions that give one row on the epoch grid or a local clock, with the stamps of Flux.

The expected rows are literal, so that a reader can work them out; those that InfluxDB's own
aggregateWindow can compute were seen to be equal there (test_against_flux).
"""

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import FieldType
from service.domain.selection import Fn, Selection, SkippedField, Stamp, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.stores.protocol import Store
from tests.support.rows import Row, Value, at, collect, read, row, span, store_all

HOUR = span("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z")
MIDNIGHT = at("2024-01-01T00:00:00Z")
MINUTE_NS = 60_000_000_000


def every(text: str, fn: Fn = Fn.MEAN, zone: str = "UTC") -> Windows:
    return Windows(parse_duration(text, "every"), fn, zone)


def minute(number: int) -> int:
    return MIDNIGHT + number * MINUTE_NS


FLOATS = {
    Fn.MEAN: (3.5, 10.0),
    Fn.MIN: (1.0, 10.0),
    Fn.MAX: (8.0, 10.0),
    Fn.SUM: (14.0, 10.0),
    Fn.COUNT: (4, 1),
    Fn.FIRST: (4.0, 10.0),
    Fn.LAST: (8.0, 10.0),
    Fn.MEDIAN: (2.5, 10.0),
    Fn.SPREAD: (7.0, 0.0),
}


@pytest.mark.parametrize("fn", FLOATS)
def test_each_function_on_floats(store: Store, bucket: str, fn: Fn) -> None:
    lines = [(0, "4"), (5, "1"), (10, "1"), (15, "8"), (30, "10")]
    store_all(store, bucket, "".join(f"m f={value} {minute(number)}\n" for number, value in lines))
    first, second = FLOATS[fn]
    assert read(store, bucket, HOUR, every("30m", fn)) == [
        row("m", {}, "f", minute(30), first),
        row("m", {}, "f", minute(60), second),
    ]


INTEGERS: dict[Fn, Value] = {
    Fn.MEAN: 0.75,
    Fn.MIN: -5,
    Fn.MAX: 7,
    Fn.SUM: 3,
    Fn.COUNT: 4,
    Fn.FIRST: 7,
    Fn.LAST: 1,
    Fn.MEDIAN: 0.5,
    Fn.SPREAD: 12,
}


@pytest.mark.parametrize("fn", INTEGERS)
def test_each_function_on_integers_has_its_own_type(store: Store, bucket: str, fn: Fn) -> None:
    values = ["7i", "0i", "-5i", "1i"]
    store_all(store, bucket, "".join(f"m f={value} {minute(number)}\n" for number, value in enumerate(values)))
    assert read(store, bucket, HOUR, every("1h", fn)) == [row("m", {}, "f", minute(60), INTEGERS[fn])]


@pytest.mark.parametrize("fn", INTEGERS)
def test_each_function_on_unsigned_integers_has_its_own_type(store: Store, bucket: str, fn: Fn) -> None:
    values = ["7u", "2u", "2u", "1u"]
    store_all(store, bucket, "".join(f"m f={value} {minute(number)}\n" for number, value in enumerate(values)))
    expected: dict[Fn, Value] = {Fn.MEAN: 3.0, Fn.MIN: 1, Fn.MAX: 7, Fn.SUM: 12, Fn.COUNT: 4, Fn.FIRST: 7, Fn.LAST: 1}
    expected |= {Fn.MEDIAN: 2.0, Fn.SPREAD: 6}
    assert read(store, bucket, HOUR, every("1h", fn)) == [
        row("m", {}, "f", minute(60), expected[fn], fn.output_type(FieldType.UNSIGNED).value)
    ]


@pytest.mark.parametrize(("fn", "text", "truth"), [(Fn.COUNT, 2, 2), (Fn.FIRST, "b", True), (Fn.LAST, "a", False)])
def test_count_first_and_last_take_text_and_booleans(
    store: Store, bucket: str, fn: Fn, text: Value, truth: Value
) -> None:
    store_all(store, bucket, f'm s="b",t=true {minute(1)}\nm s="a",t=false {minute(2)}\n')
    assert read(store, bucket, HOUR, every("1h", fn)) == [
        row("m", {}, "s", minute(60), text),
        row("m", {}, "t", minute(60), truth),
    ]


def test_the_ends_of_64_bits_pass_through_the_selectors(store: Store, bucket: str) -> None:
    low, high, most = -(2**63), 2**63 - 1, 2**64 - 1
    store_all(store, bucket, f"m i={low}i,u={most}u {minute(1)}\nm i={high}i,u=0u {minute(2)}\n")
    for fn, (integer, unsigned) in {
        Fn.MIN: (low, 0),
        Fn.MAX: (high, most),
        Fn.FIRST: (low, most),
        Fn.LAST: (high, 0),
    }.items():
        assert read(store, bucket, HOUR, every("1h", fn)) == [
            row("m", {}, "i", minute(60), integer),
            row("m", {}, "u", minute(60), unsigned, "unsigned"),
        ]


def test_windows_without_points_give_no_row(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {minute(1)}\nm f=2 {minute(50)}\n")
    assert read(store, bucket, HOUR, every("10m")) == [
        row("m", {}, "f", minute(10), 1.0),
        row("m", {}, "f", minute(60), 2.0),
    ]


def test_edge_windows_are_cut_to_the_range_and_the_last_is_stamped_with_its_stop(store: Store, bucket: str) -> None:
    store_all(store, bucket, "".join(f"m f={number} {minute(number)}\n" for number in range(60)))
    cut = span("2024-01-01T00:07:00Z", "2024-01-01T00:33:00Z")
    assert read(store, bucket, cut, every("10m", Fn.COUNT)) == [
        row("m", {}, "f", minute(10), 3),
        row("m", {}, "f", minute(20), 10),
        row("m", {}, "f", minute(30), 10),
        row("m", {}, "f", minute(33), 3),
    ]


def test_cut_edges_count_in_nanoseconds(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {minute(1)}\nm f=2 {minute(1) + 1}\nm f=3 {minute(2)}\nm f=4 {minute(2) + 1}\n")
    cut = span("2024-01-01T00:01:00.000000001Z", "2024-01-01T00:02:00.000000001Z")
    assert read(store, bucket, cut, every("1m")) == [
        row("m", {}, "f", minute(2), 2.0),
        row("m", {}, "f", minute(2) + 1, 3.0),
    ]


def test_an_every_longer_than_the_range_gives_one_row_a_series(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m,host=a f=1 {minute(1)}\nm,host=a f=3 {minute(2)}\nm,host=b f=5 {minute(3)}\n")
    assert read(store, bucket, HOUR, every("30d")) == [
        row("m", {"host": "a"}, "f", minute(60), 2.0),
        row("m", {"host": "b"}, "f", minute(60), 5.0),
    ]


def test_windows_before_1970_lie_on_the_same_grid(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {-MINUTE_NS - 1}\nm f=2 {-MINUTE_NS}\nm f=3 -1\nm f=4 0\n")
    assert read(store, bucket, span("1969-12-31T23:58:00Z", "1970-01-01T00:01:00Z"), every("1m")) == [
        row("m", {}, "f", -MINUTE_NS, 1.0),
        row("m", {}, "f", 0, 2.5),
        row("m", {}, "f", MINUTE_NS, 4.0),
    ]


def test_weeks_begin_on_thursday_as_the_epoch_did(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {at('2024-01-03T23:59:59Z')}\nm f=3 {at('2024-01-04T00:00:00Z')}\n")
    assert read(store, bucket, span("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"), every("1w")) == [
        row("m", {}, "f", "2024-01-04T00:00:00Z", 1.0),
        row("m", {}, "f", "2024-01-11T00:00:00Z", 3.0),
    ]


def test_a_window_over_a_shard_edge_is_one_window(store: Store, bucket: str) -> None:
    """Shard groups of a week begin on Monday; this window of 3 days lies on both sides of one."""
    store_all(store, bucket, f"m f=1 {at('2024-01-07T12:00:00Z')}\nm f=5 {at('2024-01-08T12:00:00Z')}\n")
    assert read(store, bucket, span("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"), every("4d")) == [
        row("m", {}, "f", "2024-01-10T00:00:00Z", 3.0)
    ]


def test_days_of_a_local_clock_last_23_and_25_hours_when_it_changes(store: Store, bucket: str) -> None:
    hours = [at("2024-03-30T00:30:00Z") + number * 60 * MINUTE_NS for number in range(72)]
    store_all(store, bucket, "".join(f"m f=1 {time_ns}\n" for time_ns in hours))
    march = span("2024-03-29T23:00:00Z", "2024-04-01T22:00:00Z")
    assert read(store, bucket, march, every("1d", Fn.COUNT, "Europe/Berlin")) == [
        row("m", {}, "f", "2024-03-30T23:00:00Z", 23),
        row("m", {}, "f", "2024-03-31T22:00:00Z", 23),
        row("m", {}, "f", "2024-04-01T22:00:00Z", 24),
    ]


def test_the_longer_day_of_autumn_is_one_window(store: Store, bucket: str) -> None:
    hours = [at("2024-10-26T22:30:00Z") + number * 60 * MINUTE_NS for number in range(26)]
    store_all(store, bucket, "".join(f"m f=1 {time_ns}\n" for time_ns in hours))
    october = span("2024-10-26T22:00:00Z", "2024-10-28T23:00:00Z")
    assert read(store, bucket, october, every("1d", Fn.COUNT, "Europe/Berlin")) == [
        row("m", {}, "f", "2024-10-27T23:00:00Z", 25),
        row("m", {}, "f", "2024-10-28T23:00:00Z", 1),
    ]


def test_a_zone_of_half_an_hour_moves_the_grid(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {minute(29)}\nm f=3 {minute(30)}\n")
    assert read(store, bucket, HOUR, every("1h", Fn.MEAN, "Asia/Kolkata")) == [
        row("m", {}, "f", minute(30), 1.0),
        row("m", {}, "f", minute(60), 3.0),
    ]


def test_a_row_may_have_the_time_at_which_its_window_starts(store: Store, bucket: str) -> None:
    """Text goes another way than numbers in InfluxDB; both have the same times, and the first is cut to the range."""
    store_all(store, bucket, "".join(f'm f={number},s="x{number}" {minute(number)}\n' for number in range(60)))
    cut = span("2024-01-01T00:07:00Z", "2024-01-01T00:33:00Z")
    rows = read(store, bucket, cut, Windows(10 * MINUTE_NS, Fn.FIRST, stamp=Stamp.START))
    starts = [7, 10, 20, 30]
    assert rows == [row("m", {}, "f", minute(number), float(number)) for number in starts] + [
        row("m", {}, "s", minute(number), f"x{number}") for number in starts
    ]


@pytest.mark.parametrize("complete_rows", [False, True])
def test_months_of_a_local_calendar(store: Store, bucket: str, complete_rows: bool) -> None:
    """In Berlin, November of 2024 begins at 23:00Z of the day before, and July at 22:00Z."""
    times = ["2024-06-30T21:59:59Z", "2024-06-30T22:00:00Z", "2024-10-31T22:59:59Z", "2024-10-31T23:00:00Z"]
    store_all(store, bucket, "".join(f'm f=1,s="x" {at(time)}\n' for time in times))
    year = span("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
    windows = Windows(0, Fn.COUNT, "Europe/Berlin", months=1, stamp=Stamp.START)
    starts = ["2024-05-31T22:00:00Z", "2024-06-30T22:00:00Z", "2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z"]
    assert read(store, bucket, year, windows, complete_rows=complete_rows) == [
        row("m", {}, field, start, 1) for field in "fs" for start in starts
    ]


def test_text_and_booleans_are_skipped_and_named_under_a_numeric_function(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm f=1,s="x",t=true {minute(1)}\nn t=false {minute(1)}\n')
    reading = store.read(Selection(bucket, HOUR, every("1h")))
    assert reading.plan.skipped == (
        SkippedField("m", "s", FieldType.STRING),
        SkippedField("m", "t", FieldType.BOOLEAN),
        SkippedField("n", "t", FieldType.BOOLEAN),
    )
    assert collect(reading) == [row("m", {}, "f", minute(60), 1.0)]


def test_text_asked_for_by_name_is_answered_with_last(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm f=1,s="x" {minute(1)}\nm f=3,s="y" {minute(2)}\n')
    assert read(store, bucket, HOUR, every("1h"), fields=("s", "f")) == [
        row("m", {}, "f", minute(60), 2.0),
        row("m", {}, "s", minute(60), "y"),
    ]


def mixed_numbers(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1.5 {at('2024-01-07T12:00:00Z')}\nm f=4i {at('2024-01-08T12:00:00Z')}\n")


@pytest.mark.parametrize(
    ("fn", "value"), [(Fn.MEAN, 2.75), (Fn.MIN, 1.5), (Fn.MAX, 4.0), (Fn.SUM, 5.5), (Fn.SPREAD, 2.5), (Fn.MEDIAN, 2.75)]
)
def test_a_field_of_several_numeric_types_is_computed_as_floats(
    store: Store, bucket: str, fn: Fn, value: float
) -> None:
    mixed_numbers(store, bucket)
    fortnight = span("2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z")
    assert read(store, bucket, fortnight, every("4d", fn)) == [row("m", {}, "f", "2024-01-10T00:00:00Z", value)]


@pytest.mark.parametrize(("fn", "value"), [(Fn.FIRST, 1.5), (Fn.LAST, 4), (Fn.COUNT, 2)])
def test_first_and_last_of_several_types_keep_the_value_as_it_is(
    store: Store, bucket: str, fn: Fn, value: Value
) -> None:
    mixed_numbers(store, bucket)
    fortnight = span("2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z")
    assert read(store, bucket, fortnight, every("4d", fn)) == [row("m", {}, "f", "2024-01-10T00:00:00Z", value)]


def test_numbers_of_a_field_that_was_text_in_another_shard_are_read(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm f="old" {at("2024-01-07T12:00:00Z")}\nm f=4i {at("2024-01-08T12:00:00Z")}\n')
    reading = store.read(Selection(bucket, span("2024-01-01T00:00:00Z", "2024-01-15T00:00:00Z"), every("4d")))
    assert reading.plan.skipped == (SkippedField("m", "f", FieldType.STRING),)
    assert collect(reading) == [row("m", {}, "f", "2024-01-10T00:00:00Z", 4.0)]


CENTURIES = TimeRange(at("1700-01-01T00:00:00Z"), LATEST_NS + 1)
"""Longer than 2^63 ns."""
IN_2023 = 1_700_000_000_000_000_000


def test_a_text_is_found_in_windows_over_more_than_64_bits(store: Store, bucket: str) -> None:
    """2023 less 1700 overflowed: the read failed."""
    store_all(store, bucket, f't s="x" {IN_2023}\n')
    assert read(store, bucket, CENTURIES, every("52w", Fn.LAST)) == [row("t", {}, "s", "2024-10-24T00:00:00Z", "x")]


@pytest.mark.parametrize("complete_rows", [False, True])
@pytest.mark.parametrize("text", ["52w", "3000w", "10000w", "15000w"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_windows_over_all_time_ascend_and_lose_nothing(
    store: Store, bucket: str, text: str, zone: str, complete_rows: bool
) -> None:
    """Floats by Flux and what it cannot do, from the first instant to the last; `collect` sees that rows ascend."""
    times = [EARLIEST_NS, EARLIEST_NS + 1, -8_500_000_000_000_000_000, -1, 0, IN_2023, LATEST_NS - 1, LATEST_NS]
    lines = [f'm f=1,s="x" {time_ns}\n' for time_ns in times]
    store_all(
        store,
        bucket,
        "".join(lines) + f"chg v=1 -300000000000000000\nchg v=2i {IN_2023}\nchg v=3 9214646400000000000\n",
    )
    ever = TimeRange(EARLIEST_NS, LATEST_NS + 1)
    rows = read(store, bucket, ever, every(text, Fn.COUNT, zone), complete_rows=complete_rows)
    counted = {name: sum(int(one.shown) for one in rows if one.field == name) for name in ("f", "s", "v")}
    assert counted == {"f": 8, "s": 8, "v": 3}
    assert [one.time_ns for one in rows if one.field == "f"] == [one.time_ns for one in rows if one.field == "s"]


@pytest.mark.parametrize("complete_rows", [False, True])
def test_rows_ascend_over_changes_of_a_field_s_type_and_back(store: Store, bucket: str, complete_rows: bool) -> None:
    """The floats came before the whole numbers, whatever their times."""
    days = [at("2024-01-01T12:00:00Z") + 7 * 1440 * MINUTE_NS * week for week in range(8)]
    values: list[Value] = [1, 1.5, 2, "x", 3.5, True, 4, 5]
    texts = ["1i", "1.5", "2i", '"x"', "3.5", "true", "4u", "5i"]
    lines = [f"m,host={host} v={text} {day}\n" for host in "ab" for day, text in zip(days, texts, strict=True)]
    store_all(store, bucket, "".join(lines))
    span = TimeRange(days[0], days[-1] + 1)
    kinds = [None] * 6 + ["unsigned", None]
    for windows in (None, every("1d", Fn.FIRST), every("1d", Fn.LAST)):
        stamps = days if windows is None else [min(day + 720 * MINUTE_NS, span.stop_ns) for day in days]
        assert read(store, bucket, span, windows, complete_rows=complete_rows) == [
            row("m", {"host": host}, "v", stamp, value, kind)
            for host in "ab"
            for stamp, value, kind in zip(stamps, values, kinds, strict=True)
        ]


def test_a_rewritten_point_counts_once(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {minute(1)}\n")
    store_all(store, bucket, f"m f=5 {minute(1)}\n")
    expected: list[Row] = [row("m", {}, "f", minute(60), 1)]
    assert read(store, bucket, HOUR, every("1h", Fn.COUNT)) == expected
    assert read(store, bucket, HOUR, every("1h", Fn.SUM)) == [row("m", {}, "f", minute(60), 5.0)]


@pytest.mark.parametrize("name", ["result", "table", "error", "a b", "${x}", 'q"q', "_value", "naïve 🌡", "back\\slash"])
def test_any_field_name_is_aggregated(store: Store, bucket: str, name: str) -> None:
    store_all(store, bucket, f"m,result=1,table=2 {name.replace(' ', chr(92) + ' ')}=1 {minute(1)}\n")
    assert read(store, bucket, HOUR, every("1h")) == [row("m", {"result": "1", "table": "2"}, name, minute(60), 1.0)]


def test_months_of_a_century_are_answered_where_there_are_points(store: Store, bucket: str) -> None:
    """Each month is a query to InfluxDB: those before the first point and after the last are not asked for."""
    lines = [f"m{number} f=1,g=2i {at('2024-02-05T00:00:00Z')}\n" for number in range(20)]
    store_all(store, bucket, "".join(lines))
    century = span("1950-01-01T00:00:00Z", "2049-01-01T00:00:00Z")
    rows = read(store, bucket, century, Windows(0, Fn.SUM, months=1))
    assert {row.time_ns for row in rows} == {at("2024-03-01T00:00:00Z")}
    assert len(rows) == 40


def test_months_of_an_empty_bucket_are_no_rows(store: Store, bucket: str) -> None:
    assert read(store, bucket, span("1950-01-01T00:00:00Z", "2049-01-01T00:00:00Z"), Windows(0, months=1)) == []
