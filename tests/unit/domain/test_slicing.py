"""Slices: none crosses the edge of a shard group, and together they cover a range once.

Batches hold about as many points as they should.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.durations import parse_duration
from service.domain.schema import Bucket
from service.domain.shards import shard_start
from service.domain.slicing import batches, is_in, slice_length, slice_range, slice_start, whole_slices
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange

HOUR, DAY, WEEK = (parse_duration(text, "test") for text in ("1h", "1d", "1w"))


def bucket(shard_ns: int) -> Bucket:
    return Bucket("W", "", 0, shard_ns)


@pytest.mark.parametrize(
    ("source", "target", "length"),
    [(WEEK, WEEK, DAY), (DAY, WEEK, DAY), (HOUR, WEEK, HOUR), (36 * HOUR, WEEK, 12 * HOUR)],
)
def test_a_slice_is_at_most_a_day_and_divides_the_shard_groups_of_both(source: int, target: int, length: int) -> None:
    assert slice_length(bucket(source), bucket(target)) == length


@given(st.integers(EARLIEST_NS, LATEST_NS), st.sampled_from([HOUR, DAY, WEEK]), st.sampled_from([HOUR, DAY, WEEK]))
def test_no_slice_crosses_the_edge_of_a_shard_group(time_ns: int, source: int, target: int) -> None:
    step = slice_length(bucket(source), bucket(target))
    span = slice_range(slice_start(time_ns, step), step)
    assert span.start_ns <= time_ns < span.stop_ns
    for shard_ns in (source, target):
        assert shard_start(span.start_ns, shard_ns) == shard_start(span.stop_ns - 1, shard_ns)


def test_the_first_and_the_last_slice_are_cut_to_what_can_be_stored() -> None:
    assert slice_range(slice_start(EARLIEST_NS, DAY), DAY).start_ns == EARLIEST_NS
    assert slice_range(slice_start(LATEST_NS, DAY), DAY).stop_ns == LATEST_NS + 1


def test_a_span_has_its_slices_the_very_first_one_included() -> None:
    """The slice of 1677-09-21 begins before anything that can be stored: once, its points were never copied."""
    first = slice_start(EARLIEST_NS, DAY)
    assert first < EARLIEST_NS
    assert is_in(first, TimeRange(EARLIEST_NS, first + DAY))
    assert [is_in(start_ns, TimeRange(DAY, 3 * DAY)) for start_ns in (first, 0, DAY, 2 * DAY, 3 * DAY)] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_span_of_whole_slices_stays_as_it_is_and_a_nanosecond_more_takes_one_more() -> None:
    assert whole_slices(TimeRange(DAY, 3 * DAY), DAY) == TimeRange(DAY, 3 * DAY)
    assert whole_slices(TimeRange(DAY - 1, 3 * DAY + 1), DAY) == TimeRange(0, 4 * DAY)
    assert whole_slices(TimeRange(DAY, DAY + 1), DAY) == TimeRange(DAY, 2 * DAY)


@given(st.integers(EARLIEST_NS, LATEST_NS), st.integers(1, 400 * DAY))
def test_whole_slices_add_less_than_a_slice_on_each_side(start_ns: int, length_ns: int) -> None:
    span = TimeRange(start_ns, min(start_ns + length_ns, LATEST_NS + 1))
    whole = whole_slices(span, DAY)
    assert whole.start_ns <= span.start_ns < whole.start_ns + DAY
    assert whole.stop_ns - DAY < span.stop_ns <= whole.stop_ns
    assert whole.start_ns % DAY == 0 or whole.start_ns == EARLIEST_NS
    assert whole.stop_ns % DAY == 0 or whole.stop_ns == LATEST_NS + 1


def test_neighbours_go_together_up_to_a_number_of_points() -> None:
    assert list(batches([0, DAY, 2 * DAY], [5, 5, 5], DAY, 10)) == [TimeRange(0, 2 * DAY), TimeRange(2 * DAY, 3 * DAY)]


def test_many_neighbours_go_together_and_their_points_add_up() -> None:
    days = [day * DAY for day in range(5)]
    assert list(batches(days, [3, 3, 4, 1, 9], DAY, 10)) == [TimeRange(0, 3 * DAY), TimeRange(3 * DAY, 5 * DAY)]


def test_a_gap_begins_another_one() -> None:
    assert list(batches([0, 5 * DAY], [1, 1], DAY, 10)) == [TimeRange(0, DAY), TimeRange(5 * DAY, 6 * DAY)]


def test_a_slice_with_too_many_points_goes_alone() -> None:
    assert list(batches([0, DAY], [99, 1], DAY, 10)) == [TimeRange(0, DAY), TimeRange(DAY, 2 * DAY)]


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(1, 50), st.randoms(use_true_random=False))
def test_together_they_are_the_slices_each_once(days: set[int], most: int, chance: st.DataObject) -> None:
    starts = [day * DAY for day in sorted(days)]
    counts = [chance.randint(0, 30) for _ in starts]  # type: ignore[attr-defined]
    covered = [
        start for span in batches(starts, counts, DAY, most) for start in range(span.start_ns, span.stop_ns, DAY)
    ]
    assert covered == starts
