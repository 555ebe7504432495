"""Processes that run a restore from a state database into an embedded store, to be killed at named points.

They are forked from one server that has imported everything already. The environment says where a process dies.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.archive.local_folder import LocalFolder
from service.domain.access import Scope
from service.domain.endpoint import Endpoint
from service.domain.job import JobState
from service.domain.schema import BucketSpec
from service.frames.points import Points
from service.jobs import JobKind, JobQueue, Kinds
from service.jobs.backup.kind_names import RESTORE
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.restore.runnable import RestoreRunnable
from service.jobs.restore.target import RestoreRules
from service.runner.local import LocalRunner
from service.runner.runner import Runner
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import Lease, LeaseStore
from service.stores.opener import OpenStore
from service.stores.protocol import UNBOUNDED, Store, WriteBounds, WriteOutcome
from tests.support.jobs import BUG, POINT
from tests.support.mirrors import OWN
from tests.support.stores import Through, embedded_store
from tests.support.waiting import until

POINTS = ("made", "read", "written", "saving", "saved", "updated", "ending")
"""Where a process may die: after a bucket was made; before and after a write; in the transaction of a checkpoint, and
after it; after a retention was set; in the transaction that ends the job. `written:3` is the third time."""
STORE_FILE = "target.duckdb"
_LEASE_S = 0.6
_forking = multiprocessing.get_context("forkserver")


def kinds_of(folder: Path, store: Store | None) -> Kinds:
    @contextmanager
    def open_store(endpoint: Endpoint) -> Iterator[OpenStore]:
        assert store is not None
        yield OpenStore(store, lambda: 0)

    place = BackupPlace(LocalFolder(folder / "backups"))
    runnable = RestoreRunnable(place, open_store, RestoreRules(OWN), WorkLimits(), time.time)
    return Kinds([JobKind(RESTORE, Scope.RESTORE, runnable)])


def ledger_of(folder: Path) -> JobStore:
    return JobStore(StateDatabase.in_directory(folder), time.time)


def order(folder: Path, **parameters: Any) -> str:
    return JobQueue(ledger_of(folder), kinds_of(folder, None), time.time).submit(RESTORE, parameters, "test")[0].id


class RestoreProcess:
    """Started when made. It ends by itself when no job is open."""

    def __init__(self, folder: Path, point: str = "", bug: str = "") -> None:
        _forking.set_forkserver_preload([__name__])
        environment = {POINT: point, BUG: bug}
        self._process = _forking.Process(target=run_jobs, args=(str(folder), environment), daemon=True)
        self._process.start()

    def ended(self, within_s: float = 60.0) -> int:
        """Its exit code: 0, or minus the signal that ended it."""
        until(lambda: self._process.exitcode is not None, within_s)
        return self._process.exitcode or 0


# --- inside of the process ---

_arrivals: Counter[str] = Counter()
_counting = threading.Lock()


def reached(point: str) -> None:
    """Die here, when the environment says so."""
    with _counting:
        _arrivals[point] += 1
        is_here = os.environ.get(POINT) == f"{point}:{_arrivals[point]}"
    if is_here:
        os.kill(os.getpid(), signal.SIGKILL)


class DeadlyStore(Through):
    """A store with places to die at. The file beside it counts the lines that were written."""

    def __init__(self, store: Store, count: Path) -> None:
        super().__init__(store)
        self._count = count

    def create_bucket(self, spec: BucketSpec) -> bool:
        made = self.store.create_bucket(spec)
        reached("made")
        return made

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        reached("read")
        if os.environ.get(BUG) == "swallow" and _arrivals["read"] == 2:
            return WriteOutcome(len(points))
        outcome = self.store.write(bucket, points, bounds)
        with self._count.open("a") as file:
            file.write(f"{len(points)}\n")
        reached("written")
        return outcome

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        self.store.update_bucket(name, description, retention_ns)
        reached("updated")


class DeadlyLeases(LeaseStore):
    """Leases with places to die at."""

    def save(self, lease: Lease, checkpoint: Mapping[str, Any]) -> None:
        super().save(lease, checkpoint)
        reached("saved")

    @contextmanager
    def _held(self, lease: Lease, **values: object) -> Iterator[sa.Connection]:
        with super()._held(lease, **values) as connection:
            yield connection
            reached({"checkpoint": "saving", "state": "ending"}.get(next(iter(values), ""), "other"))


def run_jobs(folder_name: str, environment: Mapping[str, str]) -> None:
    """Run what is due until nothing is open, or the process is killed, or its parent is gone."""
    os.environ.update(environment)
    folder = Path(folder_name)
    store = embedded_store(folder / STORE_FILE)
    kinds, ledger = kinds_of(folder, DeadlyStore(store, folder / "written")), ledger_of(folder)
    leases = DeadlyLeases(StateDatabase.in_directory(folder), time.time)
    runner = Runner(leases, kinds, time.time, lease_s=_LEASE_S, chance=random.random)
    LocalRunner(ledger, runner, slots=1, poll_s=0.05).start()
    parent = os.getppid()
    while os.getppid() == parent and ledger.list([RESTORE], (JobState.QUEUED, JobState.RUNNING)):
        time.sleep(0.05)
    store.close()
    os._exit(0)
