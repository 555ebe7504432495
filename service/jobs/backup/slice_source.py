"""Reads one slice of a bucket for a backup: again when the link breaks, and in shorter pieces when it is too much."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

from service.domain.durations import parse_duration
from service.domain.slicing import slice_start
from service.domain.timerange import TimeRange
from service.errors import StoreLimit
from service.frames.frame import Block
from service.jobs.backup.pace import Pace
from service.transfer.bucket_reader import BucketReader
from service.transfer.retry import Retrying
from service.transfer.run_log import Log, log_failure

T = TypeVar("T")
_SHORTER_NS = tuple(parse_duration(text, "piece") for text in ("6h", "1h", "10m", "1m"))


class SliceSource:
    """The slices of `reader`'s bucket. Threads may share it."""

    def __init__(self, reader: BucketReader, retry: Retrying, pace: Pace, log: Log) -> None:
        self._reader = reader
        self._retry = retry
        self._pace = pace
        self._log = log

    def taken(self, span: TimeRange, take: Callable[[Iterator[Block]], T]) -> T:
        """What `take` makes of the points in `span`; it must bear being called again with them.

        Raises StoreError, JobInterrupted, and what `take` raises.
        """
        for piece_ns in (span.stop_ns - span.start_ns, *_SHORTER_NS):
            try:
                return self._retry.call(lambda: take(self._blocks(span, piece_ns)))  # noqa: B023  called at once
            except StoreLimit as too_much:
                failure = too_much
                log_failure(self._log, "warning", f"{too_much.message} Reading shorter pieces.", too_much)
        raise failure

    def _blocks(self, span: TimeRange, piece_ns: int) -> Iterator[Block]:
        for piece in _pieces(span, piece_ns):
            yield from self._pace.paced(self._reader.blocks(piece))


def _pieces(span: TimeRange, piece_ns: int) -> Iterator[TimeRange]:
    """`span`, cut on the grid of `piece_ns` from 1970."""
    first_ns = slice_start(span.start_ns, piece_ns) + piece_ns
    edges = [span.start_ns, *range(first_ns, span.stop_ns, piece_ns), span.stop_ns]
    yield from (TimeRange(start_ns, stop_ns) for start_ns, stop_ns in pairwise(edges))
