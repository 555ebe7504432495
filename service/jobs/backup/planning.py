"""The job `backup_plan`: says what a backup would take over, compare and write, and writes nothing.

It counts the values of each slice, as the backup does, so the store answers the same questions. No value is compared.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.archive.manifest import BackupKind
from service.domain.job import Json
from service.errors import CallerError, InvalidParameter, StoreError
from service.jobs.backup.bucket_plans import BucketPlans
from service.jobs.backup.bucket_snapshot import snapshot_of
from service.jobs.backup.kind_names import PLAN
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.previous import PreviousBackups
from service.jobs.backup.proofs import ProofStore
from service.jobs.backup.slice_plan import Act
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.stores.protocol import Store
from service.transfer.retry import Retry
from service.transfer.run_log import RunLog
from service.transfer.splitting import Splitter

_COUNTS = {Act.TAKE_OVER: "take_over", Act.COMPARE: "compare", Act.WRITE: "write"}


class PlanRunnable:
    """Plans backups of `store` into `place`. `clock` gives seconds since 1970."""

    def __init__(self, place: BackupPlace, store: Store, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._place = place
        self._store = store
        self._database = database
        self._clock = clock

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return PLAN  # each counts a whole store, and many at one time would leave no worker to other jobs

    def validate(self, parameters: Mapping[str, Any]) -> None:
        """Raises InvalidParameter."""
        if BackupOptions.of(parameters).kind is BackupKind.PHYSICAL:
            raise InvalidParameter(
                "dry_run", "A physical backup copies the files of whole buckets, and plans nothing. Leave dry_run out."
            )

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        """The slices by what would be done about them, and the values, of each bucket; and what would be missing.

        Raises StoreError (a store that is away), ArchiveError, RetryLater, JobInterrupted.
        """
        options = BackupOptions.of(parameters)
        retry = Retry(context, RunLog([context.log], self._clock).write)
        previous = PreviousBackups.of(self._place.listed(), ProofStore(self._database, self._place.name).all())
        recipients = self._place.recipients_after(previous.newest)
        plans = BucketPlans(options, previous, recipients, int(self._clock() * 1e9))
        present = [bucket.name for bucket in retry.call(self._store.buckets)]
        wanted = present if options.buckets is None else [name for name in present if name in options.buckets]
        lacking = [name for name in options.buckets or () if name not in present]
        missing = [{"bucket": name, "reason": "there is no bucket of this name"} for name in lacking]
        planned: list[Json] = []
        for name in wanted:
            context.check()
            try:
                planned.append(self._bucket(name, plans, retry))
            except (CallerError, StoreError) as failure:
                if failure.retryable:
                    raise
                missing.append({"bucket": name, "reason": failure.message})
            context.progress(len(planned) + len(missing) - len(lacking), len(wanted), "buckets")
        return {
            "dry_run": True,
            "values": sum(plan["values"] for plan in planned),
            "buckets": planned,
            "missing": missing,
        }

    def _bucket(self, name: str, plans: BucketPlans, retry: Retry) -> Json:
        splitter = Splitter(retry, lambda level, line: None)
        snapshot = retry.call(
            lambda: snapshot_of(
                self._store, name, plans.options.span, splitter, lambda step_ns: plans.sealed(name, step_ns).span
            )
        )
        sealed = plans.sealed(name, snapshot.step_ns).slices
        counts = dict.fromkeys(_COUNTS.values(), 0)
        for planned in plans.slices(snapshot):
            counts[_COUNTS[planned.act]] += 1
        values = sum(snapshot.values.values()) + sum(entry.digest.count for entry in sealed)
        unreadable = {"unreadable": list(snapshot.unreadable)} if snapshot.unreadable else {}
        return {"name": name, "values": values, "slices": {**counts, "sealed": len(sealed)}, **unreadable}
