"""The mirror with a fake InfluxDB Cloud as its source or its target, between real servers.

What the mirror says is never believed here: the buckets of the real servers are read past the Cloud, and digests of
every point have to be equal. A mirror that trusts what was acknowledged does not pass (last test).
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from service.domain.job import Json
from service.domain.selection import Selection
from service.domain.timerange import parse_time
from service.errors import MirrorIncomplete
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.influx.store import InfluxStore
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.cloud import Cloud, CloudRules, fake_cloud
from tests.support.mirrors import A, B, KeptContext, Rig, digests, points, side
from tests.support.rows import at
from tests.support.servers import InfluxServer, running_influx

pytestmark = pytest.mark.live
SECOND_NS, DAY_NS = 10**9, 86_400 * 10**9
START = at("2024-01-01T00:00:00Z")
NO_LIMITS = CloudRules()
FREE_PLAN = CloudRules(write_bytes=5_000_000)
NEVER_S = 100_000.0
NEAR = "http://localhost:8086"
"""A target on this machine, which the mirror gives 15 s to show a write, where B has two minutes."""


@pytest.fixture(scope="module")
def beyond() -> Iterator[InfluxServer]:
    """The second real server: the mirror's target."""
    with running_influx() as running:
        yield running


def day(number: int, lines: int, changed: int = 0) -> str:
    """Four points a line, of five series each."""
    first_ns = START + number * DAY_NS
    return "".join(
        f"m,host={'abcde'[n % 5]} f={n / 4 + changed},i={n}i,g={n / 3},k={n * 7}i {first_ns + n * 17 * SECOND_NS}\n"
        for n in range(lines)
    )


def filled(server: InfluxServer, days: Sequence[int], lines: int) -> str:
    bucket = server.new_bucket(f"Meters {secrets.token_hex(4)}")
    for number in days:
        server.write(bucket, day(number, lines))
    return bucket


@pytest.fixture(scope="module")
def apart(influx: InfluxServer) -> str:
    """48,000 points in six slices with gaps between them, so that each is a group of its own: 120 kB of answer each."""
    return filled(influx, range(0, 12, 2), 2_000)


@pytest.fixture(scope="module")
def few(influx: InfluxServer) -> str:
    """8,000 points in two such slices."""
    return filled(influx, (0, 2), 1_000)


@pytest.fixture(scope="module")
def much(influx: InfluxServer) -> str:
    """800,000 points in 40 slices without a gap: 12 MB of answer, 3 MB when packed."""
    return filled(influx, range(40), 5_000)


class Waiting(KeptContext):
    """Really waits."""

    def clock(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        time.sleep(seconds)


class Skipping(Waiting):
    """Skips its waits: its clock jumps ahead instead, and `after` is told how far."""

    def __init__(self, after: Callable[[float], None] = lambda seconds: None) -> None:
        super().__init__()
        self._after = after
        self._ahead_s = 0.0

    def clock(self) -> float:
        return time.time() + self._ahead_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._ahead_s += seconds
        self._after(seconds)


@dataclass
class Bench:
    """A mirror with a Cloud on one side. `source` and `target` are the real servers, past the Cloud."""

    rig: Rig
    cloud: Cloud
    source: InfluxStore
    target: InfluxStore
    bucket: str
    copy: str
    runs: int = 0

    def run(self, context: Waiting) -> Json:
        """One run, by its clock a minute after the one before, so that it looks at everything again."""
        self.runs += 1
        self.rig.clock = lambda: context.clock() + 60 * self.runs
        told: Json = self.rig.pair(context=context)
        return told

    def assert_equal(self) -> None:
        assert digests(self.target, self.copy) == digests(self.source, self.bucket) != {}

    def assert_nothing_more_moves(self, context: Waiting, slices: int) -> None:
        """One more run looks at every slice, finds it equal, and copies nothing."""
        lines_seen = self.cloud.lines_seen
        told = self.run(context)
        assert (told["compared"], told["slices"]["equal"], told["copied_points"]) == (slices, slices, 0)
        assert self.cloud.lines_seen == lines_seen
        self.assert_equal()


@contextmanager
def opened(server: InfluxServer, url: str | None = None, packed: bool = False) -> Iterator[InfluxStore]:
    store = InfluxStore(url or server.url, server.token, server.org, packed=packed)
    yield store
    store.close()


@dataclass(frozen=True)
class Benches:
    """Makes mirrors from `here` to `there`."""

    here: InfluxServer
    there: InfluxServer
    folder: Path

    @contextmanager
    def from_cloud(self, bucket: str, rules: CloudRules, *, packed: bool = False, **members: Any) -> Iterator[Bench]:
        with (
            fake_cloud(self.here.server.port, rules) as cloud,
            opened(self.here, cloud.url, packed) as through,
            opened(self.here) as source,
            opened(self.there) as target,
        ):
            yield self._bench(cloud, source, target, bucket, {A: through, B: target}, members)

    @contextmanager
    def to_cloud(self, bucket: str, rules: CloudRules, *, packed: bool = False, **members: Any) -> Iterator[Bench]:
        with (
            fake_cloud(self.there.server.port, rules) as cloud,
            opened(self.there, cloud.url, packed) as through,
            opened(self.here) as source,
            opened(self.there) as target,
        ):
            yield self._bench(cloud, source, target, bucket, {A: source, B: through, NEAR: through}, members)

    @contextmanager
    def again_to_cloud(self, bench: Bench, rules: CloudRules) -> Iterator[None]:
        """Another Cloud takes over as the target of the same mirror; what the first one has not shown is lost."""
        with (
            fake_cloud(self.there.server.port, rules) as bench.cloud,
            opened(self.there, bench.cloud.url) as bench.rig.stores[B],
        ):
            yield

    def _bench(
        self, cloud: Cloud, source: InfluxStore, target: InfluxStore, bucket: str, stores: Any, members: dict[str, Any]
    ) -> Bench:
        rig, copy = Rig(self.folder, stores), f"Copy {secrets.token_hex(4)}"
        rig.configure(buckets=[{"source": bucket, "target": copy}], full_count="1s", **members)
        return Bench(rig, cloud, source, target, bucket, copy)


@pytest.fixture
def benches(influx: InfluxServer, beyond: InfluxServer, tmp_path: Path) -> Benches:
    return Benches(influx, beyond, tmp_path)


def statuses(cloud: Cloud, path: str) -> list[int]:
    return [status for _, asked, status in cloud.requests if asked == path]


def days_of_groups(context: KeptContext) -> list[int]:
    """How many days each group had, as the checkpoints tell; they begin at START."""
    ends = [START - 1, *(parse_time(one["until"], "until") for one in context.saved)]
    return [(stop - start) // DAY_NS for start, stop in pairwise(ends)]


# Quotas


@pytest.mark.parametrize(("packed", "read_bytes"), [(False, 200_000), (True, 50_000)])
def test_a_read_quota_is_waited_for_exactly_as_long_as_the_cloud_says(
    benches: Benches, apart: str, packed: bool, read_bytes: int
) -> None:
    context = Waiting()
    with benches.from_cloud(apart, CloudRules(read_bytes=read_bytes, window_s=2), packed=packed) as bench:
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        refused = statuses(bench.cloud, "/query").count(429)
        asked = [float(seconds) for _, line in context.lines for seconds in re.findall(r"asks to wait (\d+) s", line)]
        assert context.slept == asked, "neither longer nor shorter than asked"
        assert len(asked) == refused >= 1, "after the wait that was asked for, the next question passes"
        bench.cloud.become(NO_LIMITS)
        bench.assert_nothing_more_moves(context, 6)


@pytest.mark.parametrize(
    ("rules", "waits_s"),
    [
        (CloudRules(read_bytes=200_000, html_errors=True), range(280, 301)),
        (CloudRules(read_bytes=200_000, retry_after=False), [60]),
        (CloudRules(read_bytes=200_000, retry_after=False, html_errors=True), [60]),
    ],
)
def test_without_a_length_a_minute_is_waited_and_a_web_page_says_as_much(
    benches: Benches, apart: str, rules: CloudRules, waits_s: Sequence[int]
) -> None:
    with benches.from_cloud(apart, rules) as bench:
        context = Skipping(lambda _: bench.cloud.become(rules))
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        assert len(context.slept) == statuses(bench.cloud, "/query").count(429) >= 2
        assert all(seconds in waits_s for seconds in context.slept)
        bench.assert_nothing_more_moves(context, 6)


@pytest.mark.parametrize(("packed", "read_bytes"), [(False, 1_500_000), (True, 400_000)])
def test_a_read_quota_that_is_less_than_a_group_slows_the_mirror_down(
    benches: Benches, much: str, packed: bool, read_bytes: int
) -> None:
    """It used to begin the same group again after each wait, and run into the quota at the same place for ever."""
    rules = CloudRules(read_bytes=read_bytes)
    with benches.from_cloud(much, rules, packed=packed) as bench:
        context = Skipping(lambda _: bench.cloud.become(rules))
        assert bench.run(context)["slices"]["equal"] == 40
        bench.assert_equal()
        assert len(context.slept) <= 25
        groups = days_of_groups(context)
        assert sum(groups) == 40
        assert groups[0] > groups[1] > groups[2]
        bench.assert_nothing_more_moves(context, 40)


def test_verifying_gets_on_under_a_quota_too(benches: Benches, much: str) -> None:
    with benches.from_cloud(much, NO_LIMITS) as bench:
        bench.run(Skipping())
        rules = CloudRules(read_bytes=1_500_000)
        bench.cloud.become(rules)
        context = Skipping(lambda _: bench.cloud.become(rules))
        [told] = bench.rig.run(context, verify=True)["pairs"]
        assert (told["equal"], told["points"]) == (True, 800_000)
        assert 2 <= len(context.slept) <= 25


@pytest.mark.parametrize("packed", [False, True])
def test_a_write_quota_that_is_less_than_a_group_slows_the_mirror_down(
    benches: Benches, much: str, packed: bool
) -> None:
    with benches.to_cloud(much, FREE_PLAN, packed=packed) as bench:
        context = Skipping(lambda _: bench.cloud.become(FREE_PLAN))
        assert bench.run(context)["slices"]["equal"] == 40
        bench.assert_equal()
        assert 2 <= len(context.slept) <= 25
        assert all(280 <= seconds <= 300 for seconds in context.slept)
        groups = days_of_groups(context)
        assert groups[0] > groups[1]
        bench.assert_nothing_more_moves(context, 40)


@pytest.mark.parametrize("packed", [False, True])
def test_bodies_that_are_too_large_are_written_in_halves(benches: Benches, apart: str, packed: bool) -> None:
    context = Skipping()
    with benches.to_cloud(apart, CloudRules(largest_body_bytes=20_000), packed=packed) as bench:
        assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        assert statuses(bench.cloud, "/api/v2/write").count(413) >= 6
        assert context.slept == [], "a 413 is nothing to wait for"
        bench.assert_nothing_more_moves(context, 6)


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
    bucket = filled(influx, [0], 500)
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
    bucket = filled(influx, [0], 500)
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
    bucket = filled(influx, [0], 500)
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


# The budget


class Metering(Skipping):
    """Notes how many bytes the Clouds saw when a group was done, and when the mirror waited."""

    def __init__(self, seen_bytes: Callable[[], int]) -> None:
        super().__init__(lambda _: self.at_waits.append(seen_bytes()))
        self._seen_bytes = seen_bytes
        self.at_groups, self.at_waits = [seen_bytes()], [seen_bytes()]

    def save(self, checkpoint: Any) -> None:
        super().save(checkpoint)
        self.at_groups.append(self._seen_bytes())


def steps(marks: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(marks)]


@pytest.mark.parametrize(("packed", "budget", "budget_bytes"), [(False, "300kB", 300_000), (True, "100kB", 100_000)])
def test_a_budget_holds_for_each_five_minutes_but_for_one_group(
    benches: Benches, apart: str, beyond: InfluxServer, packed: bool, budget: str, budget_bytes: int
) -> None:
    """Both links count. Writes are measured as they are sent, so they stay plain."""
    with (
        benches.from_cloud(apart, NO_LIMITS, packed=packed, budget=budget) as bench,
        fake_cloud(beyond.server.port, NO_LIMITS) as second,
    ):
        with opened(beyond, second.url) as bench.rig.stores[B]:
            context = Metering(
                lambda: sum(one.read_bytes_sent + one.write_bytes_taken for one in (bench.cloud, second))
            )
            assert bench.run(context)["slices"]["equal"] == 6
        bench.assert_equal()
        windows, group_bytes = steps([*context.at_waits, context.at_groups[-1]]), max(steps(context.at_groups))
        assert len(context.slept) >= 2
        assert all(250 <= seconds <= 300 for seconds in context.slept), "the rest of the five minutes"
        assert max(windows) <= budget_bytes + group_bytes
        assert sum(windows[:-1]) >= len(windows[:-1]) * budget_bytes * 0.8, "it is used up before the mirror waits"
        bench.rig.stores[B] = bench.target
        bench.assert_nothing_more_moves(context, 6)


# A planted bug


class Trusting:
    """A target that takes what it acknowledged for stored: after its first write it counts what the source has in `bucket`."""

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
