"""The mirror with a fake InfluxDB Cloud as its source or its target, between real servers.

What the mirror says is never believed here: the buckets of the real servers are read past the Cloud, and digests of
every point have to be equal. A mirror that trusts what was acknowledged does not pass (last test).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.domain.selection import Selection
from service.errors import MirrorIncomplete
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.cloud import CloudRules
from tests.support.mirror_clouds import NEAR, NO_LIMITS, START, Benches, Skipping, Waiting, day, filled_bucket
from tests.support.mirrors import B, digests, points, side
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
NEVER_S = 100_000.0


@pytest.fixture(scope="module")
def few(influx: InfluxServer) -> str:
    """8,000 points in two slices with a gap between them, like those of `apart`."""
    return filled_bucket(influx, (0, 2), 1_000)


# Writes that are visible later


class Looking(Waiting):
    """Counts, whenever the mirror says that a group is done, what the target really has. `look` is set by the test."""

    look: Callable[[], int]

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def save(self, checkpoint: Any) -> None:
        super().save(checkpoint)
        self.seen.append(self.look())


@pytest.mark.parametrize("packed", [False, True])
def test_a_slice_is_equal_only_once_it_can_be_read_back(benches: Benches, few: str, packed: bool) -> None:
    context = Looking()
    with benches.to_cloud(few, CloudRules(visible_after_s=2), packed=packed) as bench:
        context.look = lambda: points(bench.target, bench.copy)
        assert bench.run(context)["copied_points"] == 8_000, "nothing was copied twice for impatience"
        assert context.seen == [4_000, 8_000]
        bench.assert_equal()
        bench.assert_nothing_more_moves(Waiting(), 2)


def test_changed_values_are_waited_for_as_missing_points_are(benches: Benches, influx: InfluxServer) -> None:
    """Their counts say nothing; the mirror used to look once, and to give up."""
    bucket = filled_bucket(influx, [0], 500)
    with benches.to_cloud(bucket, NO_LIMITS, full_rescan="1s") as bench:
        bench.run(Waiting())
        influx.write(bucket, day(0, 100, changed=1))
        bench.cloud.become(CloudRules(visible_after_s=1.5))
        assert bench.run(Waiting())["slices"]["equal"] == 1
        bench.assert_equal()


def test_points_are_waited_for_where_the_target_has_others_too(
    benches: Benches, influx: InfluxServer, beyond: InfluxServer
) -> None:
    """As many others as there are points, so that the number of points says nothing."""
    bucket = filled_bucket(influx, [0], 500)
    with benches.to_cloud(bucket, NO_LIMITS) as bench:
        bench.run(Waiting())
        beyond.write(bench.copy, "".join(f"m,host=z f=1 {START + n}\n" for n in range(1_000)))
        influx.write(bucket, "".join(f"m,host=y f=1 {START + n}\n" for n in range(100)))
        bench.cloud.become(CloudRules(visible_after_s=1.5))
        assert bench.run(Waiting())["slices"]["extra"] == 1
        ours = digests(bench.source, bucket)
        assert {name: digest for name, digest in digests(bench.target, bench.copy).items() if name in ours} == ours


class Meanwhile:
    """A target during whose first write something happens."""

    def __init__(self, store: Store, happens: Callable[[], None]) -> None:
        self._store = store
        self._happens = [happens]

    def write(self, bucket: str, sent: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        while self._happens:
            self._happens.pop()()
        return self._store.write(bucket, sent, bounds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_points_that_the_source_got_meanwhile_are_copied_and_not_waited_for(
    benches: Benches, influx: InfluxServer, beyond: InfluxServer
) -> None:
    bucket = filled_bucket(influx, [0], 500)
    with benches.to_cloud(bucket, NO_LIMITS) as bench:
        bench.run(Waiting())
        beyond.write(bench.copy, f"m,host=z f=1 {START}")
        influx.write(bucket, f"m,host=y f=1 {START}")
        bench.rig.stores[B] = Meanwhile(
            bench.rig.stores[B], lambda: influx.write(bucket, f"m,host=y f=2 {START + 1}\nm,host=y f=3 {START + 2}")
        )
        context = Skipping()
        assert bench.run(context)["slices"]["extra"] == 1
        assert context.slept == []
        assert points(bench.target, bench.copy) == points(bench.source, bucket) + 1


def test_what_never_appears_is_no_success_and_copied_again_by_the_next_run(benches: Benches, few: str) -> None:
    context = Skipping()
    with benches.to_cloud(few, CloudRules(visible_after_s=NEVER_S)) as bench:
        with pytest.raises(
            MirrorIncomplete, match=f"'{few}' to '{bench.copy}'.* in 2 slices, the first of 2024-01-01T00:00:00Z"
        ):
            bench.run(context)
        assert 2 * 120 <= sum(context.slept) <= 2 * 3 * 130, "two minutes for each slice, three times at most"
        assert points(bench.target, bench.copy) == 0
        with benches.again_to_cloud(bench, NO_LIMITS):
            assert bench.run(context)["copied_points"] == 8_000
            bench.assert_nothing_more_moves(context, 2)


# Lines that are rejected later


@pytest.mark.parametrize(("packed", "visible_after_s"), [(False, 0.0), (True, 0.0), (False, 0.3)])
def test_lines_that_got_lost_after_they_were_acknowledged_are_noticed_and_copied_again(
    benches: Benches, apart: str, packed: bool, visible_after_s: float
) -> None:
    rules = CloudRules(rejects_later=0.01, visible_after_s=visible_after_s)
    with benches.to_cloud(apart, rules, packed=packed, target=side(NEAR)) as bench:
        context = Skipping(lambda _: bench.cloud.settle())
        told = bench.run(context)
        assert (told["slices"]["equal"], told["rejected"]) == (6, 0)
        assert len(bench.cloud.lines_rejected) >= 60
        assert 48_000 < told["copied_points"] <= 96_000, "what lacked points was copied again, once"
        assert points(bench.source, apart) - points(bench.target, bench.copy) == 0
        bench.assert_equal()
        bench.assert_nothing_more_moves(context, 6)


def test_lines_that_get_lost_for_ever_are_never_called_a_success(benches: Benches, few: str) -> None:
    context = Skipping()
    with benches.to_cloud(few, CloudRules(rejects_later=0.01, rejects_for_ever=True), target=side(NEAR)) as bench:
        for run in (1, 2):
            with pytest.raises(
                MirrorIncomplete, match=f"'{few}' to '{bench.copy}'.* in 2 slices, the first of 2024-01-01T00:00:00Z"
            ):
                bench.run(context)
            assert bench.cloud.lines_seen <= run * 3 * 2_000, "a run tries three times"
        with pytest.raises(AssertionError):
            bench.assert_equal()
        bench.cloud.become(NO_LIMITS)
        assert bench.run(context)["slices"]["equal"] == 2
        bench.assert_nothing_more_moves(context, 2)


# A planted bug


class Trusting:
    """A target that takes what it acknowledged for stored.

    After its first write it counts what the source has in `bucket`."""

    def __init__(self, store: Store, source: Store, bucket: str) -> None:
        self._store, self._source, self._bucket = store, source, bucket
        self._trusts = False

    def write(self, bucket: str, sent: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        self._trusts = True
        return self._store.write(bucket, sent, bounds)

    def read(self, selection: Selection) -> Reading:
        return (
            self._source.read(replace(selection, bucket=self._bucket)) if self._trusts else self._store.read(selection)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_mirror_that_trusts_what_was_acknowledged_does_not_pass_here(benches: Benches, apart: str) -> None:
    with benches.to_cloud(apart, CloudRules(rejects_later=0.01)) as bench:
        bench.rig.stores[B] = Trusting(bench.rig.stores[B], bench.source, apart)
        assert bench.run(Skipping())["slices"]["equal"] == 6
        with pytest.raises(AssertionError):
            bench.assert_equal()
