"""Reads every file that a restore needs before anything is written.

It finds damaged files, and fields with their types.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from service.archive.checking import Finding, check_slice
from service.domain.schema import FieldType
from service.domain.timerange import TimeRange
from service.errors import ArchiveKeyRefused, BackupDamaged
from service.frames.points import Points
from service.jobs.backup.in_order import in_order
from service.jobs.restore.plan import PlannedSlice, RestorePlan
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource, points_within

TypedField = tuple[str, str, FieldType]
"""A measurement, a field of it, and a type of that."""
_MOST_LOGGED = 200


@dataclass
class CheckedFiles:
    """`damaged`: the reason, by the number of the slice. `fields`: in which ranges each bucket has which fields."""

    damaged: dict[int, str] = field(default_factory=dict)
    fields: dict[str, dict[TypedField, list[TimeRange]]] = field(default_factory=dict)


class FileChecks:
    """`typed`: names in the backup of the buckets whose fields matter, as their points join others."""

    def __init__(self, source: SliceSource, tools: RunTools, typed: Collection[str]) -> None:
        self._source = source
        self._tools = tools
        self._typed = typed

    def run(self, plan: RestorePlan, skip_damaged: bool) -> CheckedFiles:
        """Raises BackupDamaged unless damaged files are to be skipped; ArchiveError, JobInterrupted."""
        slices, checked = plan.slices, CheckedFiles()
        with ThreadPoolExecutor(self._tools.concurrency, "restore-check") as threads:
            for planned, finding, fields in in_order(threads, self._check, slices, self._tools.concurrency):
                self._tools.job.progress(planned.number, 3 * len(slices), "steps")
                if finding is not None:
                    self._take(finding, planned, checked)
                for typed in fields:
                    checked.fields.setdefault(planned.bucket, {}).setdefault(typed, []).append(planned.span)
        if checked.damaged and not skip_damaged:
            raise _refusal(plan, checked.damaged)
        return checked

    def _check(self, planned: PlannedSlice) -> tuple[PlannedSlice, Finding | None, set[TypedField]]:
        fields: set[TypedField] = set()

        def look(points: Points) -> None:
            self._tools.job.check()
            if planned.bucket in self._typed:
                wanted = points if planned.is_whole else points_within(points, planned.span)
                fields.update((series.measurement, series.field, series.type) for series in wanted.keys)

        source = self._source
        finding = check_slice(source.destination, planned.entry, planned.bucket, source.decrypter, look)
        return planned, finding, fields

    def _take(self, finding: Finding, planned: PlannedSlice, checked: CheckedFiles) -> None:
        if finding.unread:
            raise ArchiveKeyRefused(f"{finding.path} cannot be read: {finding.reason}")
        if len(checked.damaged) < _MOST_LOGGED:
            self._tools.log("error", f"{finding.path}, of the bucket {planned.bucket!r}: {finding.reason}")
        checked.damaged[planned.number] = finding.reason


def _refusal(plan: RestorePlan, damaged: Mapping[int, str]) -> BackupDamaged:
    number, reason = next(iter(damaged.items()))
    of_files = f"{len(damaged)} of the {len(plan.slices)} files that are needed are damaged, and nothing was written"
    advice = "restore another backup, or the rest of this one with skip_damaged"
    return BackupDamaged(plan.slices[number].entry.path, f"{reason}; {of_files}; {advice}")
