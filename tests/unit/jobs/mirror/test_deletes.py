"""Points that only the target has.

They are found exactly, removed exactly, and never on the word of a source that answers too little.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, StoreBroken
from service.frames.frame import Block, Reading
from service.jobs.mirror.deletes import Extra
from tests.support.mirrors import A, B, digests, points
from tests.support.rows import store_all
from tests.support.stores import Through
from tests.unit.jobs.mirror.conftest import Stage


def extra(times: list[int], kept: list[int]) -> Extra:
    return Extra(("m", ()), np.array(times, np.int64), np.array(kept, np.int64), len(times))


@pytest.mark.parametrize(
    ("times", "kept", "spans"),
    [
        ([5], [], [(5, 6)]),
        ([1, 2, 3], [], [(1, 4)]),
        ([1, 3], [2], [(1, 2), (3, 4)]),
        ([1, 2, 5, 6], [3, 9], [(1, 3), (5, 7)]),
        ([4], [4], [(4, 5)]),
    ],
)
def test_what_is_removed_spans_as_few_points_of_the_source_as_can_be(
    times: list[int], kept: list[int], spans: list[tuple[int, int]]
) -> None:
    assert list(extra(times, kept).spans()) == [TimeRange(*span) for span in spans]


def test_a_series_with_very_many_gaps_is_removed_at_one_go() -> None:
    assert list(extra(list(range(0, 1_000, 2)), list(range(1, 1_000, 2))).spans()) == [TimeRange(0, 999)]


@pytest.fixture
def following(stage: Stage) -> Stage:
    stage.configure(buckets=["W"], follow_deletes=True)
    for store in (stage.a, stage.b):
        store_all(
            store,
            "W",
            "\n".join(f"m,h={host} v={n}i,w={n} {stage.at(-1, n)}" for host in "ab" for n in range(0, 10, 2)),
        )
    stage.run()
    return stage


EXTRAS = [
    "m,h=a v=1i {1}",
    "m,h=a v=1i,w=1,x=1 {1}",
    "m,h=a x=1 {2}",
    "m,h=c v=1i {2}",
    "m v=1i {2}",
    "m,h=a,i=b v=1i {2}",
    "other v=true {5}",
]


@pytest.mark.parametrize("line", EXTRAS)
def test_exactly_what_only_the_target_has_goes(following: Stage, line: str) -> None:
    store_all(following.b, "W", line.format(*(following.at(-1, n) for n in range(10))))
    assert following.run(following.context())["state"] == "equal"
    assert digests(following.a, "W") == digests(following.b, "W")


def test_many_gaps_are_removed_and_what_went_along_is_copied_again(following: Stage) -> None:
    store_all(following.a, "W", "\n".join(f"gaps v={n}i {following.at(-2, n)}" for n in range(0, 1_000, 2)))
    store_all(following.b, "W", "\n".join(f"gaps v={n}i {following.at(-2, n)}" for n in range(1, 1_000, 2)))
    store_all(following.b, "W", f"gaps v=1i {following.at(-2, 1_001)}")
    assert following.pair()["deleted"] == 501
    assert digests(following.a, "W") == digests(following.b, "W")


def test_points_that_the_source_removed_go_with_the_next_run(following: Stage) -> None:
    following.a.delete_points("W", SeriesKey("m", (("h", "a"),)), TimeRange(following.at(-1, 2), following.at(-1, 5)))
    assert following.pair()["deleted"] == 4
    assert digests(following.a, "W") == digests(following.b, "W")


def test_without_following_nothing_is_ever_removed(following: Stage) -> None:
    following.configure(buckets=["W"])
    following.a.delete_points("W", SeriesKey("m", (("h", "a"),)), TimeRange(following.at(-1, 2), following.at(-1, 5)))
    assert following.run()["state"] == "extra"
    assert points(following.b, "W") == 20


class GivesTooLittle(Through):
    """Counts rightly, but leaves the last row out of what it gives: an answer that was cut and looks whole."""

    def read(self, selection: Any) -> Reading:
        reading = self.store.read(selection)
        return (
            reading
            if selection.windows is not None
            else Reading(reading.plan, self._cut(reading.blocks), reading.cancel)
        )

    def _cut(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            yield tuple(frame.slice(0, frame.num_rows - 1) for frame in block)


def test_a_source_that_gives_less_than_it_counts_costs_no_point_on_the_target(following: Stage) -> None:
    store_all(following.b, "W", f"m,h=a v=9i {following.at(-1, 9)}")
    following.stores[A] = GivesTooLittle(following.a)  # type: ignore[assignment]
    with pytest.raises(StoreBroken, match="counts other points than it gives, so nothing is removed"):
        following.run(following.context())
    assert points(following.b, "W") == 21


class CannotRemove(Through):
    def delete_points(self, *arguments: Any) -> None:
        raise InvalidParameter("tags", "It cannot be said alone.")


def test_what_the_store_cannot_remove_stays_and_is_told(following: Stage) -> None:
    store_all(following.b, "W", f"m,h=a v=9i {following.at(-1, 9)}")
    following.stores[B] = CannotRemove(following.b)  # type: ignore[assignment]
    context = following.context()
    assert following.run(context)["state"] == "extra"
    assert (
        "warning",
        "1 points of 'm' stay on the target: The target (b.test:8086): It cannot be said alone.",
    ) in context.lines
