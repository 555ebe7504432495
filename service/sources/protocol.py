"""The port of a source of points, read window by window."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from service.domain.timerange import TimeRange


class Source(Protocol):
    """Points by time. One thread reads it."""

    def check(self) -> None:
        """Prove that a read would work: it is reachable, and its tables, columns or buckets exist.

        Raises InvalidParameter for what the configuration has to change, RetryLater, StoreError.
        """

    def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
        """Every value of `window` (start included, stop excluded) in long frames, as `service.frames.frame` says.

        The order is the same each time, as long as the data is. Memory is bounded whatever the window holds.

        Raises StoreError, RetryLater, JobInterrupted.
        """

    def oldest_ns(self) -> int | None:
        """Time of the oldest point; None when there is none. Raises as `frames` does."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""
