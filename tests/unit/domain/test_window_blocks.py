"""Arithmetic of kept windows, held against models that count single windows and minutes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.domain.change_map import Changed, ChangeMap
from service.domain.durations import SECOND_NS
from service.domain.selected_windows import grids_of
from service.domain.selection import Windows
from service.domain.timerange import TimeRange
from service.domain.window_blocks import Bounds, blocks_of, crop, edges_of, keepable, requests, uncovered

MINUTE_NS, HOUR_NS, DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86_400 * SECOND_NS
BASE_NS = 1_774_742_400 * SECOND_NS
"""2026-03-29T00:00:00Z, an hour before Berlin's clock goes forward."""
spans = st.tuples(st.integers(-300, 300), st.integers(1, 200)).map(lambda pair: TimeRange(pair[0], pair[0] + pair[1]))
times = st.integers(BASE_NS - 40 * DAY_NS, BASE_NS + 40 * DAY_NS)
lengths = st.sampled_from([MINUTE_NS, 7 * MINUTE_NS, HOUR_NS, DAY_NS, 10 * SECOND_NS])
windows_of = st.builds(
    lambda every_ns, zone, months: Windows(0 if months else every_ns, zone=zone, months=months),
    lengths,
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
    st.sampled_from([0, 0, 0, 0, 1]),
)


def instants(ranges: list[TimeRange]) -> set[int]:
    return {time for span in ranges for time in range(span.start_ns, span.stop_ns)}


@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6))
def test_what_is_not_covered_are_the_instants_that_no_known_range_has(
    wanted: list[TimeRange], known: list[TimeRange]
) -> None:
    missing = uncovered(wanted, known)
    assert instants(missing) == instants(wanted) - instants(known)
    assert all(first.stop_ns < second.start_ns for first, second in pairwise(missing))


@given(st.lists(spans, max_size=6), spans)
def test_cropping_keeps_the_instants_inside(ranges: list[TimeRange], span: TimeRange) -> None:
    assert instants(crop(ranges, span)) == instants(ranges) & instants([span])


@given(st.lists(spans, max_size=6), st.integers(0, 50), st.integers(1, 4))
def test_requests_cover_what_is_missing_and_nothing_far_from_it(missing: list[TimeRange], near: int, most: int) -> None:
    blocks = [TimeRange(start, start + 20) for start in range(-320, 520, 20)]
    asked = requests(missing, blocks, near, most)
    assert instants(missing) <= instants(asked)
    assert all(first.stop_ns <= second.start_ns for first, second in pairwise(asked))
    assert all(sum(1 for block in blocks if span.start_ns < block.start_ns < span.stop_ns) < most for span in asked)
    gaps = uncovered(asked, missing)
    assert all(gap.length_ns <= near for gap in gaps)


@given(times, st.integers(1, 30 * DAY_NS), windows_of)
def test_blocks_consist_of_whole_windows_wherever_a_range_begins(
    start_ns: int, length_ns: int, windows: Windows
) -> None:
    span = TimeRange(start_ns, start_ns + min(length_ns, 3_000 * (windows.every_ns or DAY_NS)))
    blocks = blocks_of(span, windows)
    assert blocks[0].start_ns <= span.start_ns
    assert span.stop_ns <= blocks[-1].stop_ns
    assert all(first.stop_ns == second.start_ns for first, second in pairwise(blocks))
    wider = blocks_of(TimeRange(blocks[0].start_ns, blocks[-1].stop_ns), windows)
    assert wider == blocks
    around = TimeRange(blocks[0].start_ns - 40 * DAY_NS, blocks[-1].stop_ns + 40 * DAY_NS)
    edges = {edge for grid in grids_of(around, windows) for edge in edges_of(grid)}
    assert {block.start_ns for block in blocks} <= edges


@given(
    times,
    st.integers(1, 3 * DAY_NS),
    windows_of,
    st.integers(-2 * DAY_NS, 2 * DAY_NS),
    st.none() | st.integers(0, DAY_NS),
)
def test_what_may_be_kept_is_whole_settled_and_inside_the_retention(
    start_ns: int, length_ns: int, windows: Windows, settled_after_ns: int, expired_ns: int | None
) -> None:
    span = TimeRange(start_ns, start_ns + length_ns)
    oldest_ns = None if expired_ns is None else start_ns + expired_ns
    bounds = Bounds(oldest_ns, span.stop_ns + settled_after_ns)
    kept = keepable(span, windows, bounds)
    around = TimeRange(span.start_ns - 40 * DAY_NS, span.stop_ns + 40 * DAY_NS)
    edges = [edge for grid in grids_of(around, windows) for edge in edges_of(grid)][1:-1]
    first_ns = start_ns if oldest_ns is None else max(start_ns, oldest_ns + MINUTE_NS)
    last_ns = min(span.stop_ns, bounds.settled_ns)
    inside = sorted({edge for edge in edges if first_ns <= edge <= last_ns})
    expected = TimeRange(inside[0], inside[-1]) if len(inside) > 1 else None
    assert kept == expected


minute_ranges = st.tuples(st.integers(0, 200), st.integers(1, 30)).map(
    lambda pair: TimeRange(pair[0] * MINUTE_NS, (pair[0] + pair[1]) * MINUTE_NS)
)


@given(st.lists(st.lists(minute_ranges, min_size=1, max_size=3), max_size=30), st.integers(0, 30), minute_ranges)
def test_a_map_of_changes_knows_each_minute_that_changed_later(
    changes: list[list[TimeRange]], number: int, span: TimeRange
) -> None:
    known = ChangeMap()
    later: set[int] = set()
    for count, ranges in enumerate(changes, 1):
        known = known.with_change(ranges)
        if count > number:
            later |= {minute for one in ranges for minute in range(one.start_ns // MINUTE_NS, one.stop_ns // MINUTE_NS)}
    told = known.since(number, span)
    minutes = {minute for one in told for minute in range(one.start_ns // MINUTE_NS, one.stop_ns // MINUTE_NS)}
    assert minutes == later & set(range(span.start_ns // MINUTE_NS, span.stop_ns // MINUTE_NS))


@given(st.lists(minute_ranges, max_size=40), st.integers(0, 40), minute_ranges)
def test_a_coarse_map_never_forgets_a_change(changes: list[TimeRange], number: int, span: TimeRange) -> None:
    exact, coarse = ChangeMap(), ChangeMap()
    for change in changes:
        exact, coarse = exact.with_change([change]), coarse.with_change([change], most=8)
    assert len(coarse.changes) <= 8
    assert uncovered(exact.since(number, span), coarse.since(number, span)) == []


def test_years_of_writes_at_the_present_take_few_numbers_and_leave_old_windows_alone() -> None:
    known = ChangeMap()
    for minute in range(2_000):
        known = known.with_change([TimeRange(minute * MINUTE_NS - 5 * SECOND_NS, minute * MINUTE_NS + 1)])
    assert len(known.changes) <= 512
    settled = TimeRange(0, 1_900 * MINUTE_NS)
    assert known.since(1_950, settled) == []
    assert known.changes[-1] == Changed(1_998 * MINUTE_NS, 2_000 * MINUTE_NS, 2_000)
