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
"""The changes of a zone are computed for about twenty years at a time, and kept."""
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

    A window begins at the first instant at which the local clock shows its edge, or a later time, as in Flux. So an
    edge in the hour that spring skips is the instant of the change. Where the clock goes back, a time that comes twice
    is an edge the first time only: the window before the change lasts until the clock is new again.
    """
    pieces: list[Grid] = []
    open_ns = span.start_ns
    for segment in _new_times(TimeRange(max(span.start_ns - _DAY_NS, EARLIEST_NS), span.stop_ns), zone):
        new_ns, origin_ns = segment.new_ns, -segment.offset_ns % every_ns
        is_edge = floor_to(new_ns, every_ns, origin_ns) >= new_ns - segment.skipped_ns
        if is_edge and new_ns > open_ns:
            pieces.append(_single(TimeRange(open_ns, new_ns)))
            open_ns = new_ns
        is_last = segment.stop_ns == span.stop_ns
        first_ns = floor_to(max(new_ns, open_ns), every_ns, origin_ns) + every_ns
        last_ns = span.stop_ns if is_last else floor_to(segment.stop_ns - 1, every_ns, origin_ns)
        if last_ns < first_ns and not is_last:
            continue
        if first_ns - open_ns > every_ns and first_ns <= last_ns:
            pieces.append(_single(TimeRange(open_ns, first_ns)))
            open_ns = first_ns
        if first_ns - open_ns <= every_ns and open_ns < last_ns:
            pieces.append(Grid(TimeRange(open_ns, last_ns), every_ns, origin_ns))
            open_ns = last_ns
    if open_ns < span.stop_ns:
        pieces.append(_single(TimeRange(open_ns, span.stop_ns)))
    return pieces


@dataclass(frozen=True)
class _NewTimes:
    """A stretch in which the local clock has `offset_ns` and shows times for the first time, from `new_ns` on.

    `skipped_ns`: how much local time the clock jumped over at `new_ns`.
    """

    new_ns: int
    stop_ns: int
    offset_ns: int
    skipped_ns: int


def _new_times(span: TimeRange, zone: str) -> Iterator[_NewTimes]:
    shown_ns: int | None = None
    for segment, offset_ns in clock_segments(span, zone):
        first_ns = segment.start_ns + offset_ns
        shown_ns = first_ns if shown_ns is None else shown_ns
        new_ns = max(segment.start_ns, shown_ns - offset_ns)
        if new_ns < segment.stop_ns:
            yield _NewTimes(new_ns, segment.stop_ns, offset_ns, max(0, first_ns - shown_ns))
            shown_ns = segment.stop_ns + offset_ns


def surely_more_than(most: int, span: TimeRange, every_ns: int) -> bool:
    """Whether `span` has more windows than `most` in every zone, without looking at a clock.

    A change of the clock makes at most two windows one, or takes away those of an hour (in Alaska and Manila, a day)
    that comes twice.
    """
    return span.length_ns - 2 * _DAY_NS > 2 * most * every_ns


def _single(window: TimeRange) -> Grid:
    return Grid(window, window.length_ns, window.start_ns % window.length_ns)


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

    The search steps by a day, which takes milliseconds for an era, so the result is kept. Tz data have changes within
    weeks of each other (Ramadan in Africa/Casablanca), but never two within a day that cancel each other.
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
