"""Processes that run a mirror's jobs from a state database, to be killed, frozen and lied to.

They are forked from one server that has imported everything already, so that a hundred of them cost
seconds. The environment of a process says what it mirrors, where it dies and which bug it has.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.domain import backoff
from service.domain.job import Job, JobState
from service.domain.mirror_slices import Act, SliceRecord, SliceState
from service.domain.selection import Selection
from service.domain.slicing import is_in
from service.domain.timerange import TimeRange
from service.frames.frame import Block, Reading
from service.frames.points import Points
from service.jobs import JobQueue, Kinds
from service.jobs.mirror import group_size, pair_sync
from service.jobs.mirror.kind import mirror_kind
from service.jobs.mirror.ledger import PairLedger
from service.jobs.mirror.slice_copy import SliceCopy
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import Lease, LeaseStore
from service.stores.influx.store import InfluxStore
from service.stores.protocol import UNBOUNDED, WriteBounds, WriteOutcome
from service.transfer import bucket_writer
from service.transfer.bucket_reader import SliceDigests
from tests.support.jobs import BUG, POINT, forget_leases
from tests.support.mirrors import A, B, Rig
from tests.support.servers import InfluxServer
from tests.support.waiting import until

POINTS = ("read", "written", "saving", "saved", "renewing", "ending")
"""Where a process may die: between the read of a block and its write; after a write was acknowledged and before the
checkpoint; in the checkpoint's transaction; after it and before the ledger's note; in the transaction that renews the
lease; in the one that ends the job. In the environment as POINT: `written:3` is the third time."""

SIGNAL, PAUSE_S, LEASE_S = "TEST_SIGNAL", "TEST_PAUSE_S", "TEST_LEASE_S"
"""In the environment: what a process sends itself at POINT, how long it rests after each block that it read, and how
long its lease is."""
BUGS = ("ledger first", "no fence", "cut nanoseconds")
_FOLDER, _BUCKET, _ORG = "TEST_FOLDER", "TEST_BUCKET", "TEST_ORG"
_SIDES = {A: "TEST_SOURCE", B: "TEST_TARGET"}
_POINTS_AT_ONCE, _WRITTEN_TOGETHER = 4_000, 500
"""So that a small bucket is many slices, writes and checkpoints."""


class Site:
    """A bucket of `source` to be mirrored to `target` under the same name, and the state database of the processes that
    do it."""

    def __init__(self, folder: Path, source: InfluxServer, target: InfluxServer) -> None:
        self.folder, self.source, self.target = folder, source, target
        self.bucket = source.new_bucket()
        state = StateDatabase.in_directory(folder)
        self._rig = _rig(folder, state, self.bucket, {})
        self.job_store = JobStore(state, time.time)
        self.queue = JobQueue(self.job_store, Kinds([mirror_kind(self._rig.kind)]), time.time)

    def stores(self) -> tuple[InfluxStore, InfluxStore]:
        """Of the source and the target, for the test itself."""
        source, target = (InfluxStore(one.url, one.token, one.org) for one in (self.source, self.target))
        return source, target

    def jobs(self, *states: JobState) -> list[Job]:
        return self.job_store.list(["mirror"], states)

    def order(self) -> str:
        return self.queue.submit("mirror", {"mirror": "m"}, "test")[0].id

    def keep_busy(self) -> None:
        """Order a run when the last one has ended."""
        if not self.jobs(JobState.QUEUED, JobState.RUNNING):
            self.order()

    def run(self, within_s: float = 60.0) -> Job:
        """The end of one more run, for which a process must be there. Earlier jobs are done first."""
        job_id = self.order()
        until(lambda: self.job_store.show(job_id).state.ended, within_s)
        return self.job_store.show(job_id)

    def has_logged(self, word: str) -> bool:
        """Whether the log of a job has a line with this word."""
        return any(word in line.message for job in self.jobs() for line in self.job_store.lines(job.id))

    @contextmanager
    def process(self, *, source_url: str = "", target_url: str = "", **environment: str) -> Iterator["MirrorProcess"]:
        """A process that mirrors this bucket, killed at the end.

        `source_url`, `target_url`: links to the servers that are not straight.
        """
        sides = {
            _SIDES[A]: f"{source_url or self.source.url} {self.source.token}",
            _SIDES[B]: f"{target_url or self.target.url} {self.target.token}",
        }
        started = MirrorProcess(
            {_FOLDER: str(self.folder), _BUCKET: self.bucket, _ORG: self.source.org, **sides, **environment}
        )
        try:
            yield started
        finally:
            started.kill()


_forking = multiprocessing.get_context("forkserver")
_one_at_a_time = threading.Lock()
"""multiprocessing looks at all of its processes whenever one starts, and is not made for threads."""


class MirrorProcess:
    """Started when made. `run` is what it does: the jobs of a mirror, or others'."""

    def __init__(self, environment: Mapping[str, str], run: Callable[[Mapping[str, str]], None] | None = None) -> None:
        with _one_at_a_time:
            _forking.set_forkserver_preload([__name__, "tests.support.backup_process", "tests.support.forward_process"])
            self._process = _forking.Process(target=run or run_jobs, args=(dict(environment),), daemon=True)
            self._process.start()
        self.pid: int = self._process.pid or 0

    def ended_by(self) -> int | None:
        """The signal that ended it; None while it lives. Raises AssertionError when it ended by itself."""
        with _one_at_a_time:
            code = self._process.exitcode
        assert code is None or code < 0, f"the process ended by itself with {code}"
        return None if code is None else -code

    def kill(self) -> None:
        if self.ended_by() is None:
            os.kill(self.pid, signal.SIGKILL)
            until(self.ended_by)

    def is_frozen(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


# --- inside of the process ---

_arrivals: Counter[str] = Counter()
_counting = threading.Lock()


def reached(point: str) -> None:
    """Die here (or do what SIGNAL says), when the environment says so."""
    with _counting:
        _arrivals[point] += 1
        is_here = os.environ.get(POINT) == f"{point}:{_arrivals[point]}"
    if is_here:
        os.kill(os.getpid(), int(os.environ.get(SIGNAL, signal.SIGKILL)))


class WatchedStore(InfluxStore):
    """An InfluxDB, with a rest after each block and places to die at."""

    def read(self, selection: Selection) -> Reading:
        reading = super().read(selection)
        if selection.windows is not None:
            return reading
        return Reading(reading.plan, _restful(reading.blocks), reading.cancel)

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        reached("read")
        outcome = super().write(bucket, _cut(points) if os.environ.get(BUG) == "cut nanoseconds" else points, bounds)
        reached("written")
        return outcome


def _restful(blocks: Iterator[Block]) -> Iterator[Block]:
    for block in blocks:
        time.sleep(float(os.environ.get(PAUSE_S, "0")))
        reached("rested")
        yield block


def _cut(points: Points) -> Points:
    """The bug that the tests of exactness must see: times in whole microseconds."""
    text = b"".join(line[:-4] + b"000\n" for line in points.text.splitlines(keepends=True))
    return Points.lazy(
        text, points.offsets, points.numbers, points.times_ns // 1000 * 1000, lambda: (points.keys, points.columns)
    )


class DeadlyLeases(LeaseStore):
    """Leases with places to die at."""

    def save(self, lease: Lease, checkpoint: Mapping[str, Any]) -> None:
        super().save(lease, checkpoint)
        reached("saved")

    @contextmanager
    def _held(self, lease: Lease, **values: object) -> Iterator[sa.Connection]:
        with super()._held(lease, **values) as connection:
            yield connection
            reached(
                {"checkpoint": "saving", "lease_until": "renewing", "state": "ending"}.get(
                    next(iter(values), ""), "other"
                )
            )


def _note_first(ledger: PairLedger) -> None:
    """The bug that the tests of killed processes must see: slices are called equal before they are written, and later
    runs believe it."""
    copy = SliceCopy.copy

    def copy_noted_first(
        self: SliceCopy, group: TimeRange, source: SliceDigests, target: SliceDigests, known: Mapping[int, SliceRecord]
    ) -> list[SliceRecord]:
        now = time.time()
        digests = {start_ns: digest for start_ns, digest in source.items() if is_in(start_ns, group)}
        ledger.put(
            SliceRecord(start_ns, SliceState.EQUAL, digest.count, digest.counts, digest.counts, None, 0, now, now)
            for start_ns, digest in digests.items()
        )
        return copy(self, group, source, target, known)

    def believing(known: SliceRecord | None, *_: object) -> Act:
        return Act.NOTHING if known is not None and known.state is SliceState.EQUAL else Act.COPY

    SliceCopy.copy = copy_noted_first  # type: ignore[method-assign]
    pair_sync.decide = believing  # type: ignore[attr-defined, assignment]


def _small_and_hasty() -> None:
    group_size._FIRST_POINTS = group_size._FIRST_POINTS_LOCAL = group_size._MOST_POINTS = group_size._FEWEST_POINTS = (
        _POINTS_AT_ONCE
    )
    bucket_writer._WRITTEN_TOGETHER = _WRITTEN_TOGETHER
    backoff.FIRST_WAIT_S, backoff.LONGEST_WAIT_S = 0.1, 0.5


def _rig(folder: Path, state: StateDatabase, bucket: str, stores: Mapping[str | None, InfluxStore]) -> Rig:
    """Every run looks at everything, if the last one is a second ago."""
    rig = Rig(folder, stores, state)
    rig.configure(buckets=[bucket], full_count="1s")
    return rig


def _store(name: str) -> InfluxStore:
    url, token = os.environ[name].split()
    return WatchedStore(url, token, os.environ[_ORG], connect_timeout_s=1.0, silence_timeout_s=1.0, read_timeout_s=20.0)


def run_jobs(environment: Mapping[str, str]) -> None:
    """Run what is due, until the process is killed or its parent is gone."""
    os.environ.update(environment)
    _small_and_hasty()
    bug = os.environ.get(BUG)
    if bug == "no fence":
        forget_leases()
    folder = Path(os.environ[_FOLDER])
    state = StateDatabase.in_directory(folder)
    if bug == "ledger first":
        _note_first(PairLedger(state, "m", os.environ[_BUCKET], os.environ[_BUCKET]))
    rig = _rig(folder, state, os.environ[_BUCKET], {url: _store(name) for url, name in _SIDES.items()})
    lease_s = float(os.environ.get(LEASE_S, "1"))
    runner = Runner(
        DeadlyLeases(state, time.time), Kinds([mirror_kind(rig.kind)]), time.time, lease_s=lease_s, chance=random.random
    )
    LocalRunner(JobStore(state, time.time), runner, slots=1, poll_s=0.05).start()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
