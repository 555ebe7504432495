"""After a copy: only what can be read back is called equal, and a target that shows it late is waited for."""

from typing import Any

import pytest

from service.errors import MirrorIncomplete
from service.frames.frame import Reading
from service.frames.points import Points
from service.frames.slice_digest import SliceDigest
from service.jobs.mirror.slice_check import values_checksum
from service.stores.protocol import UNBOUNDED, WriteBounds, WriteOutcome
from tests.support.clock import Clock
from tests.support.mirror_faults import AltersLines, drops_one_point
from tests.support.mirrors import B, digests, side
from tests.support.rows import store_all
from tests.support.stores import Through
from tests.unit.jobs.mirror.conftest import Stage


class ShowsLate(Through):
    """Acknowledges at once, and shows it only after so many seconds, as InfluxDB Cloud does."""

    def __init__(self, store: Any, clock: Clock, delay_s: float) -> None:
        super().__init__(store)
        self._clock, self._delay_s = clock, delay_s
        self._queue: list[tuple[float, str, Points]] = []
        self.writes = 0

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self.writes += 1
        self._queue.append((self._clock.now + self._delay_s, bucket, points))
        return WriteOutcome(len(points))

    def read(self, selection: Any) -> Reading:
        for entry in [one for one in self._queue if one[0] <= self._clock.now]:
            self._queue.remove(entry)
            self.store.write(entry[1], entry[2])
        return self.store.read(selection)  # type: ignore[no-any-return]


def late(stage: Stage, delay_s: float) -> ShowsLate:
    target = ShowsLate(stage.b, stage.time, delay_s)
    stage.stores[B] = target  # type: ignore[assignment]
    return target


def test_a_remote_target_that_shows_points_within_two_minutes_is_waited_for(stage: Stage) -> None:
    target = late(stage, 100)
    store_all(stage.a, "W", f"m v=1 {stage.at(-1)}")
    assert stage.run(stage.context())["state"] == "equal"
    assert (target.writes, digests(stage.a, "W")) == (1, digests(stage.b, "W"))


def test_one_on_this_machine_has_fifteen_seconds(stage: Stage) -> None:
    here = "http://localhost:8086"
    stage.stores[here] = ShowsLate(stage.b, stage.time, 1_000_000)  # type: ignore[assignment]
    stage.configure(buckets=["W"], target=side(here))
    store_all(stage.a, "W", f"m v=1 {stage.at(-1)}")
    context = stage.context()
    with pytest.raises(MirrorIncomplete):
        stage.run(context)
    assert 3 * 15 <= sum(context.slept) < 3 * 21


def test_what_never_shows_is_an_error_and_stays_open_until_it_does(stage: Stage) -> None:
    stage.stores[B] = AltersLines(stage.b, drops_one_point)  # type: ignore[assignment]
    store_all(stage.a, "W", f"m v=1 {stage.at(-400)}")
    with pytest.raises(
        MirrorIncomplete,
        match=r"acknowledged points of 'W' that it does not give back, in 1 slices, the first of 2025-04-24",
    ):
        stage.run(stage.context())
    stage.stores[B] = stage.b
    assert stage.run(stage.context())["pairs"][0]["copied_points"] == 1
    assert digests(stage.a, "W") == digests(stage.b, "W")


def test_a_window_that_changed_is_waited_for_like_a_point_that_came(stage: Stage) -> None:
    """Its count is right all along: once the target was found different at once, and the job failed."""
    stage.configure(buckets=["W"], mode="downsample", every="1h")
    store_all(stage.a, "W", f"m v=2 {stage.at(-3)}")
    stage.run()
    store_all(stage.a, "W", f"m v=4 {stage.at(-3, 1)}")
    target = late(stage, 60)
    assert (stage.run(stage.context())["state"], target.writes) == ("equal", 1)


def test_a_value_that_was_overwritten_is_waited_for_too(stage: Stage) -> None:
    store_all(stage.a, "W", f"m v=2 {stage.at(-3)}")
    stage.run()
    store_all(stage.a, "W", f"m v=4 {stage.at(-3)}")
    stage.wait(1)
    target = late(stage, 60)
    assert (stage.run(stage.context())["state"], target.writes) == ("equal", 1)


def test_points_that_only_the_target_has_are_not_waited_for(stage: Stage) -> None:
    store_all(stage.a, "W", f"m v=2 {stage.at(-3)}")
    store_all(stage.b, "W", f"m v=2 {stage.at(-3)}\nm v=3 {stage.at(-3, 1)}")
    context = stage.context()
    assert (stage.run(context)["state"], context.slept) == ("extra", [])


def test_a_checksum_of_values_changes_with_either_side() -> None:
    one, other = SliceDigest(1, (2, 3), (4, 5)), SliceDigest(1, (2, 3), (4, 6))
    checksums = [values_checksum(left, right) for left in (one, other) for right in (one, other)]
    assert len(set(checksums)) == 4
    assert {len(text) for text in checksums} == {32}
