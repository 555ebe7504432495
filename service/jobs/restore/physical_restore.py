"""Restores physical backups: buckets beside those of a server, or a whole server in place of another.

Every file is checked before anything is written, because InfluxDB answers success to a tar that is cut; afterwards the
values are counted and held against the counts of the backup. `whole_server` is in `physical_server`.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from service.archive.manifest import BucketMetadata, Manifest
from service.archive.physical_buckets import full_name, metadata_of
from service.archive.physical_files import shard_checks
from service.archive.physical_folder import PhysicalFolder
from service.archive.physical_manifest import PhysicalShard
from service.domain.job import Json
from service.errors import InvalidParameter
from service.jobs.backup.in_order import in_order
from service.jobs.backup.physical_download import operator_access
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.value_counts import ValueCounter
from service.jobs.protocol import JobContext
from service.jobs.restore.finishing import add_details, set_retention
from service.jobs.restore.physical_comparison import CountComparison, sentence, worst
from service.jobs.restore.physical_plan import PlannedBucket, planned_buckets
from service.jobs.restore.physical_progress import PhysicalProgress
from service.jobs.restore.physical_server import ServerRestore
from service.stores.influx.physical import PhysicalBackups, PhysicalOpener, bucket_entry
from service.stores.protocol import Store
from service.transfer.retry import Retry
from service.transfer.run_log import Log


class PhysicalRestore:
    """Restores from `place` into the server that `open_physical` opens, whose points `store` sees.

    `concurrency`: shards at one time. Each method bears being called again after a kill, with the same arguments.
    """

    def __init__(
        self,
        place: BackupPlace,
        open_physical: PhysicalOpener,
        store: Store,
        job: JobContext,
        log: Log,
        concurrency: int = 2,
    ) -> None:
        self._place = place
        self._open_physical = open_physical
        self._store = store
        self._job = job
        self._log = log
        self._concurrency = concurrency
        self._retry = Retry(job, log)
        self._counter = ValueCounter(store, self._retry, log)

    def buckets(self, manifest: Manifest, names: Mapping[str, str] | None, passphrase: str | None = None) -> Json:
        """Restore buckets under new names (`names`, by the names in the backup), all under their own when it is None.

        Raises, with nothing written: InvalidParameter (no such bucket, or the server has one of that name),
        BackupDamaged, StoreDenied. StoreError when a break lasts, ArchiveError, JobInterrupted.
        """
        folder = self._place.physical_folder(manifest, passphrase, self._job.check)
        progress = PhysicalProgress(self._job, manifest.backup_id)
        with operator_access(self._open_physical, self._retry) as physical:
            plan = planned_buckets(folder.manifest(), names, physical.organization)
            self._refuse_present(plan, progress)
            check_files(folder, plan)
            organization_id = self._retry.call(lambda: physical.organization_id(physical.organization))
            restorer = _BucketRestorer(self, physical, folder, progress, organization_id)
            for bucket in plan:
                if progress.report(bucket.target) is None:
                    restorer.restore(bucket)
        known = {held.metadata.name: held.metadata for held in manifest.buckets}
        reports = [self._finished(bucket, progress.report(bucket.target) or {}, known) for bucket in plan]
        state = worst({str(report["state"]) for report in reports})
        return {"backup": manifest.backup_id, "kind": manifest.kind.value, "state": state, "buckets": reports}

    def whole_server(self, manifest: Manifest, confirmation: str | None, passphrase: str | None = None) -> Json:
        """Replace everything on the server by the backup. `confirmation`: host and port of its address.

        Raises, with nothing changed: InvalidParameter, BackupDamaged, StoreDenied. After the server was emptied:
        StoreError when a break lasts, ArchiveError, JobInterrupted; the restore then has to be ordered again.
        """
        folder = self._place.physical_folder(manifest, passphrase, self._job.check)
        with operator_access(self._open_physical, self._retry) as physical:
            server = ServerRestore(physical, self._store, folder, manifest, self._retry, self._log)
            server.demand_fitting(confirmation)
            server.replace_stores()
            buckets = folder.manifest().buckets
            shards = [shard for bucket in buckets for shard in bucket.shards]
            self.upload(physical, folder, [(shard, shard.shard_id) for shard in shards])
        return server.report(self._counter)

    def upload(
        self,
        physical: PhysicalBackups,
        folder: PhysicalFolder,
        shards: Sequence[tuple[PhysicalShard, int]],
    ) -> None:
        """Give each shard its files under its new id."""
        for _ in self.uploads(physical, folder, shards):
            pass

    def uploads(
        self,
        physical: PhysicalBackups,
        folder: PhysicalFolder,
        shards: Sequence[tuple[PhysicalShard, int]],
    ) -> Iterator[PhysicalShard]:
        """As `upload`; each shard that InfluxDB has taken, in their order."""

        def send(item: tuple[PhysicalShard, int]) -> PhysicalShard:
            shard, new_id = item
            file = shard.file
            self._retry.call(
                lambda: physical.restore_shard(new_id, folder.content(file), gzipped=file.is_gzipped),
            )
            return shard

        with ThreadPoolExecutor(self._concurrency, "restore-shard") as threads:
            for done, shard in enumerate(in_order(threads, send, shards, self._concurrency), start=1):
                self._job.progress(done, len(shards), "shards")
                yield shard

    def count(self, folder: PhysicalFolder, bucket: PlannedBucket) -> Json:
        """What the bucket has now, held against the counts of the backup."""
        expected = folder.counts().get(full_name(bucket.source))
        comparison = CountComparison(expected, self._counter.counts([bucket.target]).get(bucket.target)).json()
        self._log(*sentence(bucket.target, comparison))
        return comparison

    def _refuse_present(self, plan: Sequence[PlannedBucket], progress: PhysicalProgress) -> None:
        present = {bucket.name for bucket in self._retry.call(self._store.buckets)}
        for bucket in plan:
            if bucket.target not in present or progress.new_ids(bucket.target) is not None:
                continue
            if progress.intended == bucket.target:
                raise InvalidParameter(
                    "buckets",
                    f"This restore was interrupted while it made the bucket {bucket.target!r}, which is there now and"
                    " may be empty. Delete it, and order the restore again.",
                )
            raise InvalidParameter(
                "buckets",
                f"The server has a bucket {bucket.target!r} already, and a physical restore never writes into one."
                ' Restore under another name, with buckets {"name in the backup": "new name"}.',
            )

    def _finished(self, bucket: PlannedBucket, report: Json, known: Mapping[str, BucketMetadata]) -> Json:
        """The retention last, so that no old point expires on the way."""
        metadata = metadata_of(bucket.source.document)
        notes = set_retention(self._store, self._retry, bucket.target, metadata)
        notes += add_details(self._store, self._retry, bucket.target, known.get(metadata.name, metadata))
        for note in notes:
            self._log("warning", f"{bucket.target}: {note}")
        return {"bucket": bucket.source.name, "target": bucket.target, **report, "notes": notes}


class _BucketRestorer:
    """Makes buckets and gives their shards the files. `restore`: whose uploads and counts are used."""

    def __init__(
        self,
        restore: PhysicalRestore,
        physical: PhysicalBackups,
        folder: PhysicalFolder,
        progress: PhysicalProgress,
        organization_id: str,
    ) -> None:
        self._restore = restore
        self._physical = physical
        self._folder = folder
        self._progress = progress
        self._organization_id = organization_id

    def restore(self, bucket: PlannedBucket) -> None:
        new_ids = self._progress.new_ids(bucket.target)
        if new_ids is None:
            new_ids = self._made(bucket)
        left = [
            (shard, new_ids[shard.shard_id])
            for shard in bucket.source.shards
            if shard.shard_id in new_ids and not self._progress.is_uploaded(bucket.target, shard.shard_id)
        ]
        for shard in self._restore.uploads(self._physical, self._folder, left):
            self._progress.uploaded(bucket.target, shard.shard_id)
        self._progress.compared(bucket.target, self._restore.count(self._folder, bucket))

    def _made(self, bucket: PlannedBucket) -> dict[int, int]:
        entry = bucket_entry(
            bucket.source.document,
            name=bucket.target,
            organization=self._physical.organization,
            organization_id=self._organization_id,
        )
        self._progress.intend(bucket.target)
        new_ids = self._physical.restore_bucket(entry)  # never twice: the second time the name is taken
        self._progress.made(bucket.target, new_ids)
        return new_ids


def check_files(folder: PhysicalFolder, plan: Sequence[PlannedBucket]) -> None:
    """Raises BackupDamaged for the first file of these buckets that is not whole."""
    for bucket in plan:
        for damage in folder.damages(shard_checks(bucket.source)):
            raise damage
