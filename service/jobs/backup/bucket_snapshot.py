"""What a bucket has now, and how it is cut into slices: looked at once, when its backup begins."""

from collections.abc import Callable
from dataclasses import dataclass

from service.archive.manifest import BucketMetadata
from service.domain.bucket_details import BucketDetails
from service.domain.schema import Bucket
from service.domain.slicing import MeasurementRange, slice_length, whole_slices
from service.domain.timerange import EVER, TimeRange, subtract
from service.domain.unreadable import listed
from service.stores.protocol import Store
from service.transfer.bucket_reader import BucketReader
from service.transfer.splitting import Splitter


@dataclass(frozen=True)
class BucketSnapshot:
    """`values`: how many each slice has, by its start; slices without any are absent. `unreadable`: measurements that
    cannot be read, as sentences: they are left out. `hidden`: what hangs on the bucket and the token may not list."""

    metadata: BucketMetadata
    reader: BucketReader
    step_ns: int
    values: dict[int, int]
    unreadable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def snapshot_of(
    store: Store,
    name: str,
    within: TimeRange,
    splitter: Splitter,
    sealed: Callable[[int], TimeRange | None] = lambda step_ns: None,
) -> BucketSnapshot:
    """Looks at what of `within` the bucket has. `sealed` says, for a length of slices, which beginning of `within`
    nobody looks at.

    Raises UnknownBucket, StoreError, RetryLater, JobInterrupted.
    """
    bucket = store.bucket(name)
    step_ns = slice_length(bucket, bucket)
    schema = store.schema(name)
    measurements = tuple(sorted(measurement.name for measurement in schema if not measurement.unreadable))
    unreadable = tuple(
        f"{listed(measurement.name, measurement.unreadable)}: it is not UTF-8, so the measurement cannot be read"
        for measurement in schema
        if measurement.unreadable
    )
    ranges = [MeasurementRange(measurements, EVER.start_ns, EVER.stop_ns)] if measurements else []
    reader = BucketReader(store, name, ranges, splitter, step_ns)
    extent = reader.extent()
    closed = sealed(step_ns)
    rest = [within] if closed is None else subtract(within, [closed])
    wanted = whole_slices(extent, step_ns).intersect(rest[0]) if extent is not None and rest else None
    values = {} if wanted is None else _values(reader, wanted, step_ns)
    details = store.bucket_details(name)
    return BucketSnapshot(_metadata(bucket, details), reader, step_ns, values, unreadable, details.unreadable)


def _values(reader: BucketReader, span: TimeRange, step_ns: int) -> dict[int, int]:
    counted = reader.slice_points(span, step_ns)
    if counted is not None:
        return dict(counted)
    return {start_ns: digest.count for start_ns, digest in reader.slice_counts(span, step_ns).items()}


def _metadata(bucket: Bucket, details: BucketDetails) -> BucketMetadata:
    return BucketMetadata(
        bucket.name,
        bucket.description,
        bucket.retention_ns,
        bucket.shard_ns,
        details.labels,
        details.mappings,
    )
