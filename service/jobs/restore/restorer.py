"""One restore of a plan into a store: check everything, make the buckets, write, compare, and set retention last."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from service.domain.job import Json
from service.errors import InvalidParameter
from service.jobs.backup.in_order import in_order
from service.jobs.restore.comparison import BucketComparison, Comparison, Difference
from service.jobs.restore.file_checks import FileChecks
from service.jobs.restore.finishing import BucketFinisher, expiry_notes
from service.jobs.restore.options import RestoreOptions
from service.jobs.restore.plan import BucketPlan, PlannedSlice, RestorePlan
from service.jobs.restore.progress import RestoreProgress
from service.jobs.restore.report import bucket_report, planned_report
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource
from service.jobs.restore.slice_writing import Refused, SliceWriter
from service.jobs.restore.target_checks import TargetChecks
from service.stores.protocol import Store

_TRIES = 2
"""How often a slice is written in one run when the target lacks points after it."""


class Restorer:
    """Restores `plan` into `store`. `progress`: where an earlier run of the same restore came to."""

    def __init__(
        self,
        store: Store,
        plan: RestorePlan,
        source: SliceSource,
        options: RestoreOptions,
        progress: RestoreProgress,
        tools: RunTools,
    ) -> None:
        self._store = store
        self._plan = plan
        self._source = source
        self._options = options
        self._progress = progress
        self._tools = tools
        self._targets = {planned.number: bucket.target for bucket in plan.buckets for planned in bucket.slices}
        self._refused = {bucket.target: Refused() for bucket in plan.buckets}
        self._compared = 0

    def run(self) -> list[Json]:
        """The report of each bucket.

        Raises, with nothing written: InvalidParameter, BackupDamaged. StoreError when a break lasts, ArchiveError,
        JobInterrupted.
        """
        is_resumed = self._progress.is_checked
        if not is_resumed:
            made, damaged = self._check()
            if self._options.dry_run:
                return [self._planned(bucket, bucket.target in made, damaged) for bucket in self._plan.buckets]
            self._progress.checked(made, damaged)
        self._make_buckets(is_resumed)
        self._write()
        for bucket in self._plan.buckets:
            if bucket.target not in self._progress.compared:
                self._progress.compare(bucket.target, self._compare(bucket))
        return self._finish()

    def _check(self) -> tuple[frozenset[str], dict[int, str]]:
        """The buckets that lack, and the damages that are skipped."""
        checks = self._tools.retry.call(lambda: TargetChecks(self._store))
        checks.refuse_unfitting(self._plan, self._options.merge, self._now_ns)
        files = FileChecks(self._source, self._tools, checks.joined(self._plan))
        checked = files.run(self._plan, self._options.skip_damaged)
        self._tools.retry.call(lambda: checks.refuse_other_types(self._plan, checked.fields))
        return checks.lacking(self._plan), checked.damaged

    def _planned(self, bucket: BucketPlan, is_made: bool, damaged: dict[int, str]) -> Json:
        notes = expiry_notes(bucket, self._now_ns) if is_made else []
        return planned_report(bucket, is_made, damaged, notes)

    def _make_buckets(self, is_resumed: bool) -> None:
        """With a retention that keeps everything: old points are not refused, and do not go on the way."""
        for bucket in self._plan.buckets:
            if bucket.target not in self._progress.made or bucket.target in self._progress.compared:
                continue
            self._tools.job.check()
            spec = bucket.spec(0)
            is_new = self._tools.retry.call(lambda: self._store.create_bucket(spec))  # noqa: B023
            if is_new:
                self._tools.log("info", f"Made the bucket {bucket.target!r}.")
            elif not is_resumed:
                self._progress.must_check_again()
                raise InvalidParameter(
                    "buckets",
                    f"Somebody made the bucket {bucket.target!r} on the target since it was looked at. "
                    "No point was written: restore under another name, or with merge (--merge).",
                )

    def _write(self) -> None:
        tools, total = self._tools, len(self._plan.slices)
        writer = SliceWriter(self._store, self._source, tools)

        def write(planned: PlannedSlice) -> tuple[PlannedSlice, Refused]:
            return planned, writer.write(planned, self._targets[planned.number])

        with ThreadPoolExecutor(tools.concurrency, "restore-slice") as threads:
            rest = list(self._intact(self._plan.slices[self._progress.written :]))
            for planned, refused in in_order(threads, write, rest, tools.concurrency):
                self._refused[self._targets[planned.number]].join(refused)
                self._progress.wrote(planned.number)
                tools.job.progress(total + planned.number + 1, 3 * total, "steps")

    def _intact(self, slices: Sequence[PlannedSlice]) -> Iterator[PlannedSlice]:
        return (planned for planned in slices if planned.number not in self._progress.damaged)

    def _compare(self, bucket: BucketPlan) -> Json:
        comparison = BucketComparison(self._store, bucket.target, self._source, self._tools)
        writer = SliceWriter(self._store, self._source, self._tools)
        differences = comparison.differences(list(self._intact(bucket.slices)), self._slice_compared)
        for _ in range(_TRIES - 1):
            lacking = [entry.planned for entry in differences if entry.state is Comparison.DIFFERENT]
            if not lacking:
                break
            self._tools.log(
                "warning", f"{bucket.target}: {len(lacking)} slices are not as in the backup; writing them again."
            )
            self._refused[bucket.target] = Refused()
            for planned in lacking:
                self._refused[bucket.target].join(writer.write(planned, bucket.target))
            settled = [entry for entry in differences if entry.state is not Comparison.DIFFERENT]
            differences = [*settled, *comparison.differences(lacking, lambda: None)]
        self._log_outcome(bucket, differences)
        is_made = bucket.target in self._progress.made
        refused = self._refused[bucket.target]
        return bucket_report(bucket, is_made, self._progress.damaged, differences, refused)

    def _slice_compared(self) -> None:
        self._compared += 1
        total = len(self._plan.slices)
        self._tools.job.progress(2 * total + self._compared, 3 * total, "steps")

    def _log_outcome(self, bucket: BucketPlan, differences: Sequence[Difference]) -> None:
        count = sum(planned.entry.digest.count for planned in bucket.slices)
        different = sum(entry.state is Comparison.DIFFERENT for entry in differences)
        level = "error" if different else "info"
        self._tools.log(
            level, f"{bucket.target}: {count:,} values in {len(bucket.slices)} slices, {different} of them differ."
        )

    def _finish(self) -> list[Json]:
        made = [bucket for bucket in self._plan.buckets if bucket.target in self._progress.made]
        notes = BucketFinisher(self._store, self._tools, self._now_ns).finish(made)
        reports = [self._progress.compared[bucket.target] for bucket in self._plan.buckets]
        return [{**report, "notes": notes.get(report["target"], [])} for report in reports]

    @property
    def _now_ns(self) -> int:
        return int(self._tools.clock() * 1e9)
