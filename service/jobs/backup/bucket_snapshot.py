"""What a bucket has now, and how it is cut into slices: looked at once, when its backup begins."""

from collections.abc import Callable
from dataclasses import dataclass

from service.archive.manifest import BucketMetadata
from service.domain.schema import Bucket
from service.domain.slicing import MeasurementRange, slice_length, whole_slices
from service.domain.timerange import EVER, TimeRange
from service.stores.protocol import Store
from service.transfer.bucket_reader import BucketReader
from service.transfer.splitting import Splitter


@dataclass(frozen=True)
class BucketSnapshot:
    """`values`: how many each slice has, by its start; slices without any are absent."""

    metadata: BucketMetadata
    reader: BucketReader
    step_ns: int
    values: dict[int, int]


def snapshot_of(
    store: Store,
    name: str,
    within: TimeRange,
    splitter: Splitter,
    sealed_until: Callable[[int], int],
) -> BucketSnapshot:
    """Looks at what of `within` the bucket has. `sealed_until` says, for a length of slices, before which time nothing
    is looked at.

    Raises UnknownBucket, StoreError, RetryLater, JobInterrupted.
    """
    bucket = store.bucket(name)
    step_ns = slice_length(bucket, bucket)
    measurements = tuple(sorted(measurement.name for measurement in store.schema(name)))
    ranges = [MeasurementRange(measurements, EVER.start_ns, EVER.stop_ns)] if measurements else []
    reader = BucketReader(store, name, ranges, splitter, step_ns)
    extent = reader.extent()
    open_range = TimeRange(max(within.start_ns, sealed_until(step_ns)), within.stop_ns)
    wanted = None if extent is None else whole_slices(extent, step_ns).intersect(open_range)
    values = {} if wanted is None else _values(reader, wanted, step_ns)
    return BucketSnapshot(_metadata(store, bucket), reader, step_ns, values)


def _values(reader: BucketReader, span: TimeRange, step_ns: int) -> dict[int, int]:
    counted = reader.slice_points(span, step_ns)
    if counted is not None:
        return dict(counted)
    return {start_ns: digest.count for start_ns, digest in reader.slice_counts(span, step_ns).items()}


def _metadata(store: Store, bucket: Bucket) -> BucketMetadata:
    details = store.bucket_details(bucket.name)
    return BucketMetadata(
        bucket.name,
        bucket.description,
        bucket.retention_ns,
        bucket.shard_ns,
        details.labels,
        details.mappings,
    )
