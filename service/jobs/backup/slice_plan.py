"""Which slices of a bucket a backup takes over from the one before, compares with it, or writes anew.

Nothing here reads a clock or a store. A slice without points has no file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.archive.manifest import SliceFile
from service.domain.durations import DAY_NS
from service.domain.slicing import slice_range
from service.domain.timerange import TimeRange

RECENT_NS = 7 * DAY_NS
"""Values of slices that ended within this time are compared daily."""
ROTATION_DAYS = 30
"""Values of older slices are compared at least once in so many days, each day another part of them."""


class Act(StrEnum):
    """What to do about a slice."""

    TAKE_OVER = "take_over"
    COMPARE = "compare"
    WRITE = "write"


@dataclass(frozen=True)
class PlannedSlice:
    """`previous`: its file in an earlier backup, with as many values as the bucket has now; None to write it."""

    span: TimeRange
    act: Act
    previous: SliceFile | None = None


@dataclass(frozen=True)
class Comparison:
    """When values are compared although counts are equal. `previous_ns`: when the backup before began."""

    now_ns: int
    previous_ns: int
    always: bool = False

    def is_due(self, span: TimeRange) -> bool:
        """Whether the values of a slice are to be compared with those of the backup before.

        A backup that is repeated on one day (UTC) compares no values again.
        """
        today, last_day = self.now_ns // DAY_NS, self.previous_ns // DAY_NS
        if self.always or today < last_day or today - last_day >= ROTATION_DAYS:
            return True
        if span.stop_ns > self.now_ns - RECENT_NS:
            return today != last_day
        turn = span.start_ns // DAY_NS % ROTATION_DAYS
        return turn in {day % ROTATION_DAYS for day in range(last_day + 1, today + 1)}


def planned_slices(
    values: Mapping[int, int],
    step_ns: int,
    within: TimeRange,
    previous: Iterable[SliceFile],
    comparison: Comparison,
) -> list[PlannedSlice]:
    """What to do about each slice that has points, by time.

    `values` counts those of each slice by its start. `previous`: slices of an earlier backup that may be taken over.
    """
    by_span = {entry.span: entry for entry in previous}
    plan = []
    for start_ns in sorted(start_ns for start_ns, count in values.items() if count):
        span = slice_range(start_ns, step_ns).intersect(within)
        if span is not None:
            plan.append(_planned(span, values[start_ns], by_span.get(span), comparison))
    return plan


def _planned(span: TimeRange, count: int, known: SliceFile | None, comparison: Comparison) -> PlannedSlice:
    if known is None or known.digest.count != count:
        return PlannedSlice(span, Act.WRITE)
    return PlannedSlice(span, Act.COMPARE if comparison.is_due(span) else Act.TAKE_OVER, known)
