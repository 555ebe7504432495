"""What a mirror decides: which time to look at, and what to do about a slice."""

from dataclasses import replace

import pytest

from service.domain.conflicts import OnConflict
from service.domain.durations import parse_duration
from service.domain.endpoint import Endpoint
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import (
    Act,
    SliceRecord,
    SliceState,
    comparisons_due,
    decide,
    kept_since,
    mirrored_ranges,
    spans_of_run,
)
from service.domain.schema import Bucket
from service.domain.selection import Windows
from service.domain.slicing import MeasurementRange
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange

HOUR, DAY, WEEK = (parse_duration(text, "test") for text in ("1h", "1d", "1w"))
NOW = 20_000 * DAY
A = Endpoint("http://a.test:8086", "org", "secret-a", "a.test:8086", is_remote=True)
B = Endpoint("http://b.test:8086", "org", "secret-b", "b.test:8086", is_remote=True)
MIRROR = Mirror(
    name="m", source=A, target=B, buckets=(BucketPair("W", "W"),), measurements=(), windows=None, since_ns=None,
    history=(), future_ns=2 * DAY,
    rescan_ns=7 * DAY, full_count_ns=DAY, full_rescan_ns=30 * DAY, budget_bytes=None, follow_deletes=False,
    on_conflict=OnConflict.FAIL,
    log_in_target=False,
)  # fmt: skip


def bucket(retention_ns: int = 0, shard_ns: int = WEEK) -> Bucket:
    return Bucket("W", "", retention_ns, shard_ns)


def record(
    start_ns: int = 0,
    state: SliceState = SliceState.EQUAL,
    source: str = "1:a",
    target: str = "1:a",
    values_compared_at: float | None = 0.0,
) -> SliceRecord:
    return SliceRecord(start_ns, state, 1, source, target, None, 0, 0.0, values_compared_at)


class TestWhatIsSaidOfAMirror:
    def test_an_endpoint_never_shows_its_token(self) -> None:
        assert "secret-a" not in repr(A) + str(A)

    def test_a_pair_is_named_once_when_both_buckets_have_one_name(self) -> None:
        assert str(BucketPair("W", "W")) == "'W'"
        assert str(BucketPair("W", "V")) == "'W' to 'V'"

    def test_the_shortest_of_the_lengths_that_fit_a_measurement_counts(self) -> None:
        mirror = replace(MIRROR, since_ns=30 * DAY, history=(("cpu*", 7 * DAY), ("*", 60 * DAY)))
        assert mirror.history_of("cpu_load") == 7 * DAY
        assert mirror.history_of("mem") == 30 * DAY
        assert MIRROR.history_of("mem") is None

    @pytest.mark.parametrize(
        ("patterns", "wanted"),
        [((), True), (("cpu",), True), (("CPU",), False), (("c?u", "x"), True), (("mem*",), False)],
    )
    def test_measurements_are_chosen_by_patterns_that_mind_case(self, patterns: tuple[str, ...], wanted: bool) -> None:
        assert replace(MIRROR, measurements=patterns).wants("cpu") is wanted


class TestMirroredRanges:
    def test_without_limits_all_measurements_are_one_range(self) -> None:
        assert mirrored_ranges(MIRROR, ["b", "a", "b"], EARLIEST_NS, NOW, DAY) == [
            MeasurementRange(("a", "b"), EARLIEST_NS, LATEST_NS + 1)
        ]

    def test_measurements_with_another_history_begin_at_another_slice(self) -> None:
        mirror = replace(MIRROR, history=(("a", 2 * DAY),))
        assert mirrored_ranges(mirror, ["b", "a"], EARLIEST_NS, NOW + HOUR, DAY) == [
            MeasurementRange(("b",), EARLIEST_NS, LATEST_NS + 1),
            MeasurementRange(("a",), NOW - 2 * DAY, LATEST_NS + 1),
        ]

    def test_windows_end_with_the_last_one_that_is_over(self) -> None:
        mirror = replace(MIRROR, windows=Windows(HOUR))
        assert mirrored_ranges(mirror, ["a"], 0, NOW + HOUR + 1, DAY) == [MeasurementRange(("a",), 0, NOW + HOUR)]

    def test_nothing_begins_after_its_end(self) -> None:
        mirror = replace(MIRROR, windows=Windows(HOUR))
        assert mirrored_ranges(mirror, ["a"], NOW + DAY, NOW, DAY) == []
        assert mirrored_ranges(mirror, ["a"], NOW, NOW, DAY) == []
        assert mirrored_ranges(mirror, ["a"], NOW - HOUR, NOW, DAY) == [MeasurementRange(("a",), NOW - HOUR, NOW)]


@pytest.mark.parametrize(
    ("source", "target", "since"),
    [(0, 0, EARLIEST_NS), (30, 0, NOW - 29 * DAY), (0, 7, NOW - 6 * DAY), (30, 7, NOW - 6 * DAY)],
)
def test_the_slices_that_a_retention_reaches_are_left_alone(source: int, target: int, since: int) -> None:
    assert kept_since(bucket(source * DAY), bucket(target * DAY), NOW + HOUR, DAY) == since


class TestSpansOfARun:
    def test_every_run_looks_around_now_in_whole_slices(self) -> None:
        assert spans_of_run(MIRROR, NOW + HOUR, None, [], DAY) == [TimeRange(NOW - 7 * DAY, NOW + 3 * DAY)]

    def test_a_run_looks_at_the_last_instant_ahead_and_no_further(self) -> None:
        assert spans_of_run(MIRROR, NOW + DAY - 1, None, [], DAY) == [TimeRange(NOW - 7 * DAY, NOW + 3 * DAY)]
        assert spans_of_run(MIRROR, NOW + DAY, None, [], DAY) == [TimeRange(NOW - 6 * DAY, NOW + 4 * DAY)]

    @pytest.mark.parametrize("now", [EARLIEST_NS, LATEST_NS])
    def test_a_run_looks_no_further_than_time_goes(self, now: int) -> None:
        [span] = spans_of_run(MIRROR, now, None, [], DAY)
        assert (span.start_ns, span.stop_ns)[now > 0] == (EARLIEST_NS, LATEST_NS + 1)[now > 0]

    def test_open_slices_are_looked_at_again_wherever_they_are(self) -> None:
        far = 100_000 * DAY
        assert spans_of_run(MIRROR, NOW, None, [0, DAY, far], DAY) == [
            TimeRange(0, 2 * DAY),
            TimeRange(NOW - 7 * DAY, NOW + 3 * DAY),
            TimeRange(far, far + DAY),
        ]

    def test_a_full_count_looks_at_everything_there_is(self) -> None:
        assert spans_of_run(MIRROR, NOW, TimeRange(1, LATEST_NS + 1), [], DAY) == [TimeRange(0, LATEST_NS + 1)]


DECISIONS = [
    ("unknown and unequal", None, "2:b", "1:a", False, False, Act.COPY),
    ("unknown and equal, values due", None, "1:a", "1:a", True, False, Act.COMPARE_VALUES),
    ("equal and known", record(), "1:a", "1:a", False, False, Act.NOTHING),
    ("equal, values due", record(), "1:a", "1:a", True, False, Act.COMPARE_VALUES),
    ("was equal, differs now", record(), "2:b", "1:a", False, False, Act.COPY),
    (
        "was different, equal now",
        record(state=SliceState.DIFFERENT, source="2:b"),
        "2:b",
        "2:b",
        False,
        False,
        Act.COMPARE_VALUES,
    ),
    ("still different", record(state=SliceState.DIFFERENT, source="2:b"), "2:b", "1:a", False, False, Act.COPY),
    ("still partial", record(state=SliceState.PARTIAL, source="2:b"), "2:b", "1:a", False, False, Act.NOTHING),
    ("partial, to be tried again", record(state=SliceState.PARTIAL, source="2:b"), "2:b", "1:a", False, True, Act.COPY),
    ("partial, source grew", record(state=SliceState.PARTIAL, source="2:b"), "3:c", "1:a", False, False, Act.COPY),
    ("partial, target shrank", record(state=SliceState.PARTIAL, source="2:b"), "2:b", "0:0", False, False, Act.COPY),
    ("still extra", record(state=SliceState.EXTRA, target="2:b"), "1:a", "2:b", False, False, Act.NOTHING),
    (
        "still extra, values due",
        record(state=SliceState.EXTRA, target="2:b"),
        "1:a",
        "2:b",
        True,
        False,
        Act.COMPARE_VALUES,
    ),
    (
        "was extra, equal now",
        record(state=SliceState.EXTRA, target="2:b"),
        "1:a",
        "1:a",
        False,
        False,
        Act.COMPARE_VALUES,
    ),
]


@pytest.mark.parametrize(
    ("known", "source", "target", "due", "again", "act"),
    [one[1:] for one in DECISIONS],
    ids=[one[0] for one in DECISIONS],
)
def test_what_is_done_about_a_slice(
    known: SliceRecord | None, source: str, target: str, due: bool, again: bool, act: Act
) -> None:
    assert decide(known, source, target, due, again) is act


def test_a_slice_is_tried_again_only_where_that_is_said() -> None:
    assert decide(record(state=SliceState.PARTIAL, source="2:b"), "2:b", "1:a", False) is Act.NOTHING


class TestValuesDue:
    NOW_S = NOW / 1e9
    HOUR_S, DAY_S = 3_600.0, 86_400.0

    def test_what_never_was_compared_is_due_wherever_it_is(self) -> None:
        assert comparisons_due(
            MIRROR, [record(0, values_compared_at=None), record(NOW, values_compared_at=None)], NOW, self.NOW_S
        ) == {0, NOW}

    def test_around_now_every_slice_is_due_after_a_day(self) -> None:
        known = [record(NOW - day * DAY, values_compared_at=self.NOW_S - self.DAY_S) for day in range(-2, 7)]
        assert comparisons_due(MIRROR, known, NOW, self.NOW_S - self.HOUR_S) == {one.start_ns for one in known}
        assert comparisons_due(MIRROR, known, NOW - HOUR, self.NOW_S - self.HOUR_S) == set()

    def test_further_back_the_oldest_come_first_in_shares_that_take_a_day(self) -> None:
        known = [record(day * DAY, values_compared_at=float(100 - day)) for day in range(100)]
        assert comparisons_due(MIRROR, known, NOW, self.NOW_S - self.HOUR_S) == {day * DAY for day in range(95, 100)}
        assert comparisons_due(MIRROR, known, NOW, self.NOW_S - self.DAY_S) == {day * DAY for day in range(100)}
        assert len(comparisons_due(MIRROR, known, NOW, self.NOW_S)) == 1
        assert len(comparisons_due(MIRROR, known, NOW, None)) == 100

    def test_many_old_slices_do_not_keep_those_around_now_waiting(self) -> None:
        """Once they did, for up to 24 days: all shared one queue, and a run does not even look at the old ones."""
        known = [
            *(record(day * DAY, values_compared_at=0.0) for day in range(1_000)),
            record(NOW, values_compared_at=self.NOW_S - self.DAY_S),
        ]
        assert NOW in comparisons_due(MIRROR, known, NOW, self.NOW_S - self.HOUR_S)

    def test_a_slice_around_now_takes_no_place_of_those_further_back(self) -> None:
        """The first slice around now is older than the one far back, of which this run compares one."""
        near, far = NOW - MIRROR.rescan_ns, NOW - MIRROR.rescan_ns - DAY
        known = [record(near, values_compared_at=0.0), record(far, values_compared_at=1.0)]
        assert comparisons_due(MIRROR, known, NOW, self.NOW_S) == {near, far}

    def test_what_was_compared_within_the_rescan_is_not_due(self) -> None:
        assert comparisons_due(MIRROR, [record(0, values_compared_at=self.NOW_S - 29 * self.DAY_S)], NOW, None) == set()
