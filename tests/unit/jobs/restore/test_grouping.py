"""Slices that are compared with one read are neighbours on one grid, and not too many values."""

from hypothesis import given
from hypothesis import strategies as st

from service.archive.compression import Packing
from service.archive.manifest import SliceFile
from service.domain.durations import parse_duration
from service.domain.timerange import EARLIEST_NS, TimeRange
from service.frames.slice_digest import SliceDigest
from service.jobs.restore.comparison import grouped
from service.jobs.restore.plan import PlannedSlice

DAY_NS = parse_duration("1d", "day")


def planned(number: int, span: TimeRange, values: int) -> PlannedSlice:
    entry = SliceFile(
        span=span,
        file=f"b/{number}",
        backup="00000001-20260101T000000Z",
        packing=Packing.GZIP,
        encrypted=False,
        size=1,
        sha256="0" * 64,
        text_bytes=values,
        points=1,
        first_ns=span.start_ns,
        last_ns=span.start_ns,
        digest=SliceDigest(values),
    )
    return PlannedSlice(number, "b", entry, span)


def day(number: int, values: int = 1) -> PlannedSlice:
    return planned(number, TimeRange(number * DAY_NS, (number + 1) * DAY_NS), values)


def numbers(*slices: PlannedSlice) -> list[list[int]]:
    return [[member.number for member in group] for group in grouped(slices)]


def test_neighbours_are_compared_together() -> None:
    assert numbers(day(-1), day(0), day(1)) == [[-1, 0, 1]]


def test_a_gap_begins_a_new_read() -> None:
    assert numbers(day(0), day(2), day(3)) == [[0], [2, 3]]


def test_many_values_are_not_read_together() -> None:
    assert numbers(day(0, 300_000), day(1, 100_000), day(2, 1), day(3, 900_000), day(4, 1)) == [[0, 1], [2], [3], [4]]


def test_cut_slices_stand_alone() -> None:
    cut = planned(1, TimeRange(DAY_NS, 2 * DAY_NS - 5), 1)
    rest = planned(2, TimeRange(2 * DAY_NS - 5, 3 * DAY_NS - 10), 1)
    first = planned(3, TimeRange(EARLIEST_NS, EARLIEST_NS + 9), 1)
    assert numbers(day(0), cut, rest) == [[0], [1], [2]]
    assert numbers(first) == [[3]]


@given(st.sets(st.integers(-50, 50), min_size=1), st.data())
def test_every_slice_is_in_one_group_and_no_group_has_a_gap(days: set[int], data: st.DataObject) -> None:
    slices = [day(number, data.draw(st.integers(1, 200_000))) for number in sorted(days)]
    groups = list(grouped(slices))
    assert [member for group in groups for member in group] == slices
    for group in groups:
        assert group[-1].number - group[0].number == len(group) - 1
        assert len(group) == 1 or sum(member.entry.digest.count for member in group) <= 400_000
