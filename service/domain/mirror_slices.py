"""The decisions of a mirror: which time a run looks at, and what to do about each slice.

Nothing here reads a clock; times are ns.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.durations import DAY_NS
from service.domain.mirror import Mirror
from service.domain.schema import Bucket
from service.domain.slicing import MeasurementRange, slice_range, slice_start, whole_slices
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, merge

_DAY_S = DAY_NS / 1e9


def mirrored_ranges(
    mirror: Mirror,
    measurements: Iterable[str],
    start_ns: int,
    now_ns: int,
    step_ns: int,
) -> list[MeasurementRange]:
    """The measurements of the mirror, grouped by the start of their mirrored time.

    It begins at the start of a slice, and not before `start_ns`. Points have no end; windows end with the last complete
    one.
    """
    stop_ns = LATEST_NS + 1 if mirror.windows is None else now_ns - now_ns % mirror.windows.every_ns
    by_start: dict[int, list[str]] = {}
    for name in sorted({name for name in measurements if mirror.wants(name)}):
        length_ns = mirror.history_of(name)
        begin_ns = start_ns if length_ns is None else max(start_ns, slice_start(now_ns - length_ns, step_ns))
        by_start.setdefault(begin_ns, []).append(name)
    begun = sorted((begin_ns, names) for begin_ns, names in by_start.items() if begin_ns < stop_ns)
    return [MeasurementRange(tuple(names), begin_ns, stop_ns) for begin_ns, names in begun]


def kept_since(source: Bucket, target: Bucket, now_ns: int, step_ns: int) -> int:
    """The first slice that no retention touches. Older points expire in each bucket at different times."""
    lengths = [bucket.retention_ns for bucket in (source, target) if bucket.retention_ns]
    return EARLIEST_NS if not lengths else slice_start(max(now_ns - min(lengths), EARLIEST_NS), step_ns) + step_ns


def spans_of_run(
    mirror: Mirror,
    now_ns: int,
    extent: TimeRange | None,
    also: Iterable[int],
    step_ns: int,
) -> list[TimeRange]:
    """What a run looks at, in whole slices.

    With `extent` (the time of all points) it is all of that, otherwise the time around now that every run looks at. The
    slices that start at `also` are added: those with an open state, and those whose comparison of values is due.
    """
    near = TimeRange(max(now_ns - mirror.rescan_ns, EARLIEST_NS), min(now_ns + mirror.future_ns, LATEST_NS) + 1)
    wanted = [whole_slices(near if extent is None else extent, step_ns)]
    return merge([*wanted, *(slice_range(start_ns, step_ns) for start_ns in also)])


class SliceState(StrEnum):
    """What is known of a slice.

    `unknown`: both buckets have equally many points, and their values were never compared. `partial`: points that the
    target refuses are missing. `extra`: the target has points that the source lacks.
    """

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    PARTIAL = "partial"
    EXTRA = "extra"


@dataclass(frozen=True)
class SliceRecord:
    """A slice as in the ledger. Counts and checksum are texts of digests.

    `checksum` covers the values of both buckets: it stays the same as long as both do. `values_compared_at` is the last
    time when every value was compared.
    """

    start_ns: int
    state: SliceState
    points: int
    source_counts: str
    target_counts: str
    checksum: str | None
    rejected: int
    compared_at: float
    values_compared_at: float | None


class Act(StrEnum):
    """What to do about a slice: nothing, compare every value, or copy it."""

    NOTHING = "nothing"
    COMPARE_VALUES = "compare_values"
    COPY = "copy"


def decide(
    known: SliceRecord | None,
    source_counts: str,
    target_counts: str,
    comparison_due: bool,
    again: bool = False,
) -> Act:
    """What to do about a slice with these counts.

    A partial or extra slice stays so until a count changes, or `again` says to try. Its values are compared like those
    of any other slice.
    """
    unchanged = known is not None and (known.source_counts, known.target_counts) == (source_counts, target_counts)
    if known is not None and known.state in (SliceState.PARTIAL, SliceState.EXTRA) and unchanged and not again:
        return Act.COMPARE_VALUES if comparison_due else Act.NOTHING
    if source_counts == target_counts:
        is_open = known is not None and known.state is not SliceState.EQUAL
        return Act.COMPARE_VALUES if comparison_due or is_open else Act.NOTHING
    return Act.COPY


def comparisons_due(mirror: Mirror, known: Sequence[SliceRecord], now_ns: int, last_run: float | None) -> set[int]:
    """Starts of the slices whose values are to be compared again.

    All that never were; those around now once a day; and of the others the oldest, as many as it takes to get through
    all of them in a day, so that an hourly mirror does not read everything at once.
    """
    now = now_ns / 1e9
    far = [record for record in known if record.start_ns < now_ns - mirror.rescan_ns]
    near = [record for record in known if record.start_ns >= now_ns - mirror.rescan_ns]
    share = len(far) if last_run is None else math.ceil(len(far) * (now - last_run) / _DAY_S)
    old = sorted(
        (record.values_compared_at, record.start_ns)
        for record in far
        if record.values_compared_at is not None and _is_old(record, now, mirror.full_rescan_ns)
    )
    near_age_ns = min(mirror.full_rescan_ns, DAY_NS)
    due_near = {record.start_ns for record in near if _is_old(record, now, near_age_ns)}
    never = {record.start_ns for record in known if record.values_compared_at is None}
    return never | due_near | {start_ns for _, start_ns in old[: max(1, share)]}


def _is_old(record: SliceRecord, now: float, age_ns: int) -> bool:
    return record.values_compared_at is None or now - record.values_compared_at >= age_ns / 1e9
