"""Where kept windows lie: which whole windows of a range are settled, the blocks they belong to, and what is asked.

Blocks lie on the grid of windows that are so many times longer, so each edge of a block is an edge of a window, and the
same window is in the same block whatever range is read. All of it is arithmetic on ranges; nothing reads a clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from service.domain.durations import LONGEST_NS, SECOND_NS
from service.domain.selected_windows import grids_of, whole_windows
from service.domain.selection import Windows
from service.domain.timerange import TimeRange, floor_to, merge, subtract
from service.domain.windows import Grid

_MINUTE_NS, _DAY_NS = 60 * SECOND_NS, 86_400 * SECOND_NS
_SHORT_WINDOWS, _LONG_WINDOWS, _CALENDAR_WINDOWS = 512, 64, 12
"""How many windows a block has: of less than a minute, of a minute or more, of the calendar."""
_FAR_NS = 2**62
"""Windows nearer to the ends of time have edges that no store can hold."""
RETENTION_MARGIN_NS = _MINUTE_NS
"""How far behind the end of a retention windows are taken for whole: the store's clock runs on during a read."""


@dataclass(frozen=True)
class Bounds:
    """From when to when windows may be kept: `oldest_ns` is where the retention ends, `settled_ns` where data may still
    change. `oldest_ns` None: nothing is ever removed.
    """

    oldest_ns: int | None
    settled_ns: int


def keepable(span: TimeRange, windows: Windows, bounds: Bounds) -> TimeRange | None:
    """The whole windows of `span` that are settled and inside the retention, as one range; None without any."""
    start_ns = span.start_ns
    if bounds.oldest_ns is not None:
        start_ns = max(start_ns, bounds.oldest_ns + RETENTION_MARGIN_NS)
    stop_ns = min(span.stop_ns, bounds.settled_ns)
    return whole_windows(TimeRange(start_ns, stop_ns), windows) if start_ns < stop_ns else None


def is_far(span: TimeRange, windows: Windows) -> bool:
    """Whether the range or its windows lie where edges of windows may lie outside of time."""
    return span.start_ns < -_FAR_NS or span.stop_ns > _FAR_NS or windows.every_ns > _FAR_NS // _SHORT_WINDOWS


def block_windows(windows: Windows) -> Windows:
    """The windows whose edges are the edges of blocks."""
    if windows.months:
        return replace(windows, months=windows.months * _CALENDAR_WINDOWS)
    number = _SHORT_WINDOWS if windows.every_ns < _MINUTE_NS else _LONG_WINDOWS
    return replace(windows, every_ns=windows.every_ns * number)


def block_count(span: TimeRange, windows: Windows) -> int:
    """About how many blocks `span` touches, without looking at a clock."""
    length = block_windows(windows)
    return span.length_ns // (length.every_ns or length.months * 28 * _DAY_NS) + 2


def blocks_of(span: TimeRange, windows: Windows) -> list[TimeRange]:
    """The blocks that `span` touches, ascending and without gaps, each as a whole."""
    length = block_windows(windows)
    if windows.zone == "UTC" and not windows.months:
        start_ns = floor_to(span.start_ns, length.every_ns)
        edges = [*range(start_ns, span.stop_ns, length.every_ns)]
        return [TimeRange(edge_ns, edge_ns + length.every_ns) for edge_ns in edges]
    margin_ns = min((length.every_ns or length.months * 31 * _DAY_NS) + 2 * _DAY_NS, LONGEST_NS)
    wider = whole_windows(TimeRange(span.start_ns - margin_ns, span.stop_ns + margin_ns), length)
    assert wider is not None
    blocks = [TimeRange(first, last) for grid in grids_of(wider, length) for first, last in pairwise(edges_of(grid))]
    return [block for block in blocks if block.intersect(span) is not None]


def edges_of(grid: Grid) -> list[int]:
    """The edges of the windows of a grid, with both ends of its span."""
    span = grid.span
    inner = range(floor_to(span.start_ns, grid.every_ns, grid.offset_ns) + grid.every_ns, span.stop_ns, grid.every_ns)
    return [span.start_ns, *inner, span.stop_ns]


def window_count(spans: Iterable[TimeRange], windows: Windows) -> int:
    """How many windows touch these ranges."""
    return sum(grid.count for span in spans for grid in grids_of(span, windows))


def requests(
    missing: Sequence[TimeRange], blocks: Sequence[TimeRange], nearest_ns: int, most_blocks: int
) -> list[TimeRange]:
    """What to ask for, so that `missing` is covered by few queries, ascending.

    Ranges that are at most `nearest_ns` apart are asked in one query. One that has more than `most_blocks` edges of
    `blocks` in it is cut at such edges.
    """
    joined: list[TimeRange] = []
    for piece in merge(missing):
        if joined and piece.start_ns - joined[-1].stop_ns <= nearest_ns:
            joined[-1] = TimeRange(joined[-1].start_ns, piece.stop_ns)
        else:
            joined.append(piece)
    return [part for piece in joined for part in _sliced(piece, blocks, most_blocks)]


def _sliced(piece: TimeRange, blocks: Sequence[TimeRange], most_blocks: int) -> list[TimeRange]:
    inner = [block.start_ns for block in blocks if piece.start_ns < block.start_ns < piece.stop_ns]
    cuts = [piece.start_ns, *inner[most_blocks - 1 :: most_blocks], piece.stop_ns]
    return [TimeRange(start_ns, stop_ns) for start_ns, stop_ns in pairwise(cuts)]


def crop(ranges: Iterable[TimeRange], span: TimeRange) -> list[TimeRange]:
    """The parts of `ranges` inside `span`."""
    return [part for piece in ranges if (part := piece.intersect(span)) is not None]


def uncovered(spans: Iterable[TimeRange], known: Sequence[TimeRange]) -> list[TimeRange]:
    """The parts of `spans` that no range of `known` covers, ascending."""
    return merge(part for span in spans for part in subtract(span, known))
