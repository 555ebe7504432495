"""The backup of one bucket: takes over unchanged slices, and writes the others, several at one time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from service.archive.encryption import ENCRYPTED
from service.archive.manifest import BucketBackup, BucketMetadata, Missing, OtherFile, SliceFile
from service.archive.parquet_files import parquet_path, write_parquet
from service.archive.paths import slice_path
from service.archive.reuse import taken_over
from service.archive.slice_files import WrittenSlice, write_slice
from service.domain.timerange import TimeRange
from service.errors import ArchiveFileExists, ArchiveFileMissing, StoreBroken
from service.frames.slice_digest import SliceDigest
from service.jobs.backup.backup_tools import BackupTools, numberless
from service.jobs.backup.bucket_snapshot import BucketSnapshot
from service.jobs.backup.in_order import in_order
from service.jobs.backup.slice_plan import Act, PlannedSlice
from service.jobs.backup.slice_source import SliceSource


@dataclass
class BucketResult:
    """What a run did about a bucket. `written`: slices whose points it read and wrote."""

    metadata: BucketMetadata
    slices: list[SliceFile] = field(default_factory=list)
    written: list[SliceFile] = field(default_factory=list)
    copies: list[OtherFile] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def backup(self, span: TimeRange, sealed: tuple[TimeRange, ...]) -> BucketBackup:
        ordered = tuple(sorted(self.slices, key=lambda entry: entry.span))
        return BucketBackup(self.metadata, span, ordered, sealed)


class BucketArchiver:
    """Writes the slices of one bucket into a backup. `number` counts the buckets of the backup."""

    def __init__(self, tools: BackupTools, snapshot: BucketSnapshot, number: int) -> None:
        self._tools = tools
        self._snapshot = snapshot
        self._number = number
        self._source = SliceSource(snapshot.reader, tools.retry, tools.pace, tools.log)
        self.result = BucketResult(snapshot.metadata)

    def run(self, plan: Iterable[PlannedSlice], done: Callable[[], None]) -> BucketResult:
        """Do all of the plan. `done` is called after each slice.

        Raises StoreError, ArchiveError, RetryLater, JobInterrupted.
        """
        with ThreadPoolExecutor(self._tools.concurrency, "backup-slice") as threads:
            for outcome in in_order(threads, self._slice, plan, self._tools.concurrency):
                self._take(outcome)
                done()
        return self.result

    def take_over(self, entries: Iterable[SliceFile]) -> None:
        """Sealed slices of the backup before, which are not looked at."""
        for entry in entries:
            self._tools.job.check()
            self.result.slices.append(self._taken_over(entry, self._file(entry.span)))

    def _take(self, outcome: "_Outcome") -> None:
        if outcome.entry is not None:
            self.result.slices.append(outcome.entry)
            if outcome.was_written:
                self.result.written.append(outcome.entry)
        if outcome.copy is not None:
            self.result.copies.append(outcome.copy)
        if outcome.missing is not None:
            self.result.missing.append(outcome.missing)

    def _slice(self, planned: PlannedSlice) -> "_Outcome":
        tools, file = self._tools, self._file(planned.span)
        tools.job.check()
        finished = tools.progress.finished(file)
        if finished is not None:
            copy = self._copy_taken_over(planned.span) if planned.previous == finished else None
            return _Outcome(
                finished, finished.backup == tools.backup_id, copy=copy or self._copy(planned.span, finished)
            )
        if planned.previous is not None and self._is_unchanged(planned, planned.previous):
            try:
                entry = self._taken_over(planned.previous, file)
            except ArchiveFileMissing:
                tools.log("warning", f"{planned.previous.path} is gone from the backup before; it is written anew.")
            else:
                tools.progress.note(file, entry)
                return _Outcome(entry, copy=self._copy_taken_over(planned.span) or self._copy(planned.span, entry))
        return self._written(planned.span, file)

    def _is_unchanged(self, planned: PlannedSlice, previous: SliceFile) -> bool:
        if planned.act is Act.TAKE_OVER:
            return True
        digests = self._snapshot.reader.slice_digests(planned.span, self._snapshot.step_ns)
        return sum(digests.values(), SliceDigest()) == previous.digest

    def _taken_over(self, entry: SliceFile, file: str) -> SliceFile:
        destination, backup_id = self._tools.place.destination, self._tools.backup_id
        try:
            return taken_over(destination, entry, backup_id, file)
        except ArchiveFileExists:  # from a try that was killed before it was noted
            destination.delete(f"{backup_id}/{file}")
            return taken_over(destination, entry, backup_id, file)

    def _written(self, span: TimeRange, file: str) -> "_Outcome":
        tools = self._tools
        place = tools.place
        written = self._source.taken(
            span,
            lambda blocks: write_slice(
                place.destination, tools.backup_id, file, span, blocks, place.packing, tools.encrypter
            ),
        )
        if written.entry is not None:
            tools.progress.note(file, written.entry)
        tools.pace.after_slice()
        missing = self._missing(span, written)
        copy = None if written.entry is None else self._copy(span, written.entry)
        return _Outcome(written.entry, written.entry is not None, missing, copy)

    def _missing(self, span: TimeRange, written: WrittenSlice) -> Missing | None:
        """What line protocol cannot hold is missing, and named."""
        if not written.unwritable_values:
            return None
        first = written.unwritable[0]
        series = f"the measurement {first.series.measurement!r}, field {first.series.field!r}"
        count = written.unwritable_values
        reason = f"{count} values cannot be written as line protocol; the first: {series}: {first.reason}"
        self._tools.log("error", f"{self._snapshot.metadata.name}: {reason}")
        return Missing(self._snapshot.metadata.name, span, reason)

    def _copy(self, span: TimeRange, entry: SliceFile) -> OtherFile | None:
        """The slice as Parquet, where that is wanted.

        Its points are those of the slice, or the slice is tried again.
        """
        tools, name = self._tools, self._snapshot.metadata.name
        if not tools.parquet:
            return None
        file = parquet_path(self._number, name, span)
        copy, digest = self._source.taken(
            span,
            lambda blocks: write_parquet(tools.place.destination, tools.backup_id, file, blocks),
        )
        if digest != entry.digest:
            tools.progress.forget(self._file(span))
            raise StoreBroken(f"{name}: points of {span.start_ns} changed between two reads. They are read again.")
        return copy

    def _copy_taken_over(self, span: TimeRange) -> OtherFile | None:
        """The Parquet copy of a slice that was taken over, from the backup before."""
        tools = self._tools
        file = parquet_path(self._number, self._snapshot.metadata.name, span)
        known = tools.previous_copies.get(numberless(file))
        if known is None or not tools.parquet:
            return None
        destination = tools.place.destination
        destination.delete(f"{tools.backup_id}/{file}")
        try:
            return (
                replace(known, backup=tools.backup_id, file=file)
                if destination.link(known.path, f"{tools.backup_id}/{file}")
                else known
            )
        except ArchiveFileMissing:
            return None

    def _file(self, span: TimeRange) -> str:
        extension = self._tools.place.packing.extension
        if self._tools.encrypter is not None:
            extension += ENCRYPTED
        return slice_path(self._number, self._snapshot.metadata.name, span, extension)


@dataclass(frozen=True)
class _Outcome:
    entry: SliceFile | None
    was_written: bool = False
    missing: Missing | None = None
    copy: OtherFile | None = None
