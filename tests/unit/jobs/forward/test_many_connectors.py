"""Several connectors: what one of them does or suffers changes nothing for the others."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.jobs import Kinds
from service.jobs.forward.counts import Counts
from service.jobs.forward.kind import forward_kind
from service.jobs.forward.views import view_of, views
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.state.leases import LeaseStore
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.config import Upstream
from service.upstream.protocol import Batch, Delivered
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardRig, MemorySink, dead_letter
from tests.support.waiting import until


class Swallowing(MemorySink):
    """An upstream that never answers."""

    def __init__(self, control: RunControl) -> None:
        super().__init__()
        self._control = control

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        while True:
            self._control.sleep(0.05)


class MixedRig(ForwardRig):
    """`bad` swallows everything; all others go to `sink`."""

    @contextmanager
    def open_sink(self, upstream: Upstream, control: RunControl, log: Log) -> Iterator[MemorySink]:
        yield Swallowing(control) if upstream.connector_name.startswith("bad") else self.sink


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[MixedRig]:
    made = MixedRig(tmp_path, clock=time.time)
    yield made
    made.state.close()


def test_the_listing_shows_of_each_connector_what_is_shown_of_it_alone(tmp_path: Path) -> None:
    rig = ForwardRig(tmp_path)
    for name in ("b", "a", "fresh"):
        rig.configure(name)
    rig.bookmarks.begin("a", NOON_NS)
    rig.bookmarks.begin("gone", NOON_NS)
    rig.bookmarks.count("b", Counts(3, 1, 2, 1, 0), [dead_letter(("s", NOON_NS + second, 1.0)) for second in (2, 1)])
    shown = views(rig.runnable)
    assert [(view.name, view.letters.count, view.state.counts.read) for view in shown] == [
        ("a", 0, 0),
        ("b", 2, 3),
        ("fresh", 0, 0),
    ]
    assert shown[1].letters.oldest_ns == NOON_NS + 1
    assert shown == [view_of(rig.runnable, name) for name in ("a", "b", "fresh")]
    rig.state.close()


def test_an_upstream_that_swallows_everything_changes_nobody_elses_lag(rig: MixedRig) -> None:
    """Its lanes hold three slots of the kind, and the other connector has all it needs."""
    rig.runnable = rig.runnable_with(run_s=30.0)
    now_ns = time.time_ns()
    for name in ("bad", "good"):
        rig.configure(name, window="1s", settle="0s", start="2020-01-01T00:00:00Z")
        rig.bookmarks.begin(name, now_ns - 60 * MINUTE_NS)
    rig.source.fill(now_ns - 60 * MINUTE_NS, now_ns + 60 * MINUTE_NS, 10 * 10**9)
    kinds = Kinds([forward_kind(rig.runnable, slots=8)])
    job_store = rig.job_store
    local = LocalRunner(job_store, Runner(LeaseStore(rig.state, time.time), kinds, time.time), slots=1, poll_s=0.02)
    old = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T01:00:00Z"}
    rig.source.fill(1_577_836_800 * 10**9, 1_577_836_860 * 10**9, 10**9)
    for order in ({}, {"lane": "back_fill"}, old):
        parameters = {"connector": "bad", **order}
        job_store.enqueue("forward", parameters, rig.runnable.exclusion_key(parameters))
    local.start()
    until(lambda: job_store.list(["forward"])[0].lease_owner is not None)
    good, _ = job_store.enqueue("forward", {"connector": "good"}, "forward:good:live")
    until(lambda: job_store.show(good.id).state.ended)
    position = rig.bookmarks.get("good").position
    assert position is not None
    assert position.newest_ns > now_ns - 10 * 10**9
    for job in job_store.list(["forward"]):
        job_store.cancel(job.id, "test")
    assert local.stop()
