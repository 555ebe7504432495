"""Mirrors between two real servers with a fake InfluxDB Cloud on one side, and contexts that wait or skip waits."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.job import Json
from service.stores.influx.store import InfluxStore
from tests.support.cloud import Cloud, CloudRules, fake_cloud
from tests.support.mirrors import A, B, KeptContext, Rig, digests
from tests.support.rows import at
from tests.support.servers import InfluxServer

SECOND_NS, DAY_NS = 10**9, 86_400 * 10**9
START = at("2024-01-01T00:00:00Z")
NO_LIMITS = CloudRules()
NEAR = "http://localhost:8086"
"""A target on this machine, which the mirror gives 15 s to show a write, where B has two minutes."""


def day(number: int, lines: int, changed: int = 0) -> str:
    """Four points a line, of five series each."""
    first_ns = START + number * DAY_NS
    return "".join(
        f"m,host={'abcde'[n % 5]} f={n / 4 + changed},i={n}i,g={n / 3},k={n * 7}i {first_ns + n * 17 * SECOND_NS}\n"
        for n in range(lines)
    )


def filled_bucket(server: InfluxServer, days: Sequence[int], lines: int) -> str:
    bucket = server.new_bucket(f"Meters {secrets.token_hex(4)}")
    for number in days:
        server.write(bucket, day(number, lines))
    return bucket


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
        outcome: Json = self.rig.pair(context=context)
        return outcome

    def assert_equal(self) -> None:
        assert digests(self.target, self.copy) == digests(self.source, self.bucket) != {}

    def assert_nothing_more_moves(self, context: Waiting, slices: int) -> None:
        """One more run looks at every slice, finds it equal, and copies nothing."""
        lines_seen = self.cloud.lines_seen
        outcome = self.run(context)
        assert (outcome["compared"], outcome["slices"]["equal"], outcome["copied_points"]) == (slices, slices, 0)
        assert self.cloud.lines_seen == lines_seen
        self.assert_equal()


@contextmanager
def opened(server: InfluxServer, url: str | None = None, packed: bool = False) -> Iterator[InfluxStore]:
    store = InfluxStore(url or server.url, server.token, server.org, packed=packed)
    yield store
    store.close()


@dataclass(frozen=True)
class Benches:
    """Makes mirrors from the server `near` to the server `far`."""

    near: InfluxServer
    far: InfluxServer
    folder: Path

    @contextmanager
    def from_cloud(self, bucket: str, rules: CloudRules, *, packed: bool = False, **members: Any) -> Iterator[Bench]:
        with (
            fake_cloud(self.near.server.port, rules) as cloud,
            opened(self.near, cloud.url, packed) as through,
            opened(self.near) as source,
            opened(self.far) as target,
        ):
            yield self._bench(cloud, source, target, bucket, {A: through, B: target}, members)

    @contextmanager
    def to_cloud(self, bucket: str, rules: CloudRules, *, packed: bool = False, **members: Any) -> Iterator[Bench]:
        with (
            fake_cloud(self.far.server.port, rules) as cloud,
            opened(self.far, cloud.url, packed) as through,
            opened(self.near) as source,
            opened(self.far) as target,
        ):
            yield self._bench(cloud, source, target, bucket, {A: source, B: through, NEAR: through}, members)

    @contextmanager
    def again_to_cloud(self, bench: Bench, rules: CloudRules) -> Iterator[None]:
        """Another Cloud takes over as the target of the same mirror; what the first one has not shown is lost."""
        with (
            fake_cloud(self.far.server.port, rules) as bench.cloud,
            opened(self.far, bench.cloud.url) as bench.rig.stores[B],
        ):
            yield

    def _bench(
        self, cloud: Cloud, source: InfluxStore, target: InfluxStore, bucket: str, stores: Any, members: dict[str, Any]
    ) -> Bench:
        rig, copy = Rig(self.folder, stores), f"Copy {secrets.token_hex(4)}"
        rig.configure(buckets=[{"source": bucket, "target": copy}], full_count="1s", **members)
        return Bench(rig, cloud, source, target, bucket, copy)


def statuses(cloud: Cloud, path: str) -> list[int]:
    return [status for _, requested, status in cloud.requests if requested == path]
