"""Which aggregate windows belong to a range of time: those whose row is stamped inside it.

A row carries the stop of its window. It belongs to the half-open range that contains this stop, and its window is read
whole, also where it begins before the range. So consecutive ranges hold each window exactly once, whatever they are
cut at. Pure arithmetic.
"""

from service.domain.selected_windows import whole_windows
from service.domain.selection import Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange

_DAY_NS = 86_400 * 1_000_000_000
_LONGEST_MONTH_NS = 31 * _DAY_NS


def stamped_in(span: TimeRange, windows: Windows) -> TimeRange | None:
    """The time of the windows whose stop is in `span`: from the start of the first to the stop of the last.

    None when no window stops there.
    """
    first_ns, last_ns = _last_edge(span.start_ns - 1, windows), _last_edge(span.stop_ns - 1, windows)
    return TimeRange(first_ns, last_ns) if first_ns < last_ns else None


def _last_edge(time_ns: int, windows: Windows) -> int:
    """The last edge of a window that is not after `time_ns`; the earliest time where there is none."""
    length_ns = windows.every_ns or windows.months * _LONGEST_MONTH_NS
    time_ns = min(time_ns, LATEST_NS)
    start_ns = max(time_ns - 2 * length_ns - 3 * _DAY_NS, EARLIEST_NS)
    if start_ns >= time_ns:
        return EARLIEST_NS
    whole = whole_windows(TimeRange(start_ns, time_ns), windows)
    return EARLIEST_NS if whole is None else whole.stop_ns
