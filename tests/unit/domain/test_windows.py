"""Window edges, against a slow model that walks a local clock minute by minute."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.durations import parse_duration
from service.domain.timerange import EARLIEST_NS, EVER, TimeRange, format_time, parse_time
from service.domain.windows import Grid, clock_segments, grids, surely_more_than

MINUTE_NS = 60_000_000_000
EPOCH = dt.datetime(1970, 1, 1)


def between(start: str, stop: str) -> TimeRange:
    return TimeRange(parse_time(start, "start"), parse_time(stop, "stop"))


def edges(pieces: list[Grid]) -> list[int]:
    """Every window start in the pieces, then the last stop: what the pieces mean."""
    found = []
    for piece in pieces:
        first = (piece.span.start_ns - piece.offset_ns) // piece.every_ns
        found += [max(piece.span.start_ns, (first + k) * piece.every_ns + piece.offset_ns) for k in range(piece.count)]
    return [*found, pieces[-1].span.stop_ns]


def local_minutes(time_ns: int, zone: ZoneInfo) -> int:
    moment = dt.datetime.fromtimestamp(time_ns // 1_000_000_000, zone).replace(tzinfo=None)
    return int((moment - EPOCH).total_seconds()) // 60


def test_windows_in_utc_lie_on_the_epoch_grid_in_one_piece() -> None:
    span = between("2026-01-01T00:20:00Z", "2026-01-01T02:10:00Z")
    assert grids(span, parse_duration("1h", "every")) == [Grid(span, 3_600_000_000_000, 0)]
    assert [format_time(edge) for edge in edges(grids(span, parse_duration("1h", "every")))] == [
        "2026-01-01T00:20:00Z",
        "2026-01-01T01:00:00Z",
        "2026-01-01T02:00:00Z",
        "2026-01-01T02:10:00Z",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Africa/Cairo"])
def test_windows_of_one_length_that_begin_on_an_edge_are_one_piece(zone: str) -> None:
    span, hour_ns = between("2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z"), 60 * MINUTE_NS
    assert grids(span, hour_ns, zone) == [Grid(span, hour_ns, 0)]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_windows_begin_with_the_first_instant_that_can_be_stored(zone: str) -> None:
    span = TimeRange(EARLIEST_NS, EARLIEST_NS + 10 * MINUTE_NS)
    assert edges(grids(span, 60 * MINUTE_NS, zone))[0] == EARLIEST_NS


def test_utc_has_one_offset_for_ever() -> None:
    assert list(clock_segments(EVER, "UTC")) == [(EVER, 0)]


def test_a_window_longer_than_the_range_is_one_window() -> None:
    pieces = grids(between("2026-01-01T00:20:00Z", "2026-01-01T02:10:00Z"), parse_duration("30d", "every"))
    assert [piece.count for piece in pieces] == [1]


def test_weeks_begin_on_thursday_as_in_flux() -> None:
    span = between("2026-01-05T00:00:00Z", "2026-01-16T00:00:00Z")
    assert [format_time(edge)[:10] for edge in edges(grids(span, parse_duration("1w", "every")))] == [
        "2026-01-05",
        "2026-01-08",
        "2026-01-15",
        "2026-01-16",
    ]


@pytest.mark.parametrize(
    ("start", "stop", "hours"),
    [
        ("2026-03-27T23:00:00Z", "2026-03-31T22:00:00Z", [24, 23, 24, 24]),
        ("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z", [24, 25, 24]),
    ],
)
def test_local_days_in_berlin_have_23_or_25_hours_at_the_change(start: str, stop: str, hours: list[int]) -> None:
    found = edges(grids(between(start, stop), parse_duration("1d", "every"), "Europe/Berlin"))
    assert [(right - left) // 3_600_000_000_000 for left, right in pairwise(found)] == hours


@pytest.mark.parametrize(
    ("start", "every", "expected"),
    [
        ("2024-11-03T04:00:00Z", "1h", ["04:00", "05:00", "07:00", "08:00"]),
        ("2024-11-03T04:30:00Z", "30m", ["04:30", "05:00", "05:30", "07:00", "07:30", "08:00"]),
        ("2024-11-03T06:15:00Z", "15m", ["06:15", "07:00", "07:15", "07:30", "07:45", "08:00"]),
    ],
)
def test_in_the_hour_that_comes_twice_no_window_begins_the_second_time(
    start: str, every: str, expected: list[str]
) -> None:
    """As in Flux: hours were told one by one."""
    found = edges(grids(between(start, "2024-11-03T08:00:00Z"), parse_duration(every, "every"), "America/New_York"))
    assert [format_time(edge)[11:16] for edge in found] == expected


@pytest.mark.parametrize(
    ("zone", "start", "every", "expected"),
    [
        ("Europe/Berlin", "2025-03-30T00:00:00Z", "80m", ["00:00", "00:20", "01:00", "02:00", "03:00"]),
        (
            "Europe/Berlin",
            "2025-03-30T00:00:00Z",
            "48m",
            ["00:00", "00:36", "01:00", "01:12", "02:00", "02:48", "03:00"],
        ),
        ("Europe/Berlin", "2025-03-30T00:00:00Z", "160m", ["00:00", "01:00", "03:00"]),
        ("Antarctica/Troll", "2025-03-30T00:00:00Z", "2h", ["00:00", "01:00", "02:00", "03:00"]),
        (
            "Australia/Lord_Howe",
            "2025-10-04T14:00:00Z",
            "45m",
            ["14:00", "14:15", "15:00", "15:30", "16:00", "16:45", "17:00"],
        ),
    ],
)
def test_an_edge_in_the_hour_that_is_skipped_is_the_instant_of_the_change(
    zone: str, start: str, every: str, expected: list[str]
) -> None:
    """As in Flux; it was no edge, so two windows were one."""
    start_ns = parse_time(start, "start")
    span = TimeRange(start_ns, start_ns + 180 * MINUTE_NS)
    assert [format_time(edge)[11:16] for edge in edges(grids(span, parse_duration(every, "every"), zone))] == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            "Europe/Berlin",
            "Australia/Lord_Howe",
            "Antarctica/Troll",
            "Asia/Manila",
            "America/Juneau",
            "Africa/Casablanca",
        ]
    ),
    st.integers(1, 60 * 36),
    st.integers(0, 60 * 24 * 360),
    st.integers(1, 60 * 24 * 9),
)
def test_a_window_begins_where_the_clock_first_shows_its_edge_or_later(
    zone: str, every_minutes: int, start_minute: int, minutes: int
) -> None:
    start_ns = parse_time("2026-01-01T00:00:00Z", "t") + start_minute * MINUTE_NS
    span, clock = TimeRange(start_ns, start_ns + minutes * MINUTE_NS), ZoneInfo(zone)
    latest, expected = local_minutes(start_ns - 1440 * MINUTE_NS, clock), [start_ns]
    for tick in range(start_ns - 1440 * MINUTE_NS, span.stop_ns, MINUTE_NS):
        newest = max(latest, local_minutes(tick, clock))
        if newest // every_minutes > latest // every_minutes and tick > start_ns:
            expected.append(tick)
        latest = newest
    assert edges(grids(span, every_minutes * MINUTE_NS, zone)) == [*expected, span.stop_ns]


def test_hours_are_not_touched_by_a_change_forwards_of_whole_hours() -> None:
    span = between("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z")
    assert edges(grids(span, parse_duration("1h", "every"), "Europe/Berlin")) == edges(
        grids(span, parse_duration("1h", "every"))
    )


def test_a_zone_with_a_half_hour_has_its_days_at_its_midnight() -> None:
    found = edges(
        grids(between("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"), parse_duration("1d", "every"), "Asia/Kolkata")
    )
    assert [format_time(edge)[11:16] for edge in found] == ["00:00", "18:30", "18:30", "00:00"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]
    ),
    st.sampled_from(["15m", "1h", "6h", "1d", "3d"]),
    st.integers(0, 60 * 24 * 360),
    st.integers(1, 60 * 24 * 9),
)
def test_edges_are_those_of_the_local_clock(zone: str, every: str, start_minute: int, minutes: int) -> None:
    start_ns = parse_time("2026-01-01T00:00:00Z", "t") + start_minute * MINUTE_NS
    span = TimeRange(start_ns, start_ns + minutes * MINUTE_NS)
    pieces = grids(span, parse_duration(every, "every"), zone)
    assert pieces[0].span.start_ns == span.start_ns and pieces[-1].span.stop_ns == span.stop_ns
    assert all(left.span.stop_ns == right.span.start_ns for left, right in pairwise(pieces))
    found, clock, step = edges(pieces), ZoneInfo(zone), parse_duration(every, "every") // MINUTE_NS
    assert found == sorted(set(found))
    assert all(local_minutes(edge, clock) % step == 0 for edge in found[1:-1])
    ticks = range(span.start_ns + MINUTE_NS, span.stop_ns, MINUTE_NS)
    jumped = {tick for tick in ticks if local_minutes(tick, clock) - local_minutes(tick - MINUTE_NS, clock) != 1}
    if not jumped:
        assert set(found[1:-1]) == {tick for tick in ticks if local_minutes(tick, clock) % step == 0}


@given(st.integers(-(2**62), 2**62), st.integers(1, 10**15), st.integers(10**9, 10**14))
def test_the_count_is_the_number_of_windows_touched(start_ns: int, length_ns: int, every_ns: int) -> None:
    piece = grids(TimeRange(start_ns, start_ns + length_ns), every_ns)[0]
    assert piece.count == (start_ns + length_ns - 1) // every_ns - start_ns // every_ns + 1


def offset_ns(time_ns: int, zone: str) -> int:
    shift = dt.datetime.fromtimestamp(time_ns // 1_000_000_000, ZoneInfo(zone)).utcoffset()
    assert shift is not None
    return int(shift.total_seconds()) * 1_000_000_000


def walked_day_by_day(span: TimeRange, zone: str) -> list[tuple[TimeRange, int]]:
    """The slow model of `clock_segments`: from the start of the range, a day at a time, then the second by halving."""
    found, start_ns = [], span.start_ns
    while start_ns < span.stop_ns:
        offset, low_ns, high_ns = offset_ns(start_ns, zone), start_ns, start_ns
        while high_ns < span.stop_ns and offset_ns(high_ns, zone) == offset:
            low_ns, high_ns = high_ns, min(high_ns + 86_400_000_000_000, span.stop_ns)
        low, high = low_ns // 1_000_000_000, -(-high_ns // 1_000_000_000)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_ns(middle * 1_000_000_000, zone) == offset else (low, middle)
        stop_ns = min(high * 1_000_000_000, span.stop_ns)
        found.append((TimeRange(start_ns, stop_ns), offset))
        start_ns = stop_ns
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["Africa/Casablanca", "America/Juneau", "Asia/Manila", "Africa/El_Aaiun", *sorted(available_timezones())]
    ),
    st.integers(parse_time("1677-10-01T00:00:00Z", "t"), parse_time("2259-01-01T00:00:00Z", "t")),
    st.integers(1, 900 * 86_400_000_000_000),
)
def test_the_changes_of_a_clock_are_those_of_a_walk_day_by_day(zone: str, start_ns: int, length_ns: int) -> None:
    span = TimeRange(start_ns, start_ns + length_ns)
    assert list(clock_segments(span, zone)) == walked_day_by_day(span, zone)


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", "1893-03-31T23:06:32Z"),  # from local mean time, 53:28 ahead, to one hour
        ("Europe/Paris", "1911-03-10T23:50:39Z"),  # 9:21 ahead until then
        ("Asia/Kolkata", "1905-12-31T18:38:50Z"),  # 5:21:10 ahead until then
        ("Africa/Monrovia", "1972-01-07T00:44:30Z"),  # 44:30 behind until then
        ("America/Guyana", "1911-08-01T03:52:39Z"),  # 3:52:39 behind until then
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ],
)
def test_a_clock_changes_at_the_second_of_the_iana_database(zone: str, change: str) -> None:
    change_ns, hour_ns = parse_time(change, "t"), 60 * MINUTE_NS
    span = TimeRange(change_ns - hour_ns, change_ns + hour_ns)
    assert [segment.start_ns for segment, _ in clock_segments(span, zone)] == [span.start_ns, change_ns]


def test_a_range_that_begins_or_ends_with_a_change_of_the_clock_has_one_offset() -> None:
    change_ns, hour_ns = parse_time("2026-03-29T01:00:00Z", "t"), 60 * MINUTE_NS
    before, after = TimeRange(change_ns - hour_ns, change_ns), TimeRange(change_ns, change_ns + hour_ns)
    assert list(clock_segments(before, "Europe/Berlin")) == [(before, hour_ns)]
    assert list(clock_segments(after, "Europe/Berlin")) == [(after, 2 * hour_ns)]


def test_a_change_within_the_last_day_for_which_changes_are_computed_together_is_found() -> None:
    """They are computed for 7,300 days at a time. In 2229, Egypt's clock goes back on the last of these days."""
    day_ns = 1440 * MINUTE_NS
    end_ns = 13 * 7_300 * day_ns
    span = TimeRange(end_ns - 3 * day_ns, end_ns + 3 * day_ns)
    assert list(clock_segments(span, "Africa/Cairo")) == walked_day_by_day(span, "Africa/Cairo")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["Africa/Casablanca", "America/Juneau", "Asia/Manila", *sorted(available_timezones())]),
    st.integers(parse_time("1840-01-01T00:00:00Z", "t"), parse_time("2050-01-01T00:00:00Z", "t")),
    st.integers(1, 400 * 86_400_000_000_000),
    st.integers(1, 40 * 86_400_000_000_000),
    st.integers(1, 1000),
)
def test_what_surely_has_too_many_windows_has(
    zone: str, start_ns: int, length_ns: int, every_ns: int, most: int
) -> None:
    span = TimeRange(start_ns, start_ns + length_ns)
    if surely_more_than(most, span, every_ns):
        assert sum(grid.count for grid in grids(span, every_ns, zone)) > most


def test_an_hour_that_comes_twice_is_not_surely_too_many_windows() -> None:
    """Its milliseconds are one window."""
    span = between("2024-11-03T06:15:00Z", "2024-11-03T06:45:00Z")
    assert not surely_more_than(1000, span, 1_000_000)
    assert sum(grid.count for grid in grids(span, 1_000_000, "America/New_York")) == 1


def test_a_range_that_ends_in_the_long_day_ends_with_a_part_of_it() -> None:
    """The clock goes back on 2026-10-25, so that day has 25 hours; the range ends in the last of them."""
    day_ns = 1440 * MINUTE_NS
    span = between("2026-10-23T22:00:00Z", "2026-10-25T22:30:00Z")
    pieces = grids(span, day_ns, "Europe/Berlin")
    assert [format_time(edge)[8:16] for edge in edges(pieces)] == ["23T22:00", "24T22:00", "25T22:30"]
    assert [piece.count for piece in pieces] == [1, 1]
    whole = grids(between("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), day_ns, "Europe/Berlin")
    assert [(piece.count, piece.span.length_ns) for piece in whole] == [(1, 25 * 60 * MINUTE_NS)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe"])
@pytest.mark.parametrize("days", [20, 100, 250])
def test_windows_that_hold_changes_of_the_clock_begin_where_it_first_shows_their_edge(zone: str, days: int) -> None:
    """As in Flux. An edge was lost, so two windows were one, where a stretch between two changes had a single edge and
    the window before it was an hour longer than the others."""
    start_ns, clock, half_hour = parse_time("2025-01-15T07:00:00Z", "t"), ZoneInfo(zone), 30 * MINUTE_NS
    stop_ns = start_ns + 500 * 1440 * MINUTE_NS
    every_minutes = days * 1440
    latest, expected = local_minutes(start_ns - 1440 * MINUTE_NS, clock), [start_ns]
    for tick in range(start_ns - 1440 * MINUTE_NS, stop_ns, half_hour):
        newest = max(latest, local_minutes(tick, clock))
        if newest // every_minutes > latest // every_minutes and tick > start_ns:
            expected.append(tick)
        latest = newest
    assert edges(grids(TimeRange(start_ns, stop_ns), every_minutes * MINUTE_NS, zone)) == [*expected, stop_ns]


@pytest.mark.parametrize(
    ("days", "most", "is_surely_more"), [(12, 5, False), (13, 5, True), (12, 4, True), (2, 0, False)]
)
def test_more_windows_than_a_bound_are_known_without_a_clock(days: int, most: int, is_surely_more: bool) -> None:
    """Two days are left out, and half of the other windows may be one with their neighbour."""
    span = between("2026-01-01T00:00:00Z", f"2026-01-{days + 1:02}T00:00:00Z")
    assert surely_more_than(most, span, 1440 * MINUTE_NS) is is_surely_more


def test_windows_of_a_nanosecond_have_an_edge_at_each_one_around_a_change_of_the_clock() -> None:
    change_ns = parse_time("2026-03-29T01:00:00Z", "t")
    span = TimeRange(change_ns - 3, change_ns + 3)
    assert edges(grids(span, 1, "Europe/Berlin")) == list(range(change_ns - 3, change_ns + 4))


def test_an_edge_a_nanosecond_before_the_clock_is_new_again_is_none() -> None:
    """At 02:00Z the clock shows 03:00 for the first time, which is 1 ns behind an edge that it showed before."""
    new_ns = parse_time("2023-10-29T02:00:00Z", "t")
    assert (new_ns + 60 * MINUTE_NS) % 11 == 1
    span = TimeRange(new_ns - 5, new_ns + 25)
    assert edges(grids(span, 11, "Europe/Berlin")) == [new_ns - 5, new_ns + 10, new_ns + 21, new_ns + 25]
