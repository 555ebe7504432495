"""The job `backup_drill`: restores a backup into a store of its own, compares, drops it, and notes whether it could be.

A backup is proven by nothing less. What could not be done to its end (no room, no key, a place that is away) is
inconclusive, and proves nothing.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from service.archive.manifest import BackupKind, Manifest
from service.domain.job import Json
from service.errors import (
    ArchiveFileMissing,
    ArchiveKeyRefused,
    ArchiveUnavailable,
    BackupDamaged,
    ConfigurationError,
    InvalidParameter,
    RetryLater,
    StoreError,
)
from service.jobs.backup.choosing import backup_named, chosen_backup
from service.jobs.backup.kind_names import DRILL
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import Judgement, Outcome, ProofStore
from service.jobs.parameters import refuse_unknown
from service.jobs.protocol import JobContext
from service.jobs.restore.comparison import Comparison
from service.jobs.restore.options import RestoreOptions
from service.jobs.restore.plan import restore_plan
from service.jobs.restore.progress import RestoreProgress
from service.jobs.restore.restorer import Restorer
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource
from service.state.database import StateDatabase
from service.stores.protocol import Store
from service.transfer.run_log import Log, RunLog

_FOLDER = "drill"
_INCONCLUSIVE = (ArchiveUnavailable, ArchiveKeyRefused, StoreError, RetryLater, ConfigurationError, OSError)
_FAILED = (BackupDamaged, ArchiveFileMissing, InvalidParameter)
ScratchOpener = Callable[[Path], AbstractContextManager[Store]]
"""Opens an embedded store on a file that is not there yet, and closes it."""


class DrillRunnable:
    """Drills with scratch stores below `directory`. `free_bytes`: how much room a folder has. `clock`: s since 1970."""

    def __init__(
        self,
        place: BackupPlace,
        database: StateDatabase,
        directory: Path,
        open_scratch: ScratchOpener,
        limits: WorkLimits,
        clock: Callable[[], float],
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._place = place
        self._proofs = ProofStore(database, place.name)
        self._folder = directory / _FOLDER
        self._open_scratch = open_scratch
        self._limits = limits
        self._clock = clock
        self._free_bytes = free_bytes

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return DRILL

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("A drill", parameters, ("backup",))
        backup_named(parameters.get("backup"))

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        """Raises BackupDamaged when the backup cannot be restored; NotFound, InvalidParameter, JobInterrupted."""
        log = RunLog([context.log], self._clock).write
        name = context.checkpoint.get("backup") or backup_named(parameters.get("backup"))
        try:
            manifest = chosen_backup(self._place, name, log, BackupKind.LOGICAL)
        except ArchiveUnavailable as away:
            return _result(None, Outcome.INCONCLUSIVE, away.message)
        context.save({"backup": manifest.backup_id})
        outcome, detail = self._drilled(manifest, context, log)
        self._proofs.note_drill(manifest.backup_id, Judgement(self._clock(), outcome, detail))
        log("info" if outcome is Outcome.PROVEN else "error", f"{manifest.backup_id}: {outcome}. {detail}")
        if outcome is Outcome.FAILED:
            raise BackupDamaged(manifest.backup_id, f"it cannot be restored: {detail.rstrip('.')}; take a new backup")
        return _result(manifest, outcome, detail)

    def _drilled(self, manifest: Manifest, context: JobContext, log: Log) -> tuple[Outcome, str]:
        folder = self._folder / secrets.token_hex(
            8
        )  # a process that lost its lease removes no scratch store but its own
        try:
            shutil.rmtree(self._folder, ignore_errors=True)  # of drills whose process was killed
            folder.mkdir(parents=True, mode=0o700)
            needed = sum(entry.text_bytes for bucket in manifest.buckets for entry in bucket.slices)
            free = self._free_bytes(folder)
            if needed > free:
                reason = (
                    f"The drill may need {needed:,} bytes in {self._folder}, and {free:,} are free. Make room there."
                )
                return Outcome.INCONCLUSIVE, reason
            with self._open_scratch(folder / "scratch.duckdb") as store:
                return self._restored(manifest, store, context, log)
        except _FAILED as failed:
            return Outcome.FAILED, failed.message
        except _INCONCLUSIVE as away:
            return Outcome.INCONCLUSIVE, str(away)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                self._folder.rmdir()

    def _restored(self, manifest: Manifest, store: Store, context: JobContext, log: Log) -> tuple[Outcome, str]:
        names = {bucket.metadata.name: f"drill {number}" for number, bucket in enumerate(manifest.buckets)}
        options = RestoreOptions(manifest.backup_id, names)
        source = SliceSource(self._place.destination, self._place.decrypter(manifest))
        tools = RunTools.of(context, log, self._clock, self._limits.concurrency, is_remote=False)
        progress = RestoreProgress({}, lambda checkpoint: context.check())  # a drill that is killed begins anew
        reports = Restorer(store, restore_plan(manifest, options), source, options, progress, tools).run()
        different = [report["bucket"] for report in reports if report["state"] != Comparison.EQUAL]
        if different:
            return Outcome.FAILED, f"Buckets are not equal after the restore: {', '.join(map(repr, different))}."
        values = sum(report["values"] for report in reports)
        return Outcome.PROVEN, f"{values:,} values of {len(reports)} buckets were restored and are equal."


def _result(manifest: Manifest | None, outcome: Outcome, detail: str) -> Json:
    return {"backup": None if manifest is None else manifest.backup_id, "outcome": outcome.value, "detail": detail}
