"""Times of SQL columns: every instant belongs to one window, however the column shows it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter
from service.sources.sql_text import SqlColumns, SqlDefinition
from service.sources.sql_times import TimeForm, bounds, instants, naive_datetime, shown_times
from tests.support.rows import at, span


def definition(**members: Any) -> SqlDefinition:
    columns = SqlColumns("sensor", "value", "timestamp")
    return SqlDefinition("source.sql", sa.make_url("sqlite://"), True, columns, "m", table="t", **members)


def read(times: pa.Array, form: TimeForm, **members: Any) -> list[str]:
    shown, is_utc = shown_times(times, form, definition(**members))
    return [format_time(time.value) for time in instants(shown, is_utc, definition(**members))]


def test_instants_keep_their_microseconds() -> None:
    times = pa.array([1], pa.timestamp("us", tz="UTC"))
    assert read(times, TimeForm.INSTANT) == ["1970-01-01T00:00:00.000001000Z"]


def test_a_local_time_is_an_instant_of_the_zone() -> None:
    times = pa.array([dt.datetime(2026, 7, 1, 12)])
    assert read(times, TimeForm.LOCAL, zone="Europe/Berlin") == ["2026-07-01T10:00:00Z"]


def test_of_the_hour_that_autumn_repeats_the_later_instant_is_taken() -> None:
    hours = [dt.datetime(2026, 10, 25, 1, 30), dt.datetime(2026, 10, 25, 2, 30), dt.datetime(2026, 10, 25, 3, 30)]
    assert read(pa.array(hours), TimeForm.LOCAL, zone="Europe/Berlin") == [
        "2026-10-24T23:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:30:00Z",
    ]


def test_a_time_that_spring_skips_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="skips an hour in spring") as wrong:
        read(pa.array([dt.datetime(2026, 3, 29, 2, 30)]), TimeForm.LOCAL, zone="Europe/Berlin")
    assert wrong.value.parameter == "source.sql.zone"


def test_a_local_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="times without an offset") as wrong:
        read(pa.array([dt.datetime(2026, 1, 1)]), TimeForm.LOCAL)
    assert wrong.value.parameter == "source.sql.zone"


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (1_700_000_000, "s", "2023-11-14T22:13:20Z"),
        (1_700_000_000_001, "ms", "2023-11-14T22:13:20.001000000Z"),
        (1_700_000_000_000_001, "us", "2023-11-14T22:13:20.000001000Z"),
        (1_700_000_000_000_000_001, "ns", "2023-11-14T22:13:20.000000001Z"),
        (1_700_000_000.5, "s", "2023-11-14T22:13:20.500000000Z"),
        (-1.5, "s", "1969-12-31T23:59:58.500000000Z"),
    ],
)
def test_numbers_since_1970(number: float, unit: str, shown: str) -> None:
    assert read(pa.array([number]), TimeForm.NUMBER, unit=unit) == [shown]


def test_decimals_since_1970_are_exact() -> None:
    times = pa.array(["1700000000.123456789"]).cast(pa.decimal128(38, 9))
    assert read(times, TimeForm.NUMBER, unit="s") == ["2023-11-14T22:13:20.123456789Z"]


def test_a_number_that_no_time_is_is_refused() -> None:
    for number in (2**62, 1e300, float("nan")):
        with pytest.raises(InvalidParameter, match="no times that InfluxDB can store"):
            read(pa.array([number]), TimeForm.NUMBER, unit="s")


@pytest.mark.parametrize(
    ("text", "zone", "shown"),
    [
        ("2026-01-01 08:00:00", "UTC", "2026-01-01T08:00:00Z"),
        ("2026-01-01T08:00:00.123456789", "UTC", "2026-01-01T08:00:00.123456789Z"),
        ("2026-01-01 08:00:00.5Z", None, "2026-01-01T08:00:00.500000000Z"),
        ("2026-01-01 08:00:00+00:00", None, "2026-01-01T08:00:00Z"),
        ("2026-01-01 08:00", "Europe/Berlin", "2026-01-01T07:00:00Z"),
        ("2026-01-01", "UTC", "2026-01-01T00:00:00Z"),
    ],
)
def test_texts(text: str, zone: str | None, shown: str) -> None:
    assert read(pa.array([text]), TimeForm.TEXT, zone=zone) == [shown]


@pytest.mark.parametrize(
    ("texts", "zone", "reason"),
    [
        (["2026-01-01 08:00:00"], None, "no zone is given"),
        (["2026-01-01 08:00:00Z"], "UTC", "a zone is given all the same"),
        (["2026-01-01 08:00:00Z", "2026-01-01 08:00:00"], None, "in some rows and not in others"),
        (["2026-01-01 08:00:00+02:00"], "UTC", "another form"),
        (["yesterday"], "UTC", "another form"),
        (["2026-02-30 08:00:00"], "UTC", "no times from 1677"),
        (["1500-01-01 08:00:00"], "UTC", "no times from 1677"),
    ],
)
def test_texts_that_are_refused(texts: list[str], zone: str | None, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        read(pa.array(texts), TimeForm.TEXT, zone=zone)


def test_a_column_of_microseconds_is_asked_from_the_first_whole_one() -> None:
    asked = bounds(
        TimeRange(at("2026-01-01T00:00:00.000000001Z"), at("2026-01-01T00:00:01Z")), TimeForm.INSTANT, definition()
    )
    assert naive_datetime(asked.low_ns) == dt.datetime(2026, 1, 1, 0, 0, 0, 1)
    assert naive_datetime(asked.high_ns) == dt.datetime(2026, 1, 1, 0, 0, 1)


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
CHANGES = st.sampled_from(
    ["2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z", "2026-03-29T01:00:00Z"]
)
SECONDS = st.integers(-20_000, 20_000)


@given(ZONES, CHANGES, SECONDS, st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.sampled_from("LT"))
def test_the_database_is_asked_for_a_whole_window(
    zone: str, change: str, start_s: int, length_s: int, place: float, form: str
) -> None:
    """Windows and rows of them around changes of clocks. `place`: where in the window the row is."""
    start_ns = at(change) + start_s * 10**9
    window = TimeRange(start_ns, start_ns + length_s * 10**9)
    time_ns = start_ns + int(place * length_s) * 10**9
    clock = dt.datetime.fromtimestamp(time_ns // 10**9, ZoneInfo(zone))
    shown = pa.array([clock.replace(tzinfo=None)]).cast(pa.timestamp("ns"))
    (read_back,) = instants(shown, False, definition(zone=zone))
    if read_back.value in range(window.start_ns, window.stop_ns):  # else it is the first of two
        asked = bounds(window, TimeForm.LOCAL if form == "L" else TimeForm.TEXT, definition(zone=zone))
        assert asked.low_ns <= shown[0].value < asked.high_ns


def test_the_whole_of_time_is_asked_for_within_what_databases_hold() -> None:
    asked = bounds(span("1677-09-22T00:00:00Z", "2262-04-11T00:00:00Z"), TimeForm.LOCAL, definition(zone="UTC"))
    assert (naive_datetime(asked.low_ns).year, naive_datetime(asked.high_ns).year) == (1752, 2262)
