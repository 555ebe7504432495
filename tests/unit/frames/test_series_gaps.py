"""Gaps against an obvious model: point by point, in whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange
from service.frames.series_gaps import Coverage, Gap, GapFinder, SeriesGaps
from tests.support.sample_blocks import Row, frame

SPAN = TimeRange(1000, 2000)


def coverage(
    times: list[int], expect_ns: int | None = 100, before_ns: int | None = None, span: TimeRange = SPAN, most: int = 100
) -> Coverage:
    series = SeriesGaps(span, expect_ns, most, before_ns)
    series.add(np.array(times, np.int64))
    return series.finished()


def model(times: list[int], expect_ns: int, before_ns: int | None, span: TimeRange) -> tuple[list[Gap], int]:
    """The gaps, and the length of what the points cover within the range."""
    known = times if before_ns is None else [before_ns, *times]
    ends = [*known[1:], span.stop_ns] if known else []
    gaps, covered = [], 0
    for position, (time_ns, end_ns) in enumerate(zip(known, ends, strict=True)):
        covered += max(0, min(time_ns + expect_ns, end_ns) - max(time_ns, span.start_ns))
        if end_ns - time_ns > expect_ns:
            gaps.append(Gap(time_ns, end_ns, is_open=position == len(known) - 1))
    return gaps, covered


def test_a_series_without_gaps_is_covered() -> None:
    whole = coverage(list(range(1000, 2000, 100)))
    assert (whole.gaps, whole.gap_count, whole.covered_ns, whole.is_silent) == ((), 0, 1000, False)
    assert (whole.points, whole.first_ns, whole.last_ns, whole.watched) == (10, 1000, 1900, SPAN)


def test_a_distance_as_long_as_expected_is_no_gap_and_a_longer_one_is() -> None:
    assert coverage([1000, 1100, 1201, 1301], span=TimeRange(1000, 1400)).gaps == (Gap(1100, 1201),)


def test_a_silent_series_has_an_open_gap() -> None:
    silent = coverage([1000, 1050])
    assert (silent.gaps, silent.is_silent) == ((Gap(1050, 2000, True),), True)
    assert coverage([1000, 1950]).is_silent is False


def test_a_series_that_had_its_last_point_before_the_range_is_missed_in_all_of_it() -> None:
    lost = coverage([], before_ns=700)
    assert (lost.gaps, lost.covered_ns, lost.watched, lost.points) == ((Gap(700, 2000, True),), 0, SPAN, 0)
    assert coverage([], before_ns=950).covered_ns == 50


def test_a_series_that_begins_in_the_range_is_watched_from_there_on() -> None:
    young = coverage([1900, 1990])
    assert (young.gaps, young.watched, young.covered_ns) == ((), TimeRange(1900, 2000), 100)


def test_what_is_expected_is_three_times_the_usual_distance() -> None:
    learned = coverage([*range(1000, 1600, 10), 1700, 1731, *range(1740, 2000, 10)], None)
    assert (learned.expect_ns, learned.gaps) == (30, (Gap(1590, 1700), Gap(1700, 1731)))
    assert coverage([1500], None).expect_ns is None
    assert coverage([1500], None, before_ns=1490).expect_ns == 30


def test_of_a_single_point_nothing_is_known() -> None:
    unknown = coverage([1500], None)
    assert (unknown.gaps, unknown.gap_count, unknown.is_silent, unknown.last_ns) == ((), 0, False, 1500)


def test_times_may_be_further_apart_than_an_int64_holds() -> None:
    ends = coverage([EARLIEST_NS, LATEST_NS], 10, span=EVER)
    assert ends.gaps == (Gap(EARLIEST_NS, LATEST_NS),)
    assert ends.covered_ns == 10 + 1
    assert coverage([EARLIEST_NS, 0, LATEST_NS], None, span=EVER).expect_ns == LATEST_NS


def test_the_longest_gaps_are_kept_and_all_are_counted() -> None:
    times = np.cumsum([1000, *range(11, 41)])
    kept = coverage(times.tolist(), 10, span=TimeRange(0, int(times[-1]) + 5), most=3)
    assert [gap.length_ns for gap in kept.gaps] == [38, 39, 40]
    assert kept.gap_count == 30
    silent = coverage(times.tolist(), 10, span=TimeRange(0, int(times[-1]) + 12), most=1)
    assert (silent.is_silent, silent.gaps[0].length_ns, silent.gap_count) == (True, 12, 31)


@given(
    times=st.sets(st.integers(1000, 1999)),
    cuts=st.lists(st.integers(0, 400), max_size=5),
    expect_ns=st.integers(1, 300),
    before_ns=st.none() | st.integers(0, 999),
)
def test_gaps_are_those_of_the_model_however_the_points_come(
    times: set[int], cuts: list[int], expect_ns: int, before_ns: int | None
) -> None:
    ordered = sorted(times)
    series = SeriesGaps(SPAN, expect_ns, 2000, before_ns)
    for piece in np.split(np.array(ordered, np.int64), sorted(min(cut, len(ordered)) for cut in cuts)):
        series.add(piece)
    found = series.finished()
    gaps, covered = model(ordered, expect_ns, before_ns, SPAN)
    assert (list(found.gaps), found.gap_count, found.covered_ns, found.points) == (gaps, len(gaps), covered, len(times))


@given(distances=st.lists(st.integers(1, 50), min_size=1, max_size=300), cut=st.integers(0, 300))
def test_what_is_learned_does_not_depend_on_how_the_points_come(distances: list[int], cut: int) -> None:
    times = np.cumsum([0, *distances]).astype(np.int64)
    span = TimeRange(0, int(times[-1]) + 1000)
    at_once, in_two = SeriesGaps(span, None, 2000), SeriesGaps(span, None, 2000)
    at_once.add(times)
    for piece in np.split(times, [min(cut, len(times))]):
        in_two.add(piece)
    whole, parts = at_once.finished(), in_two.finished()
    assert whole.expect_ns is not None
    assert whole == parts
    assert (list(whole.gaps), whole.covered_ns) == model(times.tolist(), whole.expect_ns, None, span)


def test_series_are_told_apart_by_measurement_tags_and_field_and_not_by_type() -> None:
    finder = GapFinder(SPAN, 100, 10, {(SeriesKey("m", (("t", "gone"),)), "f"): 900})
    rows = [Row(1000 + 50 * step, 1.0, tags=(("t", "a" if step % 2 else "b"),)) for step in range(20)]
    finder.add(frame(rows[:7], ("t",)))
    finder.add(frame(rows[7:], ("t",)))
    finder.add(frame([Row(1000, 1.0, "g"), Row(1050, 1.0, "g")], ("t",)))
    finder.add(frame([Row(1100, 1, "g", type=FieldType.INTEGER)], ("t",)))
    finder.add(frame([Row(1000, 1.0)], ("t",)).slice(0, 0))
    seen = {(dict(series.tags).get("t"), field): result for (series, field), result in finder.coverages().items()}
    assert list(seen) == [("a", "f"), ("b", "f"), ("gone", "f"), (None, "g")]
    assert [seen[key].points for key in seen] == [10, 10, 0, 3]
    assert [seen[key].gaps for key in seen] == [(), (), (Gap(900, 2000, True),), (Gap(1100, 2000, True),)]
    assert len(finder) == 4


@pytest.mark.parametrize("expect_ns", [100, None])
def test_a_series_without_points_anywhere_says_nothing(expect_ns: int | None) -> None:
    empty = coverage([], expect_ns)
    assert (empty.watched, empty.gaps, empty.covered_ns, empty.points) == (None, (), 0, 0)
