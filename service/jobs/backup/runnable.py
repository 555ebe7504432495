"""The job `backup`: takes one backup, and says in its result whether it is complete.

A run that is killed goes on with the same backup: what it finished is not read again. A backup has a manifest, and is
one, only when everything in it is durable and was read back.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.archive import catalog
from service.archive.manifest import BackupKind, Manifest
from service.domain.job import Json
from service.errors import InvalidParameter, NotFound
from service.jobs.backup.ages import BucketAge, bucket_ages
from service.jobs.backup.backup_tools import BackupTools
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.logical_backup import LogicalBackup
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.pace import Pace
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.previous import PreviousBackup
from service.jobs.backup.proofs import Judgement, Outcome, ProofStore
from service.jobs.backup.report import backup_result
from service.jobs.backup.slice_progress import SliceProgress
from service.jobs.backup.status import NO_AGE_RULE, AgeRule, overdue
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.stores.protocol import Store
from service.transfer.retry import Retry
from service.transfer.run_log import RunLog
from service.transfer.splitting import Splitter


class BackupRunnable:
    """Backs up `store`, the gateway's own. `started` is called when a backup begins. `clock`: seconds since 1970."""

    def __init__(
        self,
        place: BackupPlace,
        store: Store,
        database: StateDatabase,
        limits: WorkLimits,
        clock: Callable[[], float],
        started: Callable[[], None],
        age_rule: AgeRule = NO_AGE_RULE,
    ) -> None:
        self.place = place
        self._store = store
        self._database = database
        self._limits = limits
        self._clock = clock
        self._started = started
        self._age_rule = age_rule

    @property
    def proofs(self) -> ProofStore:
        return ProofStore(self._database, self.place.name)

    def ages(self) -> list[BucketAge]:
        """How old the last good backup of each bucket is. Raises ArchiveError."""
        return bucket_ages(self.place.listed(), self.proofs.all())

    def overdue(self) -> list[str]:
        """Buckets whose last complete backup is too old, or that have none. Raises ArchiveError, StoreError."""
        names = lambda: [bucket.name for bucket in self._store.buckets()]  # noqa: E731
        return overdue(self.ages(), names, self._age_rule, int(self._clock() * 1e9))

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return "backup"

    def validate(self, parameters: Mapping[str, Any]) -> None:
        options = BackupOptions.of(parameters)
        if options.kind is BackupKind.PHYSICAL:
            raise InvalidParameter("kind", "This installation takes logical backups alone.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        options = BackupOptions.of(parameters)
        backup_id, created_ns = self._begun(context)
        log = RunLog([context.log], self._clock).write
        finished = self._finished(backup_id)
        if finished is not None:  # killed between the manifest and the end of the job
            return backup_result(finished)
        retry = Retry(context, log)
        previous = PreviousBackup.of(self.place.listed(), self.proofs.all())
        key_pair = self.place.key_pair(backup_id, previous.manifest)
        tools = BackupTools(
            place=self.place,
            backup_id=backup_id,
            encrypter=self.place.encrypter(key_pair),
            job=context,
            retry=retry,
            progress=SliceProgress(self._database, self.place.name, backup_id),
            pace=Pace(context, self._clock, self._limits.bytes_a_second, self._limits.pause_s),
            log=log,
            concurrency=self._limits.concurrency,
            parquet=self._limits.parquet,
            previous_copies=previous.copies,
        )
        splitter = Splitter(retry, log)
        backup = LogicalBackup(self._store, tools, splitter, options, previous, key_pair, created_ns, self._clock)
        manifest = backup.run()
        self.proofs.note_verification(backup_id, Judgement(self._clock(), Outcome.INTACT))
        return backup_result(manifest)

    def _begun(self, context: JobContext) -> tuple[str, int]:
        """The backup of this job, and when it began (ns)."""
        known = context.checkpoint
        if known:
            self.place.destination.clear_unfinished(known["backup"])
            return known["backup"], known["created_ns"]
        created_ns = int(self._clock() * 1e9)
        backup_id = catalog.begin(self.place.destination, created_ns)
        context.save({"backup": backup_id, "created_ns": created_ns})
        self._started()
        return backup_id, created_ns

    def _finished(self, backup_id: str) -> Manifest | None:
        try:
            return self.place.manifest(backup_id)
        except NotFound:
            return None
