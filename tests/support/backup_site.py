"""Backups for tests: a store with every type in it, a place for backups, and the kinds of job that work on them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.manifest import Manifest, SliceFile
from service.archive.retention import Keep
from service.config.token_variables import TokenVariables
from service.domain.durations import parse_duration
from service.domain.endpoint import Endpoint
from service.domain.job import Json
from service.domain.schema import BucketSpec
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import Proof, ProofStore
from service.jobs.backup.pruning import PruneRunnable, Retention, backups_in_use
from service.jobs.backup.runnable import BackupRunnable
from service.jobs.backup.verifying import VerifyRunnable
from service.jobs.endpoint_rules import EndpointRules
from service.jobs.protocol import Runnable
from service.jobs.restore.drill import DrillRunnable
from service.jobs.restore.runnable import RestoreRunnable
from service.jobs.restore.target import RestoreRules
from service.state.database import StateDatabase
from service.stores.opener import OpenStore
from service.stores.protocol import Store
from tests.support.embedded_stores import points
from tests.support.mirrors import OWN, KeptContext
from tests.support.stores import embedded_store

DAY_NS = parse_duration("1d", "day")
NOW = 1_769_904_000_000_000_000
"""2026-02-01T00:00:00Z."""
HOSTILE = ("plant a/b", "..🚜", "A", "a", "q'u'o te", "%2e%2e", "nul", " lead and trail ", "x" * 200)
"""Names that climb, hide, collide or break where they are not encoded. A double quote is in no bucket's name."""


class SavingContext(KeptContext):
    """A context that keeps its checkpoint, so that a second run goes on from it."""

    def save(self, checkpoint: Mapping[str, Any]) -> None:
        super().save(checkpoint)
        self.checkpoint = dict(checkpoint)


class Clock:
    """Seconds since 1970; `days` moves it."""

    def __init__(self) -> None:
        self.now = NOW / 1e9

    def __call__(self) -> float:
        return self.now

    def days(self, count: float) -> None:
        self.now += count * 86_400


def every_type(time_ns: int, number: int = 1) -> str:
    """Two points of every type, an odd nanosecond apart, with tags that need escapes."""
    tags = r"ho\ st=a\,b,line=é😀"
    fields = f'f={number / 3},z=-0.0,i=-{number}i,u={2**64 - number}u,b=true,s="say \\"{number}\\"\nagain",e=""'
    return f"m\\ 1,{tags} {fields} {time_ns}\nm2 f={number}i {time_ns + 1}\n"


def write(store: Store, bucket: str, lines: str, **spec: Any) -> None:
    store.create_bucket(BucketSpec(bucket, **spec))
    outcome = store.write(bucket, points(lines))
    assert not outcome.refused_count


@contextmanager
def scratch_store(file: Path) -> Iterator[Store]:
    store = embedded_store(file)
    try:
        yield store
    finally:
        store.close()


class BackupSite:
    """A gateway's own store, its place for backups and its state, below `folder`."""

    def __init__(self, folder: Path, destination: Destination | None = None, store: Store | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.store: Store = store or embedded_store(folder / "own.duckdb")
        self.destination = destination or LocalFolder(folder / "backups")
        self.passphrase: str | None = None
        self.keep: Keep | None = None
        self.targets: dict[str | None, Store] = {}
        self.environment: dict[str, str] = {}
        self.state = StateDatabase.in_directory(folder)
        self.state.migrate()

    @property
    def place(self) -> BackupPlace:
        return BackupPlace(self.destination, passphrase=self.passphrase)

    @property
    def proofs(self) -> Mapping[str, Proof]:
        return ProofStore(self.state, self.place.name).all()

    def backup(self, **parameters: Any) -> Manifest:
        """Take one; its manifest."""
        kind = BackupRunnable(self.place, self.store, self.state, WorkLimits(), self.clock, lambda: None)
        return self.place.manifest(run(kind, None, **parameters)["backup"])

    def verify(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        return run(VerifyRunnable(self.place, self.state, self.clock), context, **parameters)

    def prune(self, **parameters: Any) -> Json:
        return run(self.pruning(), None, **parameters)

    def pruning(self) -> PruneRunnable:
        retention = Retention(self.keep)
        return PruneRunnable(
            self.place, self.state, retention, lambda: backups_in_use(self.state, time.time), self.clock
        )

    def restore(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        return run(self.restoring(), context, **parameters)

    def restoring(self) -> RestoreRunnable:
        """`targets`: stores by their url; the gateway's own is under None."""

        @contextmanager
        def open_store(endpoint: Endpoint) -> Iterator[OpenStore]:
            yield OpenStore(self.targets.get(endpoint.url, self.store), lambda: 0)

        rules = RestoreRules(OWN, EndpointRules(variables=TokenVariables(environment=self.environment)))
        return RestoreRunnable(self.place, open_store, rules, WorkLimits(), self.clock)

    def drill(self, context: KeptContext | None = None, **parameters: Any) -> Json:
        return run(self.drilling(), context, **parameters)

    def drilling(self, **members: Any) -> DrillRunnable:
        parts = {"directory": self.folder, "open_scratch": scratch_store, **members}
        return DrillRunnable(self.place, self.state, limits=WorkLimits(), clock=self.clock, **parts)

    def ids(self) -> list[str]:
        """Of what is listed, newest first."""
        return [backup.backup_id for backup in self.place.listed()]


def run(runnable: Runnable, context: KeptContext | None = None, **parameters: Any) -> Json:
    """Order and run a job; its result."""
    runnable.validate(parameters)
    return runnable.run(parameters, context or SavingContext())


def filled(site: BackupSite) -> BackupSite:
    """Several days with every type in two buckets, and an empty one."""
    for bucket in HOSTILE[:2]:
        write(site.store, bucket, "".join(every_type(NOW - day * DAY_NS + day, day + 1) for day in range(3)))
    site.store.create_bucket(BucketSpec("empty"))
    return site


def slices(manifest: Manifest) -> list[SliceFile]:
    return [entry for bucket in manifest.buckets for entry in bucket.slices]


def content(destination: Destination, path: str) -> bytes:
    return b"".join(destination.read(path))


def put(destination: Destination, path: str, data: bytes) -> None:
    with destination.create(path) as sink:
        sink.write(data)


def flip(destination: Destination, path: str) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(content(destination, path))
    data[len(data) // 2] ^= 4
    put(destination, path, bytes(data))
