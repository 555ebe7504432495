"""What of a backup goes where: decided from the manifest and the order alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.archive.manifest import BucketBackup, BucketMetadata, Manifest, Missing, SliceFile
from service.domain.schema import BucketSpec
from service.domain.shards import default_shard_ns, wrong_shard_ns
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter
from service.jobs.restore.options import RestoreOptions


@dataclass(frozen=True)
class PlannedSlice:
    """A slice of a backup, of which the points in `span` are restored. `number` counts all slices of the plan."""

    number: int
    bucket: str
    entry: SliceFile
    span: TimeRange

    @property
    def is_whole(self) -> bool:
        """Whether every point of its file is restored."""
        return self.span.start_ns <= self.entry.first_ns and self.entry.last_ns < self.span.stop_ns

    @property
    def first_ns(self) -> int:
        return max(self.span.start_ns, self.entry.first_ns)


@dataclass(frozen=True)
class BucketPlan:
    """A bucket of the backup, and the name that it has on the target. `slices` by time."""

    metadata: BucketMetadata
    target: str
    slices: tuple[PlannedSlice, ...]
    missing: tuple[Missing, ...]

    @property
    def oldest_ns(self) -> int | None:
        """No point is older; None: there is none."""
        return self.slices[0].first_ns if self.slices else None

    def spec(self, retention_ns: int) -> BucketSpec:
        """The bucket to be made. Shard groups of a length that no server makes get the usual one.

        Raises InvalidParameter: no bucket can have its name or its description.
        """
        metadata = self.metadata
        shard_ns = metadata.shard_ns
        if wrong_shard_ns(shard_ns, metadata.retention_ns):
            shard_ns = default_shard_ns(metadata.retention_ns)
        return BucketSpec(self.target, metadata.description, retention_ns, shard_ns)


@dataclass(frozen=True)
class RestorePlan:
    """`lacks_buckets`: all of the backup is restored, and buckets that it was to hold are missing in it."""

    manifest: Manifest
    buckets: tuple[BucketPlan, ...]
    lacks_buckets: bool = False

    @property
    def slices(self) -> tuple[PlannedSlice, ...]:
        return tuple(planned for bucket in self.buckets for planned in bucket.slices)


def restore_plan(manifest: Manifest, options: RestoreOptions) -> RestorePlan:
    """Raises InvalidParameter: the backup does not hold a bucket that was named."""
    _refuse_unknown(manifest, options)
    plans: list[BucketPlan] = []
    count = 0
    for bucket in manifest.buckets:
        target = options.new_name(bucket.metadata.name)
        if target is None:
            continue
        slices = tuple(_slices(bucket, options.span, count))
        count += len(slices)
        plans.append(
            BucketPlan(bucket.metadata, target, slices, _missing(manifest, bucket.metadata.name, options.span))
        )
    held = {bucket.metadata.name for bucket in manifest.buckets}
    lacking = any(part.bucket not in held for part in manifest.missing)
    return RestorePlan(manifest, tuple(plans), lacks_buckets=options.names is None and lacking)


def _slices(bucket: BucketBackup, within: TimeRange, first_number: int) -> Iterator[PlannedSlice]:
    number = first_number
    for entry in bucket.slices:
        span = entry.span.intersect(within)
        if span is not None and span.start_ns <= entry.last_ns and entry.first_ns < span.stop_ns:
            yield PlannedSlice(number, bucket.metadata.name, entry, span)
            number += 1


def _missing(manifest: Manifest, bucket: str, within: TimeRange) -> tuple[Missing, ...]:
    """What the backup itself lacks of the range of a bucket."""
    return tuple(
        part
        for part in manifest.missing
        if part.bucket in ("", bucket) and (part.span is None or part.span.intersect(within))
    )


def _refuse_unknown(manifest: Manifest, options: RestoreOptions) -> None:
    held = {bucket.metadata.name for bucket in manifest.buckets}
    for name in options.names or {}:
        if name in held:
            continue
        reason = next((part.reason for part in manifest.missing if part.bucket == name), None)
        if reason is not None:
            raise InvalidParameter("buckets", f"The bucket {name!r} is missing in {manifest.backup_id}: {reason}")
        names = ", ".join(map(repr, sorted(held)[:20])) or "none"
        raise InvalidParameter("buckets", f"{manifest.backup_id} holds no bucket {name!r}. It holds: {names}.")
