"""Where aggregate windows lie: on the epoch grid, or on the grid of a local clock.

A range becomes a few `Grid`s, in each of which all windows have one length, so that a store can
compute each with plain arithmetic. A window that a change of the local clock makes longer or
shorter (the day of 23 or 25 hours) is a grid of its own, with that one window.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, TimeRange, floor_to

_DAY_NS = 86_400 * SECOND_NS
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Grid:
    """Windows of `every_ns` with edges at `offset_ns + k * every_ns`, cut to `span`.

    A row's time is its window's stop, and for the last window of the whole read the stop of the
    range when that is earlier (Flux `aggregateWindow`). `0 <= offset_ns < every_ns`.
    """

    span: TimeRange
    every_ns: int
    offset_ns: int

    @property
    def count(self) -> int:
        """How many windows touch `span`."""
        first = floor_to(self.span.start_ns, self.every_ns, self.offset_ns)
        return -((first - self.span.stop_ns) // self.every_ns)


def grids(span: TimeRange, every_ns: int, zone: str = "UTC") -> list[Grid]:
    """The windows of `span`, ascending and without gaps. `zone` is an IANA name that exists.

    Where the local clock goes back, a time that comes twice is an edge the first time only, as in Flux: the window before the change
    lasts until the clock is new again.
    """
    pieces: list[Grid] = []
    open_ns = span.start_ns
    segments = list(_segments(TimeRange(max(span.start_ns - _DAY_NS, EARLIEST_NS), span.stop_ns), zone))
    offsets = [offset_ns for _, offset_ns in segments]
    for (segment, offset_ns), before_ns, after_ns in zip(segments, [offsets[0], *offsets[:-1]], [*offsets[1:], offsets[-1]], strict=True):
        if segment.stop_ns <= span.start_ns:
            continue
        origin_ns = -offset_ns % every_ns
        new_ns = segment.start_ns + max(0, before_ns - offset_ns)
        first_ns = span.start_ns if new_ns <= span.start_ns else _ceil_to(new_ns, every_ns, origin_ns)
        last_ns = span.stop_ns if segment.stop_ns == span.stop_ns else floor_to(segment.stop_ns - (after_ns < offset_ns), every_ns, origin_ns)
        if first_ns > last_ns:
            continue
        if open_ns < first_ns:
            pieces.append(_single(TimeRange(open_ns, first_ns)))
        if first_ns < last_ns:
            pieces.append(Grid(TimeRange(first_ns, last_ns), every_ns, origin_ns))
        open_ns = last_ns
    if open_ns < span.stop_ns:
        pieces.append(_single(TimeRange(open_ns, span.stop_ns)))
    return pieces


def _single(window: TimeRange) -> Grid:
    return Grid(window, window.length_ns, window.start_ns % window.length_ns)


def _ceil_to(time_ns: int, step_ns: int, origin_ns: int) -> int:
    return -floor_to(-time_ns, step_ns, -origin_ns)


def _segments(span: TimeRange, zone: str) -> Iterator[tuple[TimeRange, int]]:
    """Pieces of `span` in which the local clock keeps one offset, each with that offset in ns."""
    if zone == "UTC":
        yield span, 0
        return
    info = ZoneInfo(zone)
    start_ns, offset_ns = span.start_ns, _offset_ns(span.start_ns, info)
    while start_ns < span.stop_ns:
        change_ns = _next_change(start_ns, span.stop_ns, offset_ns, info)
        yield TimeRange(start_ns, change_ns), offset_ns
        start_ns, offset_ns = change_ns, _offset_ns(change_ns, info)


def _next_change(start_ns: int, stop_ns: int, offset_ns: int, info: ZoneInfo) -> int:
    """First instant after `start_ns` with another offset, or `stop_ns`. Steps a day: no zone changes twice in one."""
    before_ns, after_ns = start_ns, start_ns
    while after_ns < stop_ns and _offset_ns(after_ns, info) == offset_ns:
        before_ns, after_ns = after_ns, after_ns + _DAY_NS
    if _offset_ns(min(after_ns, stop_ns), info) == offset_ns:
        return stop_ns
    low, high = before_ns // SECOND_NS, -(-min(after_ns, stop_ns) // SECOND_NS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset_ns(middle * SECOND_NS, info) == offset_ns else (low, middle)
    return min(high * SECOND_NS, stop_ns)


def _offset_ns(time_ns: int, info: ZoneInfo) -> int:
    moment = _EPOCH + dt.timedelta(seconds=time_ns // SECOND_NS)
    shift = moment.astimezone(info).utcoffset()
    assert shift is not None
    return int(shift.total_seconds()) * SECOND_NS
