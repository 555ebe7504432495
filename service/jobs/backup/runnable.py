"""The job `backup`: takes one backup, and says in its result whether it is complete.

A run that is killed goes on with the same backup: what it finished is not read again. A backup has a manifest, and is
one, only when everything in it is durable and was read back.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from service.archive import catalog
from service.archive.manifest import FAILED_FILE, BackupKind, Manifest
from service.domain.endpoint import EMBEDDED
from service.domain.job import Json
from service.errors import ArchiveError, FluxgateError, InvalidParameter, NotFound
from service.jobs.backup.ages import BucketAge, bucket_ages
from service.jobs.backup.backup_tools import BackupTools
from service.jobs.backup.finished_files import forget_backup
from service.jobs.backup.kind_names import BACKUP
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.logical_backup import LogicalBackup
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.pace import Pace
from service.jobs.backup.physical_backup import PhysicalBackup
from service.jobs.backup.physical_download import PhysicalTools, operator_access
from service.jobs.backup.physical_progress import PhysicalProgress
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.previous import PreviousBackups
from service.jobs.backup.proofs import Judgement, Outcome, ProofStore
from service.jobs.backup.report import backup_result, physical_result
from service.jobs.backup.slice_progress import SliceProgress
from service.jobs.backup.status import NO_AGE_RULE, AgeRule, overdue
from service.jobs.backup.uploading import BackupUploads
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.stores.influx.physical import PhysicalBackups, PhysicalOpener
from service.stores.protocol import Store
from service.transfer.retry import Retry
from service.transfer.run_log import Log, RunLog
from service.transfer.splitting import Splitter


class BackupRunnable:
    """Backs up `store`, the gateway's own. `started` is called when a backup begins. `clock`: seconds since 1970.

    `open_physical` hands out the store's files; None: it has none, or there is no operator token.
    """

    def __init__(
        self,
        place: BackupPlace,
        store: Store,
        database: StateDatabase,
        limits: WorkLimits,
        clock: Callable[[], float],
        started: Callable[[], None],
        age_rule: AgeRule = NO_AGE_RULE,
        open_physical: PhysicalOpener | None = None,
    ) -> None:
        self.place = place
        self._store = store
        self._database = database
        self._limits = limits
        self._clock = clock
        self._started = started
        self._age_rule = age_rule
        self._open_physical = open_physical

    @property
    def proofs(self) -> ProofStore:
        return ProofStore(self._database, self.place.name)

    @property
    def uploads(self) -> BackupUploads:
        """Takes backups from elsewhere into the place."""
        return BackupUploads(self.place, self.proofs, self._clock, self._limits.max_upload_bytes)

    def ages(self) -> list[BucketAge]:
        """How old the last good backup of each bucket is. Raises ArchiveError."""
        return bucket_ages(self.place.listed(), self.proofs.all())

    def overdue(self, ages: Collection[BucketAge]) -> list[str]:
        """Buckets whose last complete backup is too old by their `ages`, or that have none. Raises StoreError."""
        names = lambda: [bucket.name for bucket in self._store.buckets()]  # noqa: E731
        return overdue(ages, names, self._age_rule, int(self._clock() * 1e9))

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return BACKUP

    def validate(self, parameters: Mapping[str, Any]) -> None:
        options = BackupOptions.of(parameters)
        if options.kind is BackupKind.PHYSICAL:
            self._physical_opener()

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        options = BackupOptions.of(parameters)
        log = RunLog([context.log], self._clock).write
        with self._opened(options, Retry(context, log)) as physical:
            backup_id, created_ns = self._begun(context)
            manifest = self._finished(backup_id)
            if manifest is None:
                take = self._logical if physical is None else partial(self._physical, physical)
                with self._marked_if_failed(backup_id, log):
                    manifest = take(options, context, log, backup_id, created_ns)
                self.proofs.note_verification(backup_id, Judgement(self._clock(), Outcome.INTACT))
            else:
                self._catch_up(manifest)
        return self._result(manifest)

    def _physical_opener(self) -> PhysicalOpener:
        if self._open_physical is not None:
            return self._open_physical
        if self._store.name == EMBEDDED:
            raise InvalidParameter("kind", "The embedded store has no files of an InfluxDB: order kind=logical.")
        raise InvalidParameter(
            "kind",
            "A physical backup needs an operator token of this InfluxDB: set INFLUXDB_OPERATOR_TOKEN. InfluxDB Cloud"
            " has none: order kind=logical there.",
        )

    def _opened(self, options: BackupOptions, retry: Retry) -> AbstractContextManager[PhysicalBackups | None]:
        """The files of the server, for a physical backup, once the token was found good for them."""
        if options.kind is BackupKind.LOGICAL:
            return nullcontext()
        return operator_access(self._physical_opener(), retry)

    def _physical(
        self,
        physical: PhysicalBackups,
        options: BackupOptions,
        context: JobContext,
        log: Log,
        backup_id: str,
        created_ns: int,
    ) -> Manifest:
        key_pair = self.place.key_pair(backup_id, None)
        tools = PhysicalTools(
            place=self.place,
            backup_id=backup_id,
            encrypter=self.place.encrypter(key_pair),
            job=context,
            retry=Retry(context, log),
            pace=self._pace(context),
            log=log,
            concurrency=self._limits.concurrency,
        )
        progress = PhysicalProgress(self._database, self.place.name, backup_id)
        return PhysicalBackup(physical, self._store, tools, progress, options, key_pair, created_ns, self._clock).run()

    def _logical(
        self,
        options: BackupOptions,
        context: JobContext,
        log: Log,
        backup_id: str,
        created_ns: int,
    ) -> Manifest:
        retry = Retry(context, log)
        previous = PreviousBackups.of(self.place.listed(), self.proofs.all())
        key_pair = self.place.key_pair(backup_id, previous.newest)
        tools = BackupTools(
            place=self.place,
            backup_id=backup_id,
            encrypter=self.place.encrypter(key_pair),
            job=context,
            retry=retry,
            progress=SliceProgress(self._database, self.place.name, backup_id),
            pace=self._pace(context),
            log=log,
            concurrency=self._limits.concurrency,
            parquet=self._limits.parquet,
            previous_copies=previous.copies,
        )
        splitter = Splitter(retry, log)
        return LogicalBackup(self._store, tools, splitter, options, previous, key_pair, created_ns, self._clock).run()

    def _pace(self, context: JobContext) -> Pace:
        return Pace(context, self._clock, self._limits.bytes_a_second, self._limits.pause_s)

    def _result(self, manifest: Manifest) -> Json:
        if manifest.kind is BackupKind.LOGICAL:
            return backup_result(manifest)
        return physical_result(manifest, self.place.physical_folder(manifest))

    def _begun(self, context: JobContext) -> tuple[str, int]:
        """The backup of this job, and when it began (ns).

        The checkpoint names it before anything of it is written, so that no kill leaves a folder that nobody goes on
        with.
        """
        destination, known = self.place.destination, context.checkpoint
        if known.get("begun", bool(known)):
            destination.clear_unfinished(known["backup"])
            destination.delete(f"{known['backup']}/{FAILED_FILE}")
            return known["backup"], known["created_ns"]
        created_ns = known["created_ns"] if known else int(self._clock() * 1e9)
        if known and catalog.go_on(destination, known["backup"], created_ns, context.job_id):
            backup_id = known["backup"]
        else:
            choose = lambda identity: context.save(_checkpoint(identity, created_ns, begun=False))  # noqa: E731
            backup_id = catalog.begin(destination, created_ns, context.job_id, choose)
        context.save(_checkpoint(backup_id, created_ns, begun=True))
        self._started()
        return backup_id, created_ns

    @contextmanager
    def _marked_if_failed(self, backup_id: str, log: Log) -> Iterator[None]:
        """Say in the folder of a backup why it failed, when no later attempt goes on with it by itself."""
        try:
            yield
        except FluxgateError as failure:
            if not failure.retryable:
                try:
                    catalog.mark_failed(self.place.destination, backup_id, int(self._clock() * 1e9), failure.message)
                except ArchiveError as unmarked:
                    log("warning", f"{backup_id} is listed as unfinished, not as failed: {unmarked.message}")
            raise

    def _catch_up(self, manifest: Manifest) -> None:
        """What a run had still to note when it was killed after the manifest. Its files were read back before that."""
        forget_backup(self._database, self.place.name, manifest.backup_id)
        if self.proofs.of(manifest.backup_id).verification is None:
            read_back = Judgement(manifest.finished_ns / 1e9, Outcome.INTACT)
            self.proofs.note_verification(manifest.backup_id, read_back)

    def _finished(self, backup_id: str) -> Manifest | None:
        try:
            return self.place.manifest(backup_id)
        except NotFound:
            return None


def _checkpoint(backup_id: str, created_ns: int, begun: bool) -> Json:
    return {"backup": backup_id, "created_ns": created_ns, "begun": begun}
