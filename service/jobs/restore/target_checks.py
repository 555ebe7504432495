"""Looks at the target before anything is written: what it would refuse, or what would mix with other points."""

from collections.abc import Mapping, Sequence
from itertools import chain

from service.domain.durations import SECOND_NS
from service.domain.schema import Bucket, FieldType
from service.domain.selection import Selection
from service.domain.shards import shard_start
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, format_time, merge
from service.errors import InvalidParameter
from service.frames.frame import value_type
from service.jobs.restore.file_checks import TypedField
from service.jobs.restore.plan import BucketPlan, RestorePlan
from service.stores.protocol import Store


class TargetChecks:
    """Every method raises StoreError, RetryLater."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._present = {bucket.name: bucket for bucket in store.buckets()}

    def lacking(self, plan: RestorePlan) -> frozenset[str]:
        """The names of the buckets that have to be made."""
        return frozenset(bucket.target for bucket in plan.buckets) - self._present.keys()

    def joined(self, plan: RestorePlan) -> frozenset[str]:
        """The names in the backup of the buckets whose points join others."""
        return frozenset(bucket.metadata.name for bucket in plan.buckets if bucket.target in self._present)

    def refuse_unfitting(self, plan: RestorePlan, may_merge: bool, now_ns: int) -> None:
        """Raises InvalidParameter: a bucket is there and may not be, or cannot be made, or would drop old points."""
        for bucket in plan.buckets:
            present = self._present.get(bucket.target)
            if present is None:
                bucket.spec(bucket.metadata.retention_ns)
            elif not may_merge:
                raise InvalidParameter(
                    "buckets",
                    f"The target has a bucket {bucket.target!r} already. Restore under another name, with buckets "
                    '{"name in the backup": "new name"}, or with merge (--merge) to add to the points of that bucket.',
                )
            else:
                _refuse_shorter_retention(bucket, present, now_ns)

    def refuse_other_types(
        self, plan: RestorePlan, fields: Mapping[str, Mapping[TypedField, Sequence[TimeRange]]]
    ) -> None:
        """Raises InvalidParameter: a field has another type on the target, in a shard group that the backup writes to.

        `fields`: in which ranges the backup has them, by its buckets.
        """
        for bucket in plan.buckets:
            present = self._present.get(bucket.target)
            of_backup = fields.get(bucket.metadata.name)
            if present is not None and of_backup:
                self._refuse_other_types(present, of_backup)

    def _refuse_other_types(self, bucket: Bucket, fields: Mapping[TypedField, Sequence[TimeRange]]) -> None:
        known = {
            (entry.name, name): types
            for entry in self._store.schema(bucket.name)
            for name, types in entry.fields.items()
        }
        for (measurement, field, field_type), spans in fields.items():
            others = [known_type for known_type in known.get((measurement, field), ()) if known_type is not field_type]
            if not others:
                continue
            for span in merge(_shard_groups(span, bucket.shard_ns) for span in spans):
                clash = self._other_type(Selection(bucket.name, span, None, (measurement,), (field,)), field_type)
                if clash is not None:
                    raise InvalidParameter(
                        "merge",
                        f"The field {field!r} of the measurement {measurement!r} is {field_type} in the backup, and "
                        f"{clash} in the bucket {bucket.name!r} of the target near {format_time(span.start_ns)}. "
                        "A shard group holds one type of a field: restore under another name.",
                    )

    def _other_type(self, selection: Selection, field_type: FieldType) -> FieldType | None:
        reading = self._store.read(selection)
        try:
            frames = chain.from_iterable(reading.blocks)
            types = (value_type(frame) for frame in frames if frame.num_rows)
            return next((known_type for known_type in types if known_type is not field_type), None)
        finally:
            reading.cancel()


def expired_before_ns(retention_ns: int, now_ns: int) -> int | None:
    """Older points go by this retention; None: it keeps everything."""
    return now_ns - retention_ns if retention_ns else None


def _refuse_shorter_retention(bucket: BucketPlan, present: Bucket, now_ns: int) -> None:
    before_ns, oldest_ns = expired_before_ns(present.retention_ns, now_ns), bucket.oldest_ns
    if before_ns is not None and oldest_ns is not None and oldest_ns < before_ns:
        keeps = f"keeps points for {present.retention_ns // SECOND_NS} s"
        raise InvalidParameter(
            "merge",
            f"The bucket {bucket.target!r} of the target {keeps}, and the backup has older ones, from "
            f"{format_time(oldest_ns)} on, which would be lost. Give the bucket a longer retention, restore under "
            f"another name, or give start={format_time(before_ns // SECOND_NS * SECOND_NS + SECOND_NS)}.",
        )


def _shard_groups(span: TimeRange, shard_ns: int) -> TimeRange:
    """The shard groups that `span` touches."""
    stop_ns = shard_start(span.stop_ns - 1, shard_ns) + shard_ns
    return TimeRange(max(shard_start(span.start_ns, shard_ns), EARLIEST_NS), min(stop_ns, LATEST_NS + 1))
