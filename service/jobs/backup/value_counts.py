"""Counts the values of buckets before and after their files are moved: InfluxDB itself says nothing about them."""

from collections.abc import Iterable

from service.archive.physical_counts import BucketCounts
from service.domain.timerange import EVER
from service.errors import BUCKET_ERRORS, StoreDenied, UnknownBucket
from service.jobs.backup.bucket_snapshot import snapshot_of
from service.stores.protocol import Store
from service.transfer.retry import Retrying
from service.transfer.run_log import Log, log_failure
from service.transfer.splitting import Splitter

_UNCOUNTED = (*BUCKET_ERRORS, StoreDenied, UnknownBucket)


class ValueCounter:
    """Counts in `store`."""

    def __init__(self, store: Store, retry: Retrying, log: Log) -> None:
        self._store = store
        self._retry = retry
        self._log = log
        self._splitter = Splitter(retry, log)

    def counts(self, names: Iterable[str]) -> dict[str, BucketCounts]:
        """Of each bucket that can be counted; the log says which cannot, and why.

        Raises StoreError (a store that is away), RetryLater, JobInterrupted.
        """
        counted: dict[str, BucketCounts] = {}
        for name in names:
            try:
                counted[name] = self.count(name)
            except _UNCOUNTED as failure:
                log_failure(self._log, "warning", f"{name}: its values are not counted: {failure.message}", failure)
        return counted

    def count(self, name: str) -> BucketCounts:
        """Raises UnknownBucket, StoreError, RetryLater, JobInterrupted."""
        snapshot = self._retry.call(
            lambda: snapshot_of(self._store, name, EVER, self._splitter),
        )
        return BucketCounts(snapshot.step_ns, snapshot.values)
