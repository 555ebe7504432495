"""Positions of connectors: the bookmark follows what is accepted, in any order, and never goes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.forwarding import Position, count_windows, horizon_ns, live_from_ns, windows_of
from service.domain.timerange import TimeRange, merge

windows = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: TimeRange(pair[0], pair[0] + pair[1]))


def covered(ranges: list[TimeRange]) -> set[int]:
    return {instant for piece in ranges for instant in range(piece.start_ns, piece.stop_ns)}


def test_a_window_at_the_bookmark_moves_it() -> None:
    assert Position(10).with_accepted(TimeRange(10, 15)) == Position(15)


def test_a_window_beyond_the_bookmark_is_kept_until_the_bookmark_comes_to_it() -> None:
    ahead = Position(10).with_accepted(TimeRange(20, 25))
    assert ahead == Position(10, (TimeRange(20, 25),))
    assert ahead.newest_ns == 25
    assert ahead.pending(TimeRange(0, 30)) == [TimeRange(10, 20), TimeRange(25, 30)]
    assert ahead.with_accepted(TimeRange(10, 20)) == Position(25)


@pytest.mark.parametrize("ahead", [(TimeRange(10, 12),), (TimeRange(12, 14), TimeRange(14, 16)), (TimeRange(5, 7),)])
def test_ranges_that_touch_the_bookmark_or_each_other_are_no_position(ahead: tuple[TimeRange, ...]) -> None:
    with pytest.raises(ValueError, match="no position"):
        Position(10, ahead)


@given(st.integers(0, 40), st.lists(windows, max_size=12))
def test_a_position_knows_exactly_what_was_accepted_beyond_its_start(start_ns: int, accepted: list[TimeRange]) -> None:
    position = Position(start_ns)
    for window in accepted:
        earlier, position = position, position.with_accepted(window)
        assert position.bookmark_ns >= earlier.bookmark_ns
        assert position.pending(window) == []
        assert position.with_accepted(window) == position
    known = covered(list(position.ahead)) | set(range(start_ns, position.bookmark_ns))
    assert known == {instant for instant in covered(accepted) if instant >= start_ns}
    assert position.bookmark_ns not in covered(accepted)


@given(st.integers(0, 40), st.lists(windows, max_size=8), st.randoms())
def test_the_order_of_acceptance_makes_no_difference(start_ns: int, accepted: list[TimeRange], chance: object) -> None:
    shuffled = list(accepted)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = Position(start_ns), Position(start_ns)
    for window, other in zip(accepted, shuffled, strict=True):
        first, second = first.with_accepted(window), second.with_accepted(other)
    assert first == second


@given(st.integers(0, 40), st.lists(windows, max_size=8), windows)
def test_what_is_pending_and_what_is_accepted_make_the_whole(
    start_ns: int, accepted: list[TimeRange], span: TimeRange
) -> None:
    position = Position(start_ns)
    for window in accepted:
        position = position.with_accepted(window)
    pending = covered(position.pending(span))
    assert pending == {instant for instant in covered([span]) if instant >= start_ns} - covered(accepted)


@given(st.lists(windows, max_size=6), st.integers(1, 25))
def test_windows_are_cut_on_the_grid_and_leave_nothing_out(spans: list[TimeRange], every_ns: int) -> None:
    cut = list(windows_of(spans, every_ns))
    assert merge(cut) == merge(spans)
    assert len(cut) == count_windows(spans, every_ns)
    for window in cut:
        assert window.start_ns // every_ns == (window.stop_ns - 1) // every_ns
    assert sum(window.length_ns for window in cut) == sum(span.length_ns for span in spans)


def test_the_newest_window_ends_on_the_grid_and_had_time_to_settle() -> None:
    assert [horizon_ns(now_ns, 3, 10) for now_ns in (32, 33, 42, 43)] == [20, 30, 30, 40]


def test_live_windows_are_those_of_the_last_interval_and_one_more() -> None:
    assert live_from_ns(100, 10, 10) == 80
    assert live_from_ns(100, 25, 10) == 60
    assert live_from_ns(100, 1, 10) == 80
