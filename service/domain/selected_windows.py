"""The windows of a selection, of a fixed length or of the calendar, and the whole ones of a range.

A month is a grid of its own with that one window, unless its neighbours have the same length: so a store needs no
calendar, and computes each grid with plain arithmetic.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby, pairwise

from service.domain.local_time import first_instant, shown_ns
from service.domain.selection import Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, floor_to
from service.domain.windows import Grid, grids

MOST_CALENDAR_WINDOWS = 1_200
"""A century of months. A store answers most of them one by one, so they cost more than windows of one length."""
_EPOCH = dt.datetime(1970, 1, 1)


def grids_of(span: TimeRange, windows: Windows) -> list[Grid]:
    """The windows of `span`, ascending and without gaps."""
    if windows.months:
        return _calendar_grids(span, windows.months, windows.zone)
    return grids(span, windows.every_ns, windows.zone)


def whole_windows(span: TimeRange, windows: Windows) -> TimeRange | None:
    """The part of `span` from its first edge of a window to its last: all windows in it are whole. None without any."""
    # An edge at the end of the span is one only inside of a wider range: the ends of grids are cuts.
    wider = TimeRange(max(span.start_ns - 1, EARLIEST_NS), min(span.stop_ns + 1, LATEST_NS + 1))
    pieces = grids_of(wider, windows)
    firsts = (_first_edge(piece, span.start_ns, wider) for piece in pieces)
    lasts = (_last_edge(piece, span.stop_ns, wider) for piece in reversed(pieces))
    first_ns = next((edge_ns for edge_ns in firsts if edge_ns is not None), None)
    last_ns = next((edge_ns for edge_ns in lasts if edge_ns is not None), None)
    if first_ns is None or last_ns is None or first_ns >= last_ns:
        return None
    return TimeRange(first_ns, last_ns)


def calendar_count(span: TimeRange, months: int) -> int:
    """How many windows of so many months touch `span` in UTC; in another zone at most one more or less."""
    return _month_number(span.stop_ns - 1) // months - _month_number(span.start_ns) // months + 1


def _month_number(time_ns: int) -> int:
    """Months since January 1970, in UTC."""
    date = _EPOCH + dt.timedelta(microseconds=time_ns // 1_000)
    return (date.year - 1970) * 12 + date.month - 1


def _first_edge(piece: Grid, from_ns: int, wider: TimeRange) -> int | None:
    """The first edge in `piece` that is not before `from_ns`. The ends of `wider` are not edges, but cuts."""
    lowest_ns = max(from_ns, piece.span.start_ns)
    if lowest_ns == piece.span.start_ns != wider.start_ns:
        return lowest_ns
    edge_ns = -floor_to(-lowest_ns, piece.every_ns, -piece.offset_ns)
    if edge_ns == wider.start_ns:
        edge_ns += piece.every_ns
    return edge_ns if edge_ns < piece.span.stop_ns else None


def _last_edge(piece: Grid, until_ns: int, wider: TimeRange) -> int | None:
    """The last edge in `piece` that is not after `until_ns`."""
    edge_ns = floor_to(min(until_ns, piece.span.stop_ns), piece.every_ns, piece.offset_ns)
    if edge_ns == wider.stop_ns:
        edge_ns -= piece.every_ns
    return edge_ns if edge_ns > piece.span.start_ns else None


def _calendar_grids(span: TimeRange, months: int, zone: str) -> list[Grid]:
    bounds = [span.start_ns, *_month_edges(span, months, zone), span.stop_ns]
    pieces = []
    for length_ns, group in groupby(pairwise(bounds), key=lambda window: window[1] - window[0]):
        windows = list(group)
        piece = TimeRange(windows[0][0], windows[-1][1])
        pieces.append(Grid(piece, length_ns, piece.start_ns % length_ns))
    return pieces


def _month_edges(span: TimeRange, months: int, zone: str) -> Iterator[int]:
    """The edges inside `span`, ascending."""
    number = _month_number(span.start_ns) // months * months
    while True:
        year, month = divmod(number, 12)
        edge_ns = first_instant(shown_ns(dt.datetime(1970 + year, month + 1, 1)), zone)
        if edge_ns is not None and edge_ns >= span.stop_ns:
            return
        if edge_ns is not None and edge_ns > span.start_ns:
            yield edge_ns
        if edge_ns is None and number >= 0:
            return
        number += months
