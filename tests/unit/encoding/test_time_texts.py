"""Instants as text: RFC 3339, exact over all of int64, with the offset of the zone at that instant."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import EARLIEST_NS, LATEST_NS, format_time, parse_time
from service.encoding.time_texts import rfc3339

ZONES = [
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Europe/Amsterdam",
    "Africa/Monrovia",
]
BERLIN_AUTUMN_S = 1_792_890_000
"""2026-10-25T01:00:00Z, when Berlin goes from +02:00 to +01:00."""


def texts(times_ns: list[int], zone: str = "UTC") -> list[str]:
    return rfc3339(np.array(times_ns, np.int64), zone).to_pylist()  # type: ignore[no-any-return]


def test_a_whole_second_has_no_fraction_and_any_other_time_has_nine_digits() -> None:
    assert texts([0, 1, -1, 1_500_000_000]) == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000000001Z",
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:01.500000000Z",
    ]


def test_the_first_and_the_last_instant_of_int64_are_right() -> None:
    assert texts([-(2**63), 2**63 - 1]) == ["1677-09-21T00:12:43.145224192Z", "2262-04-11T23:47:16.854775807Z"]


@given(st.lists(st.one_of(st.integers(EARLIEST_NS, LATEST_NS), st.integers(-5, 5).map(lambda s: s * 1_000_000_000))))
def test_utc_texts_equal_the_slow_obvious_ones(times_ns: list[int]) -> None:
    assert texts(times_ns) == [format_time(time_ns) for time_ns in times_ns]


@given(
    st.lists(st.integers(EARLIEST_NS, LATEST_NS), min_size=1),
    st.sampled_from(ZONES),
)
def test_zoned_texts_name_the_same_instant_on_the_local_clock(times_ns: list[int], zone: str) -> None:
    for time_ns, text in zip(times_ns, texts(times_ns, zone), strict=True):
        assert parse_time(text, "t") == time_ns
        shift = (
            (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time_ns // 10**9))
            .astimezone(ZoneInfo(zone))
            .utcoffset()
        )
        assert shift is not None
        assert abs(offset_s(text) - shift.total_seconds()) < 60


def offset_s(text: str) -> int:
    sign, hours, minutes = re.fullmatch(r".*([+-])(\d\d):(\d\d)", text).groups()  # type: ignore[union-attr]
    return (1 if sign == "+" else -1) * (int(hours) * 3600 + int(minutes) * 60)


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    at = BERLIN_AUTUMN_S * 1_000_000_000
    assert texts([at - 1, at], "Europe/Berlin") == ["2026-10-25T02:59:59.999999999+02:00", "2026-10-25T02:00:00+01:00"]


def test_a_change_within_an_hour_is_met_to_the_second() -> None:
    """Kathmandu went from +05:30 to +05:45 at 1985-12-31T18:30:00Z."""
    at = parse_time("1985-12-31T18:30:00Z", "t")
    assert texts([at - 1_000_000_000, at], "Asia/Kathmandu") == [
        "1985-12-31T23:59:59+05:30",
        "1986-01-01T00:15:00+05:45",
    ]


def test_local_mean_time_is_cut_to_minutes_and_keeps_the_instant() -> None:
    """Monrovia was 44 minutes 30 seconds behind until 1972."""
    assert texts([0], "Africa/Monrovia") == ["1969-12-31T23:16:00-00:44"]


@pytest.mark.parametrize("rows", [0, 1, 5_000])
def test_before_and_after_surround_each_time(rows: int) -> None:
    found = rfc3339(np.arange(rows) * 86_400_000_000_000, "UTC", '{"é":"', '",').to_pylist()
    assert found == [f'{{"é":"{format_time(day * 86_400_000_000_000)}",' for day in range(rows)]
