"""Where the axis of time has its lines, on a local clock, and what stands below them.

Edges of hours, days and months are those of the clock, also where it changes; they come from the same arithmetic as
the windows of a read.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from service.domain.durations import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from service.domain.selected_windows import grids_of
from service.domain.selection import Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, floor_to
from service.domain.windows import Grid, clock_segments

_MONTH_NS = 30 * DAY_NS
_EPOCH = dt.datetime(1970, 1, 1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FINE_NS = tuple(number * 10**power for power in range(9) for number in (1, 2, 5))
_STEPS_NS = (
    *_FINE_NS,
    *(number * SECOND_NS for number in (1, 2, 5, 10, 15, 30)),
    *(number * MINUTE_NS for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR_NS for number in (1, 2, 3, 6, 12)),
    *(number * DAY_NS for number in (1, 2, 4, 7, 14)),
)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_DECADE = 120
_MOST_TICKS = 200


@dataclass(frozen=True)
class TimeTick:
    """A time, its label, and the label below that, where the day or the year is another than at the tick before."""

    time_ns: int
    label: str
    below: str


def time_ticks(span: TimeRange, zone: str, most: int) -> list[TimeTick]:
    """About `most` times of `span` that are round on the clock of `zone` (IANA), ascending; at most `most` + 2."""
    rough_ns = max(1, span.length_ns // max(most, 1))
    step_ns = next((step for step in _STEPS_NS if step >= rough_ns), None)
    if step_ns is not None:
        times = _edges(span, Windows(step_ns, zone=zone))
        return list(_labelled(list(times), span, zone, step_ns))
    months = next((step for step in _STEPS_MONTHS if step * _MONTH_NS >= rough_ns), _STEPS_MONTHS[-1])
    # Windows of months count from 1970, and decades are round in each count.
    edges = _edges(span, Windows(0, zone=zone, months=min(months, _DECADE)))
    ticks = _labelled(list(edges), span, zone, months * _MONTH_NS)
    return [tick for tick in ticks if months < _DECADE or int(tick.label) % (months // 12) == 0]


def local_text(time_ns: int, zone: str, with_seconds: bool = False) -> str:
    """A time on the clock of `zone`, like `27 Nov 2026 14:05`."""
    instant_ns = min(time_ns, LATEST_NS)  # the end of a range may lie one nanosecond after it
    shown, _ = _shown(time_ns, _Offsets(TimeRange(instant_ns, instant_ns + 1), zone))
    seconds = f":{shown.second:02}" if with_seconds else ""
    return f"{shown.day} {_MONTHS[shown.month - 1]} {shown.year} {shown.hour:02}:{shown.minute:02}{seconds}"


def _edges(span: TimeRange, windows: Windows) -> Iterator[int]:
    """The edges of windows in `span`, its start among them where that is one; at most 200."""
    # The cut of the first window is no edge, so it is moved in front of the range.
    wider = TimeRange(max(span.start_ns - 1, EARLIEST_NS), span.stop_ns)
    return islice(_inner_edges(grids_of(wider, windows)), _MOST_TICKS)


def _inner_edges(grids: Iterable[Grid]) -> Iterator[int]:
    """Where a window of `grids` begins; not the first one."""
    for position, grid in enumerate(grids):
        if position:
            yield grid.span.start_ns
        edge_ns = floor_to(grid.span.start_ns, grid.every_ns, grid.offset_ns) + grid.every_ns
        while edge_ns < grid.span.stop_ns:
            yield edge_ns
            edge_ns += grid.every_ns


class _Offsets:
    """How far the clock of `zone` is ahead of UTC at the times of `span`."""

    def __init__(self, span: TimeRange, zone: str) -> None:
        self._segments = list(clock_segments(span, zone))

    def at(self, time_ns: int) -> int:
        return next((offset for piece, offset in self._segments if time_ns < piece.stop_ns), self._segments[-1][1])


def _shown(time_ns: int, offsets: _Offsets) -> tuple[dt.datetime, int]:
    """What the clock shows, and the nanoseconds of the second."""
    seconds, fraction = divmod(time_ns + offsets.at(time_ns), SECOND_NS)
    return _EPOCH + dt.timedelta(seconds=seconds), fraction


def _labelled(times: list[int], span: TimeRange, zone: str, step_ns: int) -> Iterator[TimeTick]:
    offsets = _Offsets(span, zone)
    before = ""
    for time_ns in times:
        shown, fraction = _shown(time_ns, offsets)
        label, below = _label(shown, fraction, step_ns)
        yield TimeTick(time_ns, label, below if below != before else "")
        before = below


def _label(shown: dt.datetime, fraction: int, step_ns: int) -> tuple[str, str]:
    if step_ns >= 12 * _MONTH_NS:
        return str(shown.year), ""
    month = _MONTHS[shown.month - 1]
    if step_ns >= _MONTH_NS:
        return month, str(shown.year)
    if step_ns >= DAY_NS:
        return f"{shown.day} {month}", str(shown.year)
    day = f"{shown.day} {month} {shown.year}"
    label = f"{shown.hour:02}:{shown.minute:02}"
    if step_ns < MINUTE_NS:
        label += f":{shown.second:02}"
    if step_ns < SECOND_NS:
        digits = f"{fraction:09}"
        needed = 9 - (len(str(step_ns)) - 1)
        label += f".{digits[:needed]}"
    return label, day
