"""Where aggregate windows lie: on the epoch grid, or on the grid of a local clock.

A range becomes a few `Grid`s, in each of which all windows have one length, so that a store can
compute each with plain arithmetic. A window that a change of the local clock makes longer or
shorter (the day of 23 or 25 hours) is a grid of its own, with that one window.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, TimeRange, floor_to

_DAY_S = 86_400
_DAY_NS = _DAY_S * SECOND_NS
_ERA_S = 7_300 * _DAY_S
"""The changes of a zone are looked up for about twenty years at a time, and kept."""
_ERA_NS = _ERA_S * SECOND_NS
_KEPT_ERAS = 16_384
"""About 600 zones in 30 eras; an era takes at most about 5 kB, most of them 200 bytes."""


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
    segments = list(clock_segments(TimeRange(max(span.start_ns - _DAY_NS, EARLIEST_NS), span.stop_ns), zone))
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


def surely_more_than(most: int, span: TimeRange, every_ns: int) -> bool:
    """Whether `span` has more windows than `most` in every zone, told without looking at a clock.

    A change of the clock makes at most two windows one, or takes away those of an hour (in Alaska and Manila, a day) that comes twice.
    """
    return span.length_ns - 2 * _DAY_NS > 2 * most * every_ns


def _single(window: TimeRange) -> Grid:
    return Grid(window, window.length_ns, window.start_ns % window.length_ns)


def _ceil_to(time_ns: int, step_ns: int, origin_ns: int) -> int:
    return -floor_to(-time_ns, step_ns, -origin_ns)


def clock_segments(span: TimeRange, zone: str) -> Iterator[tuple[TimeRange, int]]:
    """Pieces of `span` in which the local clock keeps one offset, each with that offset in ns."""
    if zone == "UTC":
        yield span, 0
        return
    eras = range(span.start_ns // _ERA_NS, -(-span.stop_ns // _ERA_NS))
    changes = chain.from_iterable(_clock_changes(zone, era) for era in eras)
    start_ns, (_, offset_ns) = span.start_ns, next(changes)
    for change_ns, new_offset_ns in changes:
        if change_ns >= span.stop_ns:
            break
        if start_ns < change_ns and new_offset_ns != offset_ns:
            yield TimeRange(start_ns, change_ns), offset_ns
            start_ns = change_ns
        offset_ns = new_offset_ns
    yield TimeRange(start_ns, span.stop_ns), offset_ns


@lru_cache(maxsize=_KEPT_ERAS)
def _clock_changes(zone: str, era: int) -> tuple[tuple[int, int], ...]:
    """The offset of `zone` at the start of an era, then each change in it: instants and offsets in ns, ascending.

    It steps a day, which costs milliseconds for an era, so what it found is kept: tz data have changes within weeks of each
    other (Ramadan in Africa/Casablanca), and none has two within a day that cancel each other.
    """
    info = ZoneInfo(zone)
    start_s = era * _ERA_S
    changes = [(start_s, _offset_s(start_s, info))]
    for day_s in range(start_s + _DAY_S, start_s + _ERA_S + 1, _DAY_S):
        day_offset_s = _offset_s(day_s, info)
        while changes[-1][1] != day_offset_s:
            change_s = _first_change(max(day_s - _DAY_S, changes[-1][0]), day_s, info)
            changes.append((change_s, _offset_s(change_s, info)))
    return tuple((time_s * SECOND_NS, offset_s * SECOND_NS) for time_s, offset_s in changes)


def _first_change(low_s: int, high_s: int, info: ZoneInfo) -> int:
    """The second in which the offset of `low_s` ends; at `high_s` it has ended."""
    offset_s = _offset_s(low_s, info)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        low_s, high_s = (middle_s, high_s) if _offset_s(middle_s, info) == offset_s else (low_s, middle_s)
    return high_s


def _offset_s(time_s: int, info: ZoneInfo) -> int:
    shift = dt.datetime.fromtimestamp(time_s, info).utcoffset()
    assert shift is not None
    return shift.days * _DAY_S + shift.seconds
