"""What a mirror decides: which time to look at, and what to do about each slice of it.

A slice never crosses the edge of a shard group on either side and is at most a day long. Nothing here reads a clock; times are ns.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.durations import parse_duration
from service.domain.mirror import Mirror
from service.domain.schema import Bucket
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, floor_to, merge

DAY_NS = parse_duration("1d", "slice")
_DAY_S = DAY_NS / 1e9


@dataclass(frozen=True)
class Part:
    """Measurements that are mirrored from one moment on, and until another."""

    measurements: tuple[str, ...]
    start_ns: int
    stop_ns: int


def parts_of(mirror: Mirror, measurements: Iterable[str], start_ns: int, now_ns: int, step_ns: int) -> list[Part]:
    """The wanted measurements, by where their mirrored time begins: at a slice's start, and nowhere before `start_ns`.

    Points have no end; windows end with the last one that is over.
    """
    stop_ns = LATEST_NS + 1 if mirror.windows is None else now_ns - now_ns % mirror.windows.every_ns
    found: dict[int, list[str]] = {}
    for name in sorted({one for one in measurements if mirror.wants(one)}):
        length_ns = mirror.history_of(name)
        own_ns = start_ns if length_ns is None else max(start_ns, slice_start(now_ns - length_ns, step_ns))
        found.setdefault(own_ns, []).append(name)
    return [Part(tuple(names), begin_ns, stop_ns) for begin_ns, names in sorted(found.items()) if begin_ns < stop_ns]


def slice_length(source: Bucket, target: Bucket) -> int:
    """The length of slices that cross no shard group's edge on either side, at most a day."""
    return math.gcd(source.shard_ns, target.shard_ns, DAY_NS)


def slice_start(time_ns: int, step_ns: int) -> int:
    return floor_to(time_ns, step_ns)


def slice_range(start_ns: int, step_ns: int) -> TimeRange:
    """The slice that starts there, cut to the time that a store can hold."""
    return _cut(start_ns, start_ns + step_ns)


def is_in(start_ns: int, span: TimeRange) -> bool:
    """Whether `span`, whole slices, has the slice that starts there. The very first slice starts before anything that can be stored."""
    return span.start_ns <= max(start_ns, EARLIEST_NS) < span.stop_ns


def aligned(span: TimeRange, step_ns: int) -> TimeRange:
    """The slices that `span` touches, cut to the time that a store can hold."""
    start_ns, stop_ns = slice_start(span.start_ns, step_ns), slice_start(span.stop_ns - 1, step_ns) + step_ns
    return _cut(start_ns, stop_ns)


def kept_since(source: Bucket, target: Bucket, now_ns: int, step_ns: int) -> int:
    """The first slice that neither side's retention touches. Older points are on their way out, on each side at its own pace."""
    lengths = [bucket.retention_ns for bucket in (source, target) if bucket.retention_ns]
    return EARLIEST_NS if not lengths else slice_start(max(now_ns - min(lengths), EARLIEST_NS), step_ns) + step_ns


def spans_of_run(mirror: Mirror, now_ns: int, extent: TimeRange | None, also: Iterable[int], step_ns: int) -> list[TimeRange]:
    """What a run looks at, in whole slices: `extent` (everything there is) when it is given, else the stretch around now
    that every run looks at; and `also`, slices whose state is open or whose values are due."""
    near = TimeRange(max(now_ns - mirror.rescan_ns, EARLIEST_NS), min(now_ns + mirror.future_ns, LATEST_NS) + 1)
    wanted = [aligned(near if extent is None else extent, step_ns)]
    return merge([*wanted, *(slice_range(start_ns, step_ns) for start_ns in also)])


class SliceState(StrEnum):
    """What is known of a slice. `unknown`: both sides have as many points, and their values were never compared. `partial`: points that
    the target refuses are missing; `extra`: the target has points that the source has not."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    PARTIAL = "partial"
    EXTRA = "extra"


@dataclass(frozen=True)
class SliceRecord:
    """A slice as the ledger has it. Counts and checksum as texts of digests; `summed_at`: when every value was compared.

    `checksum` is of the values of both sides: as long as it stays the same, so do both.
    """

    start_ns: int
    state: SliceState
    points: int
    source_counts: str
    target_counts: str
    checksum: str | None
    rejected: int
    compared_at: float
    summed_at: float | None


class Act(StrEnum):
    """What to do about a slice: nothing, compare every value, or copy it."""

    NOTHING = "nothing"
    SUM = "sum"
    COPY = "copy"


def decide(known: SliceRecord | None, source_counts: str, target_counts: str, sum_due: bool, again: bool = False) -> Act:
    """What to do about a slice with these counts. What was found partial or extra stays so until a count changes, or `again` says to try;
    its values are compared like those of any other slice."""
    unchanged = known is not None and (known.source_counts, known.target_counts) == (source_counts, target_counts)
    if known is not None and known.state in (SliceState.PARTIAL, SliceState.EXTRA) and unchanged and not again:
        return Act.SUM if sum_due else Act.NOTHING
    if source_counts == target_counts:
        return Act.SUM if sum_due or (known is not None and known.state is not SliceState.EQUAL) else Act.NOTHING
    return Act.COPY


def sums_due(mirror: Mirror, known: Sequence[SliceRecord], now_ns: int, last_run: float | None) -> set[int]:
    """Starts of the slices whose values are to be compared again: all that never were, those around now once a day, and of the
    others the oldest: as many as it takes to get through all of them in a day, so that an hourly mirror does not read everything at once."""
    now = now_ns / 1e9
    far = [one for one in known if one.start_ns < now_ns - mirror.rescan_ns]
    share = len(far) if last_run is None else math.ceil(len(far) * (now - last_run) / _DAY_S)
    waiting = sorted((one.summed_at, one.start_ns) for one in far if one.summed_at is not None and _is_old(one, now, mirror.full_rescan_ns))
    near = {one.start_ns for one in known if one.start_ns >= now_ns - mirror.rescan_ns and _is_old(one, now, min(mirror.full_rescan_ns, DAY_NS))}
    return {one.start_ns for one in known if one.summed_at is None} | near | {start_ns for _, start_ns in waiting[: max(1, share)]}


def _is_old(one: SliceRecord, now: float, age_ns: int) -> bool:
    return one.summed_at is None or now - one.summed_at >= age_ns / 1e9


def batches(starts: Iterable[int], points: Iterable[int], step_ns: int, most_points: int) -> Iterator[TimeRange]:
    """Slices to copy, in stretches without gaps of at most about `most_points`, one after another."""
    found: tuple[int, int, int] | None = None
    for start_ns, count in zip(starts, points, strict=True):
        if found is not None and found[1] == start_ns and found[2] + count <= most_points:
            found = (found[0], start_ns + step_ns, found[2] + count)
            continue
        if found is not None:
            yield _cut(found[0], found[1])
        found = (start_ns, start_ns + step_ns, count)
    if found is not None:
        yield _cut(found[0], found[1])


def _cut(start_ns: int, stop_ns: int) -> TimeRange:
    return TimeRange(max(start_ns, EARLIEST_NS), min(stop_ns, LATEST_NS + 1))
