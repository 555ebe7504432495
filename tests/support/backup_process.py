"""Processes that run the job `backup` of a real InfluxDB from a state database, to be killed at named points.

The environment of a process says where it dies, how much a file may hold, and which bug it has.
"""

import os
import random
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.archive.destination import Sink
from service.archive.local_folder import LocalFolder
from service.archive.manifest import MANIFEST_FILE, STARTED_FILE
from service.domain.access import Scope
from service.domain.job import Job, JobState, Json
from service.domain.selection import Selection
from service.frames.frame import Block, Reading
from service.jobs import JobContext, JobKind, JobQueue, Kinds
from service.jobs.backup import logical_backup, slice_plan
from service.jobs.backup.finished_files import FinishedFiles
from service.jobs.backup.kind_names import BACKUP
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.runnable import BackupRunnable
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.stores.influx.store import InfluxStore
from service.stores.protocol import Store
from tests.support.jobs import BUG
from tests.support.mirror_process import DeadlyLeases, MirrorProcess, reached
from tests.support.servers import InfluxServer
from tests.support.stores import influx_store
from tests.support.waiting import until

POINTS = (
    "claimed", "begun", "read", "writing", "durable", "linked", "noting",
    "saving", "saved", "manifest soon", "manifest", "ending",
)  # fmt: skip
"""Where a process may die: after the number of a backup is taken; after its folder is made; between the blocks of a
slice; in the write of its file; after the file is durable and before it is noted; after a slice is taken over and
before it is noted; in the transaction of a note; in a checkpoint's transaction; after it; right before the manifest is
written; right after it; in the transaction that ends the job. `durable:3` is the third time."""

BUGS = ("manifest first", "noted first", "counts ignored", "forgetful", "untidy")
CONCURRENCY, LARGEST_FILE = "TEST_CONCURRENCY", "TEST_LARGEST_FILE"
"""In the environment: slices at one time, and how many bytes the system lets a file have."""
_FOLDER, _INFLUX, _LEASE_S = "TEST_FOLDER", "TEST_INFLUX", 0.6


def _kinds(folder: Path, store: Store, destination: LocalFolder, database: StateDatabase) -> Kinds:
    limits = WorkLimits(concurrency=int(os.environ.get(CONCURRENCY, "1")))
    runnable = _WatchedRunnable(BackupPlace(destination), store, database, limits, time.time, lambda: None)
    return Kinds([JobKind(BACKUP, Scope.BACKUP, runnable)])


class BackupSite:
    """Two buckets of an InfluxDB that are backed up, and the state database of the processes that do it.

    `still` does not change; `late` may get points meanwhile.
    """

    def __init__(self, folder: Path, influx: InfluxServer, concurrency: int = 1) -> None:
        self.folder, self.influx, self.concurrency = folder, influx, concurrency
        self.still, self.late = influx.new_bucket(), influx.new_bucket()
        self.state = StateDatabase.in_directory(folder)
        self.state.migrate()
        self.destination = LocalFolder(folder / "backups")
        self.place = BackupPlace(self.destination)
        self.store = influx_store(influx)
        self.job_store = JobStore(self.state, time.time)
        kinds = _kinds(folder, self.store, self.destination, self.state)
        self.queue = JobQueue(self.job_store, kinds, time.time)

    def jobs(self, *states: JobState) -> list[Job]:
        return self.job_store.list([BACKUP], states)

    def order(self, **parameters: Any) -> str:
        return self.queue.submit(BACKUP, {"buckets": [self.still, self.late], **parameters}, "test")[0].id

    def keep_busy(self) -> None:
        """Order a backup when the last one has ended."""
        if not self.jobs(JobState.QUEUED, JobState.RUNNING):
            self.order()

    def run(self, **environment: str) -> Job:
        """The end of one more backup, in a process that nobody kills. Earlier jobs are done first."""
        with self.process(**environment):
            until(lambda: not self.jobs(JobState.QUEUED, JobState.RUNNING), 60.0)
            job_id = self.order()
            until(lambda: self.job_store.show(job_id).state.ended, 60.0)
        return self.job_store.show(job_id)

    def repeated_reads(self) -> dict[str, int]:
        """By job, how often slices were read that had been read by it before."""
        file = self.folder / "reads"
        counted = Counter(file.read_text().splitlines() if file.exists() else [])
        repeated = Counter[str]()
        for line, count in counted.items():
            repeated[line.partition(" ")[0]] += count - 1
        return repeated

    @contextmanager
    def process(self, **environment: str) -> Iterator[MirrorProcess]:
        """A process that runs this site's jobs, killed at the end."""
        influx = f"{self.influx.url} {self.influx.token} {self.influx.org}"
        fixed = {_FOLDER: str(self.folder), _INFLUX: influx, CONCURRENCY: str(self.concurrency)}
        started = MirrorProcess({**fixed, **environment}, run_backups)
        try:
            yield started
        finally:
            started.kill()


# --- inside of the process ---


class _WatchedRunnable(BackupRunnable):
    """Tells the store whose reads it makes."""

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        if isinstance(self._store, _WatchedStore):
            self._store.job_id = context.job_id
        return super().run(parameters, context)


class _WatchedStore(InfluxStore):
    """An InfluxDB with a place to die at, and a file of the slices that each job reads."""

    job_id = ""
    reads: Path

    def read(self, selection: Selection) -> Reading:
        if selection.windows is None:
            with self.reads.open("a") as file:
                file.write(f"{self.job_id} {selection.bucket} {selection.span.start_ns}\n")
        reading = super().read(selection)
        return Reading(reading.plan, _deadly(reading.blocks), reading.cancel)


def _deadly(blocks: Iterator[Block]) -> Iterator[Block]:
    for block in blocks:
        reached("read")
        yield block


class _DeadlyFolder(LocalFolder):
    """A folder with places to die at."""

    @contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        with super().create(path) as sink:
            yield sink
            reached("writing")
        reached("durable")

    def write_new(self, path: str, content: bytes) -> None:
        name = path.rpartition("/")[2]
        if name == MANIFEST_FILE:
            reached("manifest soon")
        super().write_new(path, content)
        reached({MANIFEST_FILE: "manifest", STARTED_FILE: "begun"}.get(name, "claimed"))

    def link(self, source: str, path: str) -> bool:
        linked = super().link(source, path)
        reached("linked")
        return linked


class _HeldSink:
    """Keeps the bytes of a file, which is written later."""

    closed = False

    def __init__(self) -> None:
        self.content = b""

    @property
    def size(self) -> int:
        return len(self.content)

    def write(self, data: bytes | memoryview, /) -> int:
        self.content += bytes(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is sent."""


class _HoldingFolder(_DeadlyFolder):
    """The bugs "manifest first" and "noted first": files are written after what says that they are there."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._held: dict[str, bytes] = {}

    @contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        sink = _HeldSink()
        yield sink
        self._held[path] = sink.content

    def write_new(self, path: str, content: bytes) -> None:
        super().write_new(path, content)
        if path.endswith(MANIFEST_FILE):
            self.release()

    def release(self) -> None:
        for path in list(self._held):
            with super().create(path) as sink:
                sink.write(self._held.pop(path))


class _DeadlyDatabase(StateDatabase):
    """A state database with a place to die at in the transactions of a backup's notes. `noted` is called after each."""

    noted = staticmethod(lambda: None)

    @contextmanager
    def write(self, lock_wait_ms: int = 10_000) -> Iterator[sa.Connection]:
        with super().write(lock_wait_ms) as connection:
            yield connection
            reached("noting")
        reached("noted")
        self.noted()


def _plant(bug: str, folder: _DeadlyFolder, database: _DeadlyDatabase) -> None:
    if bug in ("manifest first", "noted first"):
        logical_backup.check_slice = lambda *_: None  # type: ignore[attr-defined]  # reading back would find it
    if bug == "noted first" and isinstance(folder, _HoldingFolder):
        database.noted = folder.release  # type: ignore[method-assign, assignment]
    if bug == "counts ignored":
        slice_plan._planned = lambda span, count, known, comparison: slice_plan.PlannedSlice(  # type: ignore[assignment]
            span, slice_plan.Act.WRITE if known is None else slice_plan.Act.TAKE_OVER, known
        )
    if bug == "forgetful":
        FinishedFiles.finished = lambda self, file: None  # type: ignore[method-assign, assignment]
    if bug == "untidy":
        LocalFolder.clear_unfinished = lambda self, folder: 0  # type: ignore[method-assign]


def run_backups(environment: Mapping[str, str]) -> None:
    """Run what is due, until the process is killed or its parent is gone."""
    os.environ.update(environment)
    folder, bug = Path(os.environ[_FOLDER]), os.environ.get(BUG, "")
    if LARGEST_FILE in environment:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(environment[LARGEST_FILE]), resource.RLIM_INFINITY))
    url, token, org = os.environ[_INFLUX].split(maxsplit=2)
    store = _WatchedStore(url, token, org, connect_timeout_s=5, silence_timeout_s=30, read_timeout_s=60)
    store.reads = folder / "reads"
    holds = bug in ("manifest first", "noted first")
    destination = (_HoldingFolder if holds else _DeadlyFolder)(folder / "backups")
    database, state = _DeadlyDatabase.in_directory(folder), StateDatabase.in_directory(folder)
    assert isinstance(database, _DeadlyDatabase)
    _plant(bug, destination, database)
    kinds = _kinds(folder, store, destination, database)
    runner = Runner(DeadlyLeases(state, time.time), kinds, time.time, lease_s=_LEASE_S, chance=random.random)
    LocalRunner(JobStore(state, time.time), runner, slots=1, poll_s=0.05).start()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
