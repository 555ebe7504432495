"""Slices: pieces of time that hold a bucket's points, cut so that none crosses the edge of a shard group.

A slice is at most a day long and lies on the grid from 1970. Nothing here reads a clock; times are ns.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.domain.durations import DAY_NS
from service.domain.schema import Bucket
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, floor_to


@dataclass(frozen=True)
class MeasurementRange:
    """Measurements of a bucket that are read from `start_ns` on and before `stop_ns`."""

    measurements: tuple[str, ...]
    start_ns: int
    stop_ns: int


def slice_length(source: Bucket, target: Bucket) -> int:
    """The greatest length, at most a day, of slices that cross no edge of a shard group in either bucket."""
    return math.gcd(source.shard_ns, target.shard_ns, DAY_NS)


def slice_start(time_ns: int, step_ns: int) -> int:
    """The start of the slice that holds `time_ns`."""
    return floor_to(time_ns, step_ns)


def slice_range(start_ns: int, step_ns: int) -> TimeRange:
    """The slice that starts at `start_ns`, cut to the time that a store can hold."""
    return _storable(start_ns, start_ns + step_ns)


def is_in(start_ns: int, span: TimeRange) -> bool:
    """Whether the slice that starts at `start_ns` is in `span`, which consists of whole slices.

    The very first slice starts before the first time that can be stored.
    """
    return span.start_ns <= max(start_ns, EARLIEST_NS) < span.stop_ns


def whole_slices(span: TimeRange, step_ns: int) -> TimeRange:
    """The slices that `span` touches, cut to the time that a store can hold."""
    return _storable(slice_start(span.start_ns, step_ns), slice_start(span.stop_ns - 1, step_ns) + step_ns)


def batches(starts: Iterable[int], points: Iterable[int], step_ns: int, most_points: int) -> Iterator[TimeRange]:
    """Consecutive slices joined to ranges without gaps, each with at most about `most_points`, in ascending order.

    `points` holds the count of each slice.
    """
    batch: tuple[int, int, int] | None = None
    for start_ns, count in zip(starts, points, strict=True):
        if batch is not None and batch[1] == start_ns and batch[2] + count <= most_points:
            batch = (batch[0], start_ns + step_ns, batch[2] + count)
            continue
        if batch is not None:
            yield _storable(batch[0], batch[1])
        batch = (start_ns, start_ns + step_ns, count)
    if batch is not None:
        yield _storable(batch[0], batch[1])


def _storable(start_ns: int, stop_ns: int) -> TimeRange:
    return TimeRange(max(start_ns, EARLIEST_NS), min(stop_ns, LATEST_NS + 1))
