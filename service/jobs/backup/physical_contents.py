"""What the manifest of a physical backup says besides its files: what is missing, left out, and known of buckets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from service.archive.manifest import BucketMetadata, Missing, NotCovered
from service.archive.physical_buckets import ServerShard
from service.archive.physical_counts import BucketCounts
from service.domain.timerange import TimeRange
from service.errors import BUCKET_ERRORS, StoreDenied, UnknownBucket
from service.jobs.backup.options import BackupOptions
from service.jobs.backup.physical_download import PhysicalTools
from service.jobs.backup.physical_progress import DownloadedMetadata
from service.stores.protocol import Store
from service.transfer.run_log import log_failure

OTHER_BUCKETS = "other buckets"
"""What a backup of chosen buckets does not cover, so that no whole server is restored from it."""
SHARDS_GONE = "they were gone when they were to be downloaded: their points expired, or their bucket was deleted"


def missing_buckets(options: BackupOptions, metadata: DownloadedMetadata) -> tuple[Missing, ...]:
    """The buckets that were ordered and are not on the server."""
    taken = {entry["bucketName"] for entry in metadata.buckets}
    lacking = [name for name in options.buckets or () if name not in taken]
    return tuple(Missing(name, None, "there is no bucket of this name") for name in lacking)


def missing_shards(refused: Mapping[ServerShard, str], metadata: DownloadedMetadata) -> Iterator[Missing]:
    """The times of shards that the server did not hand out, with the reason of each."""
    names = {entry["bucketID"]: str(entry["bucketName"]) for entry in metadata.buckets}
    for shard, reason in refused.items():
        yield Missing(names[shard.bucket_id], shard.span, reason.rstrip("."))


def not_covered(options: BackupOptions, gone: Sequence[ServerShard]) -> Iterator[NotCovered]:
    if gone:
        yield NotCovered("shards", tuple(str(shard.shard_id) for shard in gone), SHARDS_GONE)
    if options.buckets is not None:
        yield NotCovered(OTHER_BUCKETS, (), "only the points of some buckets were ordered")


def with_details(store: Store, metadata: BucketMetadata, tools: PhysicalTools) -> BucketMetadata:
    """With labels and mappings, which a restore of the bucket alone makes again. The log says what cannot be seen."""
    try:
        details = tools.retry.call(lambda: store.bucket_details(metadata.name))
    except (*BUCKET_ERRORS, StoreDenied, UnknownBucket) as failure:
        message = f"{metadata.name}: its labels and mappings cannot be seen: {failure.message}"
        log_failure(tools.log, "warning", message, failure)
        return metadata
    return replace(metadata, labels=details.labels, mappings=details.mappings)


def without_lacking(
    counts: dict[str, BucketCounts],
    metadata: DownloadedMetadata,
    lacking: Sequence[ServerShard],
    organization: str,
) -> dict[str, BucketCounts]:
    """The counts by organization and bucket, without the times of shards that are not in the backup."""
    kept: dict[str, BucketCounts] = {}
    for entry in metadata.buckets:
        name = entry["bucketName"]
        if name not in counts or entry["organizationName"] != organization:
            continue
        spans = [shard.span for shard in lacking if shard.bucket_id == entry["bucketID"]]
        values = counts[name].values
        left = {start: count for start, count in values.items() if not any(_holds(span, start) for span in spans)}
        kept[f"{organization}/{name}"] = BucketCounts(counts[name].step_ns, left)
    return kept


def _holds(span: TimeRange, time_ns: int) -> bool:
    return span.start_ns <= time_ns < span.stop_ns
