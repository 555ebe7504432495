"""Shard groups: their default length on both sides of each edge, and a grid that is counted from year 1."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import parse_duration
from service.domain.shards import (
    DAY_NS,
    WEEK_NS,
    default_shard_ns,
    shard_number,
    shard_slices,
    shard_start,
    shard_start_of,
    wrong_shard_ns,
)
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, format_time, parse_time

shard_lengths = st.sampled_from([parse_duration(text, "shard") for text in ("1h", "1d", "1w", "5h", "260w")])
instants = st.one_of(st.integers(EARLIEST_NS, LATEST_NS), st.sampled_from([EARLIEST_NS, -1, 0, 1, LATEST_NS]))
SECOND_NS, HOUR_NS = 1_000_000_000, 3_600_000_000_000


@pytest.mark.parametrize(
    ("retention_ns", "shard_ns"),
    [
        (0, 168 * HOUR_NS),
        (HOUR_NS, HOUR_NS),
        (48 * HOUR_NS - SECOND_NS, HOUR_NS),
        (48 * HOUR_NS, 24 * HOUR_NS),
        (180 * 24 * HOUR_NS - SECOND_NS, 24 * HOUR_NS),
        (180 * 24 * HOUR_NS, 168 * HOUR_NS),
        (183 * 24 * HOUR_NS, 168 * HOUR_NS),
    ],
)
def test_groups_last_an_hour_below_2_days_of_retention_a_day_below_180_days_and_else_a_week(
    retention_ns: int, shard_ns: int
) -> None:
    assert default_shard_ns(retention_ns) == shard_ns


def test_a_week_of_shards_begins_on_monday_as_go_truncates_from_year_one() -> None:
    tuesday = parse_time("2023-06-20T12:00:00Z", "t")
    assert format_time(shard_start(tuesday, WEEK_NS)) == "2023-06-19T00:00:00Z"


def test_slices_before_1970_lie_on_the_same_grid() -> None:
    span = TimeRange(parse_time("1969-12-28T00:00:00Z", "t"), parse_time("1970-01-06T00:00:00Z", "t"))
    assert [format_time(piece.start_ns) for piece in shard_slices(span, WEEK_NS)] == [
        "1969-12-28T00:00:00Z",
        "1969-12-29T00:00:00Z",
        "1970-01-05T00:00:00Z",
    ]


@given(
    st.integers(EARLIEST_NS, LATEST_NS - 40 * WEEK_NS),
    st.integers(1, 40 * WEEK_NS),
    st.sampled_from([DAY_NS, WEEK_NS, 5 * DAY_NS]),
)
def test_slices_cover_the_range_once_and_never_cross_a_shard_group(
    start_ns: int, length_ns: int, shard_ns: int
) -> None:
    span = TimeRange(start_ns, start_ns + length_ns)
    pieces = list(shard_slices(span, shard_ns))
    assert pieces[0].start_ns == span.start_ns and pieces[-1].stop_ns == span.stop_ns
    assert all(left.stop_ns == right.start_ns for left, right in pairwise(pieces))
    assert all(shard_start(piece.start_ns, shard_ns) == shard_start(piece.stop_ns - 1, shard_ns) for piece in pieces)


@given(instants, shard_lengths)
def test_a_number_leads_back_to_the_start_of_its_group(time_ns: int, shard_ns: int) -> None:
    assert shard_start_of(shard_number(time_ns, shard_ns), shard_ns) == shard_start(time_ns, shard_ns)


def test_groups_of_a_week_change_on_monday() -> None:
    week_ns = parse_duration("1w", "shard")
    sunday, monday = parse_time("2024-01-07T23:59:59.999999999Z", "t"), parse_time("2024-01-08T00:00:00Z", "t")
    assert shard_number(monday, week_ns) == shard_number(sunday, week_ns) + 1


@pytest.mark.parametrize(
    ("shard_ns", "retention_ns"), [(HOUR_NS, 0), (HOUR_NS, HOUR_NS), (WEEK_NS, 0), (DAY_NS, WEEK_NS)]
)
def test_shard_groups_of_an_hour_up_to_the_retention_are_right(shard_ns: int, retention_ns: int) -> None:
    assert wrong_shard_ns(shard_ns, retention_ns) is None


@pytest.mark.parametrize("shard_ns", [HOUR_NS - 1, HOUR_NS - SECOND_NS, 0, -DAY_NS, HOUR_NS + 1])
def test_shorter_shard_groups_and_parts_of_a_second_are_wrong(shard_ns: int) -> None:
    assert wrong_shard_ns(shard_ns, 0) == "shard groups are 1h long or longer, in whole seconds"


@pytest.mark.parametrize(
    ("shard_ns", "retention_ns", "lengths"),
    [(DAY_NS, HOUR_NS, ("86400 s", "3600 s")), (HOUR_NS, 1, ("3600 s", "0 s")), (WEEK_NS, DAY_NS, ("604800", "86400"))],
)
def test_shard_groups_longer_than_the_retention_are_wrong_and_both_named(
    shard_ns: int, retention_ns: int, lengths: tuple[str, str]
) -> None:
    reason = wrong_shard_ns(shard_ns, retention_ns) or ""
    assert reason.startswith(f"shard groups of {lengths[0]}")
    assert f"longer than the retention of {lengths[1]}" in reason
