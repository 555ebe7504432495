"""A store that tells listeners which buckets and times may have changed. Everything that keeps answers hangs on it.

Wiring hands out the gateway's own store only inside this one, so nothing can change it without the listeners: no HTTP
write, no new bucket, no mirror, and not the demo.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.domain.bucket_details import BucketDetails
from service.domain.durations import DAY_NS, HOUR_NS
from service.domain.schema import Bucket, BucketSpec, MeasurementSchema
from service.domain.selection import ReadPlan, Selection
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, merge
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.protocol import MOST_TAG_VALUES, UNBOUNDED, Latest, Store, WriteBounds, WriteOutcome
from service.stores.row_order import RowOrder


@dataclass(frozen=True)
class BucketChange:
    """Times of a bucket whose points may differ from what they were. A time outside `ranges` is as it was.

    A bucket that was made or changed has `EVER`: whatever was known under its name is no answer any more.
    """

    bucket: str
    ranges: tuple[TimeRange, ...]


_MOST_RANGES, _LONGEST_DIVIDED_NS = 16, 3_653 * DAY_NS
ChangeListener = Callable[[BucketChange], None]


class ObservedStore:
    """A `Store` that calls each listener exactly once per write, delete, and bucket made or changed, failed or not.

    Labels and mappings are told nowhere: no kept answer has them, and none of them changes what a bucket answers.

    Listeners are called after the store has done its part and before the caller knows of it. So a read that began
    before the change may still see the old points, but it began before the listeners were called, too: what keeps
    answers under the state that it took before the read (`cache/generations`) never gives them to a later one. A call
    that fails is told like one that worked, because it may have stored some points, or all of them.
    """

    def __init__(self, store: Store, listeners: Sequence[ChangeListener]) -> None:
        self.name = store.name
        self._store = store
        self._listeners = tuple(listeners)

    def server(self) -> str:
        return self._store.server()

    def buckets(self) -> list[Bucket]:
        return self._store.buckets()

    def bucket(self, name: str) -> Bucket:
        return self._store.bucket(name)

    def create_bucket(self, spec: BucketSpec) -> bool:
        """A bucket that was there is told, too: it may have been made around this gateway, and kept lists lack it."""
        with self._notifying(BucketChange(spec.name, (EVER,))):
            return self._store.create_bucket(spec)

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        with self._notifying(BucketChange(name, (EVER,))):
            self._store.update_bucket(name, description, retention_ns)

    def bucket_details(self, name: str) -> BucketDetails:
        return self._store.bucket_details(name)

    def add_bucket_details(self, name: str, details: BucketDetails) -> list[str]:
        return self._store.add_bucket_details(name, details)

    def first_point(self, bucket: str) -> int | None:
        return self._store.first_point(bucket)

    def last_point(self, bucket: str) -> int | None:
        return self._store.last_point(bucket)

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        return self._store.schema(bucket)

    def tag_values(
        self, bucket: str, key: str, wanted: Collection[str], most: int = MOST_TAG_VALUES
    ) -> list[str] | None:
        return self._store.tag_values(bucket, key, wanted, most)

    def read(self, selection: Selection) -> Reading:
        return self._store.read(selection)

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder | None:
        return self._store.window_order(selection, plan)

    def count_points(
        self,
        bucket: str,
        measurements: Collection[str],
        span: TimeRange,
        step_ns: int,
    ) -> dict[int, int] | None:
        return self._store.count_points(bucket, measurements, span, step_ns)

    def latest(self, bucket: str, span: TimeRange, word: str, measurements: Collection[str] | None = None) -> Latest:
        return self._store.latest(bucket, span, word, measurements)

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        with self._notifying(BucketChange(bucket, ranges_of(points))):
            return self._store.write(bucket, points, bounds)

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        with self._notifying(BucketChange(bucket, (span,))):
            self._store.delete_points(bucket, series, span)

    def ping(self) -> None:
        self._store.ping()

    def close(self) -> None:
        self._store.close()

    @contextmanager
    def _notifying(self, change: BucketChange) -> Iterator[None]:
        """Call every listener at the end, also when the store or another listener raises; the last error is raised."""
        with ExitStack() as calls:
            for listener in self._listeners:
                calls.callback(listener, change)
            yield


def ranges_of(points: Points) -> tuple[TimeRange, ...]:
    """The times of all lines: which ones the store refuses shows only afterwards.

    One range from the first time to the last. When that is longer than an hour (and no longer than ten years), at most
    16 that leave out what lies between: a late point among new ones does not touch all the time since. Empty for no
    points. Times that no store can hold are cut off: nothing is stored there.
    """
    if not len(points):
        return ()
    first_ns, last_ns = int(points.times_ns.min()), int(points.times_ns.max())
    start_ns, stop_ns = max(first_ns, EARLIEST_NS), min(last_ns, LATEST_NS) + 1
    if start_ns >= stop_ns:
        return ()
    span = TimeRange(start_ns, stop_ns)
    if not HOUR_NS < span.length_ns <= _LONGEST_DIVIDED_NS:
        return (span,)
    divided = (_occupied(points.times_ns, span, parts) for parts in (1024, 128, _MOST_RANGES))
    return next(ranges for ranges in divided if len(ranges) <= _MOST_RANGES)


def _occupied(times_ns: npt.NDArray[np.int64], span: TimeRange, parts: int) -> tuple[TimeRange, ...]:
    """The parts of `span`, divided into equal ones, that hold a time; neighbours as one."""
    width_ns = -(-span.length_ns // parts)
    inside_ns = np.clip(times_ns, span.start_ns, span.stop_ns - 1)
    numbers = np.flatnonzero(np.bincount((inside_ns - span.start_ns) // width_ns, minlength=parts)).tolist()
    starts = [span.start_ns + number * width_ns for number in numbers]
    return tuple(merge(TimeRange(start_ns, min(start_ns + width_ns, span.stop_ns)) for start_ns in starts))
