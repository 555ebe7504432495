"""What a restored bucket gets after its points: retention, labels and mappings. Old points would go by it otherwise."""

from collections.abc import Sequence

from service.archive.manifest import BucketMetadata
from service.domain.bucket_details import BucketDetails
from service.domain.timerange import format_time
from service.errors import InvalidParameter
from service.jobs.restore.plan import BucketPlan
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.target_checks import expired_before_ns
from service.stores.protocol import Store
from service.transfer.retry import Retrying


class BucketFinisher:
    """`now_ns` says which points the retention will end."""

    def __init__(self, store: Store, tools: RunTools, now_ns: int) -> None:
        self._store = store
        self._tools = tools
        self._now_ns = now_ns

    def finish(self, buckets: Sequence[BucketPlan]) -> dict[str, list[str]]:
        """What could not be made as it was, and which points will go, in sentences, by the bucket's name on the target.

        Raises StoreError when a break lasts; doing it again makes what lacks.
        """
        notes = {bucket.target: expiry_notes(bucket, self._now_ns) for bucket in buckets}
        for bucket in sorted(buckets, key=_has_no_default):
            self._tools.job.check()
            sentences = notes[bucket.target]
            if bucket.metadata.retention_ns:
                sentences += set_retention(self._store, self._tools.retry, bucket.target, bucket.metadata)
            sentences += add_details(self._store, self._tools.retry, bucket.target, bucket.metadata)
            for sentence in sentences:
                self._tools.log("warning", f"{bucket.target}: {sentence}")
        return notes


def set_retention(store: Store, retry: Retrying, bucket: str, metadata: BucketMetadata) -> list[str]:
    """Give `bucket` the retention and description of `metadata`; a sentence where the target refuses them.

    Raises StoreError when a break lasts.
    """
    try:
        retry.call(lambda: store.update_bucket(bucket, metadata.description, metadata.retention_ns))
    except InvalidParameter as refused:
        return [f"It keeps everything, as the target does not take its retention: {refused.message}"]
    return []


def add_details(store: Store, retry: Retrying, bucket: str, metadata: BucketMetadata) -> list[str]:
    """Give `bucket` the labels and mappings of `metadata`; a sentence for each that could not be made as it was.

    Raises StoreError when a break lasts.
    """
    details = BucketDetails(metadata.labels, metadata.mappings)
    return [] if details == BucketDetails() else retry.call(lambda: store.add_bucket_details(bucket, details))


def expiry_notes(bucket: BucketPlan, now_ns: int) -> list[str]:
    """A sentence about points that are older than the bucket's own retention, if there are any."""
    before_ns, oldest_ns = expired_before_ns(bucket.metadata.retention_ns, now_ns), bucket.oldest_ns
    if before_ns is None or oldest_ns is None or oldest_ns >= before_ns:
        return []
    times = f"Points before {format_time(before_ns)} (the oldest is of {format_time(oldest_ns)})"
    return [f"{times} are older than the bucket's retention, which removes them. Give it a longer one to keep them."]


def _has_no_default(bucket: BucketPlan) -> bool:
    """Buckets with the default of a database come first: the first mapping of a database becomes its default."""
    return not any(mapping.default for mapping in bucket.metadata.mappings)
