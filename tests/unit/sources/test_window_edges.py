"""Consecutive ranges hold each aggregate window exactly once, whatever they are cut at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import SECOND_NS
from service.domain.selected_windows import grids_of
from service.domain.selection import Windows
from service.domain.timerange import EVER, TimeRange
from service.domain.windows import Grid
from service.sources.window_edges import stamped_in
from tests.support.rows import at, span

MINUTE = Windows(60 * SECOND_NS)


def test_a_window_belongs_to_the_range_that_holds_its_stop() -> None:
    hour = span("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z")
    assert stamped_in(hour, MINUTE) == span("2026-01-01T09:59:00Z", "2026-01-01T10:59:00Z")


def test_a_range_in_which_no_window_stops_has_none() -> None:
    assert stamped_in(span("2026-01-01T10:00:01Z", "2026-01-01T10:01:00Z"), MINUTE) is None
    assert stamped_in(span("2026-01-01T10:00:01Z", "2026-01-01T10:01:01Z"), MINUTE) == span(
        "2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z"
    )


def test_days_of_a_local_clock() -> None:
    days = Windows(86_400 * SECOND_NS, zone="Europe/Berlin")
    autumn = span("2026-10-25T12:00:00Z", "2026-10-26T12:00:00Z")
    assert stamped_in(autumn, days) == span("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")


@pytest.mark.parametrize("windows", [MINUTE, Windows(0, months=1), Windows(86_400 * SECOND_NS, zone="Europe/Berlin")])
def test_all_time_and_its_ends(windows: Windows) -> None:
    whole = stamped_in(EVER, windows)
    assert whole is not None
    assert whole.start_ns == EVER.start_ns
    assert whole.stop_ns <= EVER.stop_ns


WINDOWS = st.sampled_from(
    [
        Windows(7 * SECOND_NS),
        Windows(3_600 * SECOND_NS),
        Windows(3_600 * SECOND_NS, zone="Asia/Kathmandu"),
        Windows(86_400 * SECOND_NS, zone="Europe/Berlin"),
        Windows(86_400 * SECOND_NS, zone="America/New_York"),
        Windows(0, months=1),
        Windows(0, months=3, zone="Europe/Berlin"),
    ]
)
AUTUMN_NS = at("2026-10-25T00:00:00Z")


@given(WINDOWS, st.lists(st.integers(-10_000_000, 10_000_000), min_size=2, max_size=6, unique=True))
def test_ranges_partition_the_windows(windows: Windows, cuts: list[int]) -> None:
    edges = sorted(AUTUMN_NS + cut * SECOND_NS for cut in cuts)
    pieces = [stamped_in(TimeRange(start, stop), windows) for start, stop in pairwise(edges)]
    present = [piece for piece in pieces if piece is not None]
    whole = stamped_in(TimeRange(edges[0], edges[-1]), windows)
    assert (whole is None) == (not present)
    if whole is not None:
        assert (present[0].start_ns, present[-1].stop_ns) == (whole.start_ns, whole.stop_ns)
        assert all(left.stop_ns == right.start_ns for left, right in pairwise(present))
        margin_ns = 200 * 86_400 * SECOND_NS
        wide = grids_of(TimeRange(whole.start_ns - margin_ns, whole.stop_ns + margin_ns), windows)
        for piece in present:  # each cut is an edge of a window
            assert _is_edge(piece.start_ns, wide)
            assert _is_edge(piece.stop_ns, wide)


def _is_edge(time_ns: int, wide: list[Grid]) -> bool:
    return any(
        grid.span.start_ns == time_ns
        or (grid.span.start_ns < time_ns < grid.span.stop_ns and (time_ns - grid.offset_ns) % grid.every_ns == 0)
        for grid in wide
    )
