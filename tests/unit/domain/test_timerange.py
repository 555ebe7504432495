"""Ranges and times: nanoseconds kept, naive times refused."""

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import (
    EARLIEST_NS,
    EVER,
    LATEST_NS,
    TimeRange,
    floor_to,
    format_time,
    merge,
    parse_range,
    parse_time,
    subtract,
)
from service.errors import InvalidParameter


@pytest.mark.parametrize(
    ("time_ns", "origin_ns", "floor_ns"),
    [(10, 0, 8), (8, 0, 8), (0, 0, 0), (-1, 0, -4), (-4, 0, -4), (10, 1, 9), (9, 1, 9), (8, 1, 5), (-2, 1, -3)],
)
def test_a_time_is_cut_to_the_grid_before_it(time_ns: int, origin_ns: int, floor_ns: int) -> None:
    """The grid has a line at every fourth nanosecond from its origin, in both directions."""
    assert floor_to(time_ns, 4, origin_ns) == floor_ns
    if origin_ns == 0:
        assert floor_to(time_ns, 4) == floor_ns


small = st.integers(0, 60)
ranges = st.builds(lambda start, length: TimeRange(start, start + length), small, st.integers(1, 20))


def instants(pieces: list[TimeRange]) -> set[int]:
    return {moment for piece in pieces for moment in range(piece.start_ns, piece.stop_ns)}


@pytest.mark.parametrize(("start_ns", "stop_ns"), [(1, 1), (2, 1), (EARLIEST_NS - 1, 0), (0, LATEST_NS + 2)])
def test_an_empty_range_or_one_outside_the_domain_cannot_be_made(start_ns: int, stop_ns: int) -> None:
    with pytest.raises(ValueError, match="no range"):
        TimeRange(start_ns, stop_ns)


def test_all_time_holds_the_first_and_the_last_instant() -> None:
    assert (EVER.start_ns, EVER.stop_ns - 1) == (EARLIEST_NS, LATEST_NS)


def test_the_last_instant_can_be_read() -> None:
    assert TimeRange(LATEST_NS, LATEST_NS + 1).length_ns == 1


@given(st.lists(ranges, max_size=8))
def test_merging_keeps_the_instants_and_leaves_gaps_between(pieces: list[TimeRange]) -> None:
    merged = merge(pieces)
    assert instants(merged) == instants(pieces)
    assert all(left.stop_ns < right.start_ns for left, right in pairwise(merged))


@given(ranges, st.lists(ranges, max_size=8))
def test_subtracting_leaves_exactly_what_is_not_known(span: TimeRange, known: list[TimeRange]) -> None:
    assert instants(subtract(span, known)) == instants([span]) - instants(known)


@given(ranges, ranges)
def test_an_intersection_holds_the_common_instants(left: TimeRange, right: TimeRange) -> None:
    both = left.intersect(right)
    assert instants([both] if both else []) == instants([left]) & instants([right])


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-01-31T01:00:00.5+01:00", 1_769_817_600_500_000_000),
        ("2026-01-31 00:00:00z", 1_769_817_600_000_000_000),
        ("1677-09-21T00:12:43.145224194Z", EARLIEST_NS),
        ("2262-04-11T23:47:16.854775806Z", LATEST_NS),
        ("2262-04-11T23:47:16.854775807Z", LATEST_NS + 1),
    ],
)
def test_rfc_3339_times_are_read_to_the_nanosecond(text: str, time_ns: int) -> None:
    assert parse_time(text, "start") == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T00:00:00",
        "2026-01-31T00:00Z",
        "1769817600",
        "2026-01-31T00:00:00.1234567891Z",
        "-1h",
    ],
)
def test_a_naive_time_or_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="RFC 3339 time with an offset"):
        parse_time(text, "start")


def test_a_range_holds_its_start_and_not_its_stop() -> None:
    assert parse_range("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z") == TimeRange(0, 1_000_000_000)


@pytest.mark.parametrize("stop", ["1970-01-01T00:00:01Z", "1970-01-01T00:00:00Z"])
def test_a_range_that_holds_nothing_is_refused(stop: str) -> None:
    with pytest.raises(InvalidParameter, match="stop is not after start"):
        parse_range("1970-01-01T00:00:01Z", stop)


@pytest.mark.parametrize(
    "text", ["2026-02-30T00:00:00Z", "2026-01-31T24:00:01Z", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"names no instant|outside"):
        parse_time(text, "start")


@pytest.mark.parametrize(
    "text",
    [
        "1677-09-21T00:12:43Z", "1677-09-21T00:12:43.145224193Z",
        "2262-04-11T23:47:16.854775808Z", "2262-04-11T23:47:17Z", "9999-12-31T23:59:59Z",
    ],
)  # fmt: skip
def test_a_time_that_influxdb_cannot_store_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="outside 1677-09-21 to 2262-04-11"):
        parse_time(text, "stop")


@given(st.integers(EARLIEST_NS, LATEST_NS))
def test_formatted_times_parse_back(time_ns: int) -> None:
    assert parse_time(format_time(time_ns), "t") == time_ns


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)))
def test_times_agree_with_the_standard_library(moment: dt.datetime) -> None:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert parse_time(moment.isoformat(), "t") == (moment - epoch) // dt.timedelta(microseconds=1) * 1000
