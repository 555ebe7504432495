"""What a logical backup does about each slice of a bucket: the same for a backup and for its dry run."""

from dataclasses import dataclass

from service.archive.manifest import SliceFile
from service.domain.slicing import slice_start
from service.domain.timerange import TimeRange
from service.jobs.backup.bucket_snapshot import BucketSnapshot
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.previous import PreviousBackups
from service.jobs.backup.slice_plan import Comparison, PlannedSlice, planned_slices


@dataclass(frozen=True)
class Sealed:
    """The part of a bucket that is taken over without a look at the store; `span` None: there is none."""

    span: TimeRange | None = None
    slices: tuple[SliceFile, ...] = ()


@dataclass(frozen=True)
class BucketPlans:
    """`recipients`: to whom files are encrypted. `created_ns`: when the backup begins."""

    options: BackupOptions
    previous: PreviousBackups
    recipients: tuple[str, ...]
    created_ns: int

    def sealed(self, name: str, step_ns: int) -> Sealed:
        """What of a bucket with slices of this length is sealed: nothing unless all of it is proven."""
        within, before_ns = self.options.span, self.options.seal_before_ns
        if before_ns is None or slice_start(before_ns, step_ns) <= within.start_ns:
            return Sealed()
        span = TimeRange(within.start_ns, min(slice_start(before_ns, step_ns), within.stop_ns))
        entries = self.previous.holding(name, within).sealed(name, span, self.recipients)
        return Sealed() if entries is None else Sealed(span, tuple(entries))

    def slices(self, snapshot: BucketSnapshot) -> list[PlannedSlice]:
        """What to do about the slices that are not sealed, by time."""
        previous = self.previous.holding(snapshot.metadata.name, self.options.span)
        comparison = Comparison(self.created_ns, previous.created_ns, self.options.compare_values)
        known = previous.slices(snapshot.metadata.name, self.recipients)
        return planned_slices(snapshot.values, snapshot.step_ns, self.options.span, known, comparison)
