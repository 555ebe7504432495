"""Processes that run a connector's jobs from a state database, to be killed and lied to.

They are forked from one server that has imported everything already, so that a hundred of them cost seconds. The
environment of a process says what it sends where, where it dies and which bug it has.
"""

import os
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.domain import backoff
from service.domain.timerange import TimeRange, format_time
from service.errors import UpstreamUnavailable
from service.jobs import JobQueue, Kinds
from service.jobs.forward.bookmarks import Acceptance, Bookmarks
from service.jobs.forward.connector_state import ConnectorState
from service.jobs.forward.counts import Counts
from service.jobs.forward.kind import forward_kind
from service.jobs.forward.window_delivery import WindowDelivery
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.runner.scheduler import Scheduler, queue_options_by_kind
from service.state.jobs import JobStore
from service.state.schedules import ScheduleStore
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream import delivery, posting
from service.upstream.config import Upstream
from service.upstream.protocol import Batch, Delivered
from service.upstream.sink import HttpSink, open_sink
from tests.support.forwarding import ForwardRig, MemorySource
from tests.support.jobs import BUG
from tests.support.mirror_process import PAUSE_S, DeadlyLeases, MirrorProcess, reached
from tests.support.recording_upstream import RecordingUpstream
from tests.support.upstream_payloads import Value
from tests.support.waiting import until

POINTS = ("read", "posted", "noting", "noted", "saving", "renewing", "ending")
"""Where a process may die: before a batch is posted; after it was accepted and before that is noted; in the transaction
that notes a window; after it; in a checkpoint's transaction; in the one that renews the lease; in the one that ends the
job."""
BUGS = ("bookmark first", "random keys", "windows skipped")
SENSORS, STEP_NS, WINDOW_S = 5, 250_000_000, 2
_FOLDER, _URL, _BASE, _VALUES = "TEST_FOLDER", "TEST_URL", "TEST_BASE_NS", "TEST_VALUES"
NAME = "c"
_LEASE_S = 1.0


class ForwardSite:
    """A source that begins `backlog_s` ago and ends `later_s` from now, its upstream, and a state database."""

    def __init__(self, folder: Path, upstream: RecordingUpstream, backlog_s: int, later_s: int) -> None:
        self.folder, self.upstream = folder, upstream
        self.base_ns = (time.time_ns() // 10**9 - backlog_s) * 10**9
        self.count = (backlog_s + later_s) * 10**9 // STEP_NS
        folder.mkdir(parents=True, exist_ok=True)
        self.rig = _rig(folder, upstream.url, self.base_ns, self.count)
        self.job_store = self.rig.job_store
        self.queue = JobQueue(self.job_store, Kinds([forward_kind(self.rig.runnable)]), time.time)
        self.sent = {_as_received(value) for value in self.rig.source.all()}
        self.bookmark_ns = 0

    def state(self) -> ConnectorState:
        return self.rig.bookmarks.get(NAME)

    @contextmanager
    def process(self, **environment: str) -> Iterator[MirrorProcess]:
        """A process that runs the connector by its schedule, killed at the end."""
        members = {_FOLDER: str(self.folder), _URL: self.upstream.url, _BASE: str(self.base_ns)}
        started = MirrorProcess({**members, _VALUES: str(self.count), **environment}, run_connector)
        try:
            yield started
        finally:
            started.kill()

    def must_hold(self) -> None:
        """The bookmark is not ahead of the acceptances, and did not go back. Raises AssertionError."""
        position = self.state().position
        if position is None:
            return
        assert position.bookmark_ns >= self.bookmark_ns, "the bookmark went back"
        self.bookmark_ns = position.bookmark_ns
        covered = [value for value in self.sent if _covers(position.bookmark_ns, position.ahead, value.time_ns)]
        lost = self.upstream.missing(covered)
        assert not lost, f"{len(lost)} values lost"

    def must_be_exact(self, within_s: float, **environment: str) -> None:
        """A last process catches up: nothing is missing, nothing is added, and repeats have one key.

        Raises AssertionError.
        """
        end_ns = time.time_ns()
        with self.process(**environment):
            until(lambda: (position := self.state().position) and position.bookmark_ns >= end_ns, within_s)
        self.must_hold()
        assert not self.upstream.unexpected(self.sent)
        repeats = self.upstream.repeats_under_other_keys()
        assert not repeats, f"{len(repeats)} values under several keys"


def _covers(bookmark_ns: int, ahead: Sequence[TimeRange], time_ns: int) -> bool:
    return time_ns < bookmark_ns or any(piece.start_ns <= time_ns < piece.stop_ns for piece in ahead)


def _as_received(value: tuple[str, int, float]) -> Value:
    sensor, time_ns, number = value
    return Value(f"m.v.{sensor}", time_ns, repr(number))


def _source(base_ns: int, count: int) -> MemorySource:
    source = MemorySource()
    for sensor in range(SENSORS):
        for number in range(count):
            source.put(f"s{sensor}", base_ns + number * STEP_NS, number + sensor / 8)
    return source


class _SiteRig(ForwardRig):
    """A rig whose upstream is a real one."""

    @contextmanager
    def open_sink(self, upstream: Upstream, control: RunControl, log: Log) -> Iterator[Any]:
        with open_sink(upstream, control, log) as sink:
            yield _WatchedSink(sink)


def _rig(folder: Path, url: str, base_ns: int, count: int) -> _SiteRig:
    rig = _SiteRig(folder, clock=time.time)
    rig.source = _source(base_ns, count)
    rig.runnable = rig.runnable_with(run_s=1.0)
    upstream = {"url": url, "sensor": "{measurement}.{field}.{tag.sensor}", "max_points": 15, "in_flight": 2}
    rig.configure(
        NAME,
        upstream=upstream,
        every="00:00:01",
        window=f"{WINDOW_S}s",
        settle="0s",
        start=format_time(base_ns),
    )
    return rig


# --- inside of the process ---


class _WatchedSink:
    """A sink with a rest before each batch, and places to die at."""

    def __init__(self, sink: HttpSink) -> None:
        self._sink = sink

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        time.sleep(float(os.environ.get(PAUSE_S, "0")))
        reached("read")
        delivered = self._sink.deliver(batch, first_tried_s)
        reached("posted")
        return delivered


def _watch_notes() -> None:
    change, accept = Bookmarks._change, Bookmarks.accept

    def deadly_change(self: Bookmarks, connection: sa.Connection, name: str, version: int, **columns: object) -> None:
        change(self, connection, name, version, **columns)
        reached("noting" if "accepted_at" in columns else "other")

    def deadly_accept(
        self: Bookmarks, name: str, generation: int, acceptances: Sequence[Acceptance], at: float
    ) -> ConnectorState:
        state = accept(self, name, generation, acceptances, at)
        reached("noted")
        return state

    Bookmarks._change = deadly_change  # type: ignore[method-assign]
    Bookmarks.accept = deadly_accept  # type: ignore[method-assign]


def _plant(bug: str | None, bookmarks: Bookmarks) -> None:
    """Put a bug in that the checks must see."""
    send = WindowDelivery.send

    def noted_first(self: WindowDelivery, window: TimeRange, first_tried_s: float | None = None) -> Acceptance:
        state = bookmarks.get(NAME)
        bookmarks.accept(NAME, state.generation, [Acceptance(window, Counts())], time.time())
        return send(self, window)

    def skipping(self: WindowDelivery, window: TimeRange, first_tried_s: float | None = None) -> Acceptance:
        try:
            return send(self, window)
        except UpstreamUnavailable:
            return Acceptance(window, Counts())

    if bug == "bookmark first":
        WindowDelivery.send = noted_first  # type: ignore[method-assign]
    elif bug == "windows skipped":
        posting.MOST_TRIES = 1  # type: ignore[misc]
        WindowDelivery.send = skipping  # type: ignore[method-assign]
    elif bug == "random keys":
        delivery.key_of = lambda *_: secrets.token_hex(16)  # type: ignore[attr-defined]


def run_connector(environment: Mapping[str, str]) -> None:
    """Run the connector by its schedule, until the process is killed or its parent is gone."""
    os.environ.update(environment)
    backoff.FIRST_WAIT_S, backoff.LONGEST_WAIT_S = 0.05, 0.2
    rig = _rig(Path(os.environ[_FOLDER]), os.environ[_URL], int(os.environ[_BASE]), int(os.environ[_VALUES]))
    _watch_notes()
    _plant(os.environ.get(BUG), rig.bookmarks)
    kinds = Kinds([forward_kind(rig.runnable, slots=4)])
    runner = Runner(DeadlyLeases(rig.state, time.time), kinds, time.time, lease_s=_LEASE_S, chance=random.random)
    job_store = JobStore(rig.state, time.time)
    LocalRunner(job_store, runner, slots=1, poll_s=0.05).start()
    schedules = ScheduleStore(rig.state, kinds.schedules, queue_options_by_kind(kinds), time.time)
    Scheduler(schedules, job_store, time.time, poll_s=0.2).start()
    parent = os.getppid()
    while os.getppid() == parent:
        threading.Event().wait(1)
