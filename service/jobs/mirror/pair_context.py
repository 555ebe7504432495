"""What a run over a pair of buckets stands on: both sides, the length of slices, which measurements from when on, and the links to the job."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from service.domain.durations import format_duration, parse_duration
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import Part, kept_since, parts_of, slice_length, slice_start
from service.domain.schema import Bucket, MeasurementSchema
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter
from service.frames.slices import SliceDigest
from service.jobs.protocol import JobContext
from service.transfer.bucket_reader import Side, both, told_by
from service.transfer.retry import Budget, Caller

_SHORTEST_NS = parse_duration("10m", "slice")
_HOUR_NS, _SECOND_NS = parse_duration("1h", "slice"), parse_duration("1s", "slice")


@dataclass(frozen=True)
class Links:
    """How a run talks to the job and to people."""

    context: JobContext
    patience: Caller
    budget: Budget
    tell: Callable[[str, str], None]
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class Ground:
    """Slices are `step_ns` long, the short ones in which differences are looked for `sub_ns`. Before `kept_since_ns` nothing is looked at."""

    mirror: Mirror
    pair: BucketPair
    source: Side
    target: Side
    parts: list[Part]
    step_ns: int
    sub_ns: int
    kept_since_ns: int
    now_ns: int

    @property
    def identity(self) -> str:
        """Changes when what is known of the slices means nothing any more."""
        windows = self.mirror.windows
        scope = (self.mirror.measurements, self.mirror.since_ns, self.mirror.history)
        told = (self.mirror.source.identity, self.mirror.target.identity, None if windows is None else (windows.every_ns, str(windows.fn)), scope)
        return hashlib.sha256(repr(told).encode()).hexdigest()

    @property
    def finest_ns(self) -> int:
        """What is not cut any finer when a slice is too much at once: windows stay whole."""
        return _SECOND_NS if self.mirror.windows is None else self.step_ns

    def key(self, digest: SliceDigest | None) -> str:
        """What a comparison without reading points goes by: counts. Of windows, which are few, the values too."""
        one = digest or SliceDigest()
        return one.counts if self.mirror.windows is None else f"{one.counts}:{one.checksum}"

    def starts(self, span: TimeRange) -> range:
        return range(slice_start(span.start_ns, self.step_ns), span.stop_ns, self.step_ns)

    def extent(self) -> TimeRange:
        """From the first to the last point of both sides."""
        found = [one for side in both(_edges, self.source, self.target) for one in side if one is not None]
        return TimeRange(min(found), max(found) + 1) if found else TimeRange(self.now_ns, self.now_ns + 1)

    def cut(self, spans: Iterable[TimeRange]) -> list[TimeRange]:
        """What of `spans` is mirrored at all."""
        begin_ns, end_ns = min((part.start_ns for part in self.parts), default=0), max((part.stop_ns for part in self.parts), default=0)
        cut = ((max(span.start_ns, begin_ns), min(span.stop_ns, end_ns)) for span in spans)
        return [TimeRange(start_ns, stop_ns) for start_ns, stop_ns in cut if start_ns < stop_ns]


def ground_of(mirror: Mirror, pair: BucketPair, source: Side, target: Side, now_ns: int) -> Ground:
    """Look at both buckets. Raises InvalidParameter for what cannot be mirrored, before anything is copied."""
    here, there = both(_looked_up, source, target)
    names = {one.name for side in (here, there) for one in side.measurements}
    step_ns = slice_length(here.bucket, there.bucket)
    if step_ns < _SHORTEST_NS:
        raise InvalidParameter(
            "buckets",
            f"The shard groups of {pair.source!r} and {pair.target!r} are of {format_duration(here.bucket.shard_ns)} and"
            f" {format_duration(there.bucket.shard_ns)}: their common slices would be shorter than {format_duration(_SHORTEST_NS)}."
            " Give one of the buckets a shard-group duration of whole hours.",
        )
    if mirror.windows is not None:
        step_ns = _fitting(step_ns, mirror.windows.every_ns)
    kept_since_ns = kept_since(here.bucket, there.bucket, now_ns, step_ns)
    parts = parts_of(mirror, names, kept_since_ns, now_ns, step_ns)
    _refuse_short_retention(mirror, parts, source, here.bucket, there.bucket, now_ns)
    sub_ns = step_ns if mirror.windows is not None else math.gcd(step_ns, _HOUR_NS)
    return Ground(mirror, pair, source, target, parts, step_ns, sub_ns, kept_since_ns, now_ns)


def _edges(side: Side) -> tuple[int | None, int | None]:
    with told_by(side.role, side.endpoint):
        return side.store.first_point(side.bucket), side.store.last_point(side.bucket)


@dataclass(frozen=True)
class _LookedUp:
    bucket: Bucket
    measurements: list[MeasurementSchema]


def _looked_up(side: Side) -> _LookedUp:
    with told_by(side.role, side.endpoint):
        return _LookedUp(side.store.bucket(side.bucket), side.store.schema(side.bucket))


def _fitting(step_ns: int, every_ns: int) -> int:
    """Slices of whole windows."""
    if every_ns <= step_ns and step_ns % every_ns == 0:
        return step_ns
    return every_ns if every_ns > step_ns else step_ns * every_ns // math.gcd(step_ns, every_ns)


def _refuse_short_retention(mirror: Mirror, parts: Iterable[Part], side: Side, source: Bucket, target: Bucket, now_ns: int) -> None:
    """A target that forgets sooner than its source would be filled for ever."""
    if not target.retention_ns or 0 < source.retention_ns <= target.retention_ns:
        return
    lengths = [mirror.history_of(name) for part in parts for name in part.measurements]
    if lengths and all(length is not None and length <= target.retention_ns for length in lengths):
        return
    with told_by(side.role, side.endpoint):
        first_ns = side.store.first_point(side.bucket)
    if first_ns is not None and first_ns < now_ns - target.retention_ns:
        raise InvalidParameter(
            "retention",
            f"The bucket {target.name!r} of the target forgets points that the source has (since {format_time(first_ns)})."
            " Lengthen its retention, or set the mirror's `since` to no more than that.",
        )
