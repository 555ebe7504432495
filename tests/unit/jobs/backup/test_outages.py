"""A job `backup` while the place of the backups is away: it is tried again in an outage, and else fails for good."""

import threading
from pathlib import Path
from typing import Any

import httpx

from service.archive.object_storage import ObjectStorage
from service.domain.job import Job, JobState
from service.domain.schema import BucketSpec
from service.frames.frame import Reading
from service.jobs import JobQueue, Kinds
from service.jobs.backup.kind import backup_kind
from service.jobs.backup.kind_names import BACKUP
from service.jobs.backup.pings import PingAddresses, Pings
from service.runner.runner import Runner
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.stores.embedded.store import EmbeddedStore
from tests.support.backups import NOW_S, BackupRig, values_of
from tests.support.embedded_stores import points
from tests.support.s3_server import S3Server
from tests.support.stores import Through


class Queue:
    """The jobs of a rig, run one attempt at a time."""

    def __init__(self, rig: BackupRig) -> None:
        self._rig = rig
        self.job_store = JobStore(rig.state, rig.clock)
        self._leases = LeaseStore(rig.state, rig.clock)

    @property
    def kinds(self) -> Kinds:
        pings = Pings(PingAddresses(), httpx.Client, lambda _: None, lambda _: [])
        return Kinds([backup_kind(self._rig.runnable, pings, None)])

    def order(self) -> Job:
        job, _ = JobQueue(self.job_store, self.kinds, self._rig.clock).submit(BACKUP, {}, "test")
        return job

    def attempt(self, job: Job) -> Job:
        """Run the job that is due, which is `job`, and give its row afterwards."""
        claimed = self.job_store.claim("test", 3600, [BACKUP])
        assert claimed is not None
        runner = Runner(self._leases, self.kinds, self._rig.clock, lease_s=3600, chance=lambda: 0.0)
        runner.run(*claimed, threading.Event())
        return self.job_store.show(job.id)


def rig_on(folder: Path, store: EmbeddedStore, s3: S3Server, **key: str) -> BackupRig:
    store.create_bucket(BucketSpec("Power", "", 0))
    store.write("Power", points(f"m,host=a f=1,i=1i {int(NOW_S) - 9}000000000"))
    bucket = s3.new_bucket(f"bucket-{len(list(s3.files.iterdir()))}")
    return BackupRig(folder, store, ObjectStorage(s3.address(bucket, timeout_s=1, **key)))


def test_a_backup_that_meets_an_outage_of_the_storage_is_tried_again(
    tmp_path: Path, store: EmbeddedStore, own_s3: S3Server
) -> None:
    """Once, such a job failed for good, and the night had no backup."""
    rig = rig_on(tmp_path, store, own_s3)

    def read(selection: Any) -> Reading:
        own_s3.kill()
        return store.read(selection)

    rig.store = Through(store, read=read)  # type: ignore[assignment]
    queue = Queue(rig)
    waiting = queue.attempt(queue.order())
    assert (waiting.state, waiting.error and waiting.error["code"]) == (JobState.QUEUED, "archive_unavailable")
    own_s3.restart()
    rig.store = store
    rig.clock.now += 600
    done = queue.attempt(waiting)
    assert done.state is JobState.SUCCEEDED
    assert done.result is not None
    assert (done.result["state"], values_of(done.result)) == ("complete", {"Power": 2})


def test_a_backup_whose_key_is_refused_fails_for_good(tmp_path: Path, store: EmbeddedStore, own_s3: S3Server) -> None:
    queue = Queue(rig_on(tmp_path, store, own_s3, secret_access_key="wrong"))
    failed = queue.attempt(queue.order())
    assert (failed.state, failed.error and failed.error["code"]) == (JobState.FAILED, "archive_unavailable")
