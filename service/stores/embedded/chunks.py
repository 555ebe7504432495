"""Cuts a range into chunks of bounded size, along the edges of windows.

A read takes one chunk after the other, so its memory does not grow with its length. A histogram says where the rows
are. Where many rows are close together, a finer one is asked for. A range without rows costs nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.domain.timerange import TimeRange, floor_to
from service.domain.windows import Grid
from service.stores.duckdb_windows import Bins

_BINS = 512
_WIDE_NS = 2**62
"""Differences of times up to this, plus a window of half of it, fit 64 bits."""
LONGEST_COUNTED_NS = 2**61

Histogram = Callable[[Bins], list[tuple[int, int]]]
"""The bins that hold rows, ascending, each with its number of rows (or what they weigh)."""


@dataclass(frozen=True)
class Budget:
    """The weight of a chunk that is big enough. `window_most`: the most result rows of a window; None: no limit."""

    enough: int
    window_most: int | None

    def weight(self, rows: int, windows: int) -> int:
        return rows if self.window_most is None else min(rows, windows * self.window_most)


def chunks(grid: Grid, histogram: Histogram, budget: Budget) -> Iterator[Grid]:
    """Ascending pieces of `grid` that hold all of its rows, each within the budget unless it is one window."""
    if grid.count == 1 or (budget.window_most is not None and grid.count * budget.window_most <= budget.enough):
        yield from _countable(grid)
        return
    for stretch in _countable(grid):
        yield from _by_weight(stretch, histogram, budget)


def within(grid: Grid, extent: TimeRange) -> Grid | None:
    """The windows of `grid` that touch `extent`. Their time stamps stay what they were."""
    common = grid.span.intersect(extent)
    if common is None:
        return None
    start_ns = floor_to(common.start_ns, grid.every_ns, grid.offset_ns)
    stop_ns = -floor_to(-common.stop_ns, grid.every_ns, -grid.offset_ns)
    return _cut(grid, max(start_ns, grid.span.start_ns), min(stop_ns, grid.span.stop_ns))


def _cut(grid: Grid, start_ns: int, stop_ns: int) -> Grid:
    return Grid(TimeRange(start_ns, stop_ns), grid.every_ns, grid.offset_ns)


def _countable(grid: Grid) -> Iterator[Grid]:
    """Pieces in which the number of a time's window can be computed in 64 bits."""
    if grid.count == 1 or (grid.span.length_ns <= _WIDE_NS and grid.every_ns <= LONGEST_COUNTED_NS):
        yield grid
        return
    middle_ns = floor_to((grid.span.start_ns + grid.span.stop_ns) // 2, grid.every_ns, grid.offset_ns)
    if middle_ns <= grid.span.start_ns:
        middle_ns += grid.every_ns
    yield from _countable(_cut(grid, grid.span.start_ns, middle_ns))
    yield from _countable(_cut(grid, middle_ns, grid.span.stop_ns))


def _by_weight(grid: Grid, histogram: Histogram, budget: Budget) -> Iterator[Grid]:
    if grid.count == 1:
        yield grid
        return
    bins = Bins(grid, -(-grid.count // _BINS))
    open_from: int | None = None
    last = total = 0
    for place, rows in histogram(bins):
        weight = budget.weight(rows, bins.windows)
        too_heavy = weight > budget.enough and bins.windows > 1
        if open_from is not None and (too_heavy or total + weight > budget.enough):
            yield _piece(bins, open_from, last)
            open_from = None
        if too_heavy:
            yield from _by_weight(_piece(bins, place, place), histogram, budget)
            continue
        if open_from is None:
            open_from, total = place, 0
        last, total = place, total + weight
    if open_from is not None:
        yield _piece(bins, open_from, last)


def _piece(bins: Bins, first_bin: int, last_bin: int) -> Grid:
    span = bins.span(first_bin, last_bin)
    return _cut(bins.grid, span.start_ns, span.stop_ns)
