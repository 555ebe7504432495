"""In which order the rows of a windowed read come, said before the read: what puts pieces together needs it.

Rows come by measurement, as the plan has them, then by grid of windows, by section, by series, by time. Where complete
rows are asked for, a store may give a grid in runs of windows instead, one after the other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.domain.series import Tags
from service.domain.timerange import TimeRange
from service.domain.windows import Grid
from service.frames.frame import Block

SeriesSortKey = tuple[Any, ...]
"""Sorts and hashes; keys of one section compare with each other."""
_FIRST_RUN = 64
_RUN_ROWS = 200_000
"""About how many rows a block of complete rows has. The first run of windows shows how many windows that is."""


@dataclass(frozen=True)
class RowOrder:
    """`sections`: the number of each measurement and field. `series_key` sorts the series of a section: it is called
    with the tag keys of the measurement, the tags of the series, and the field. `has_runs`: complete rows come in runs.
    """

    sections: Mapping[tuple[str, str], int]
    series_key: Callable[[tuple[str, ...], Tags, str], SeriesSortKey]
    has_runs: bool


def in_runs(grid: Grid, read: Callable[[Grid], Block]) -> Iterator[Block]:
    """What `read` gives for the windows of `grid`, run by run. A run without rows gives no block."""
    start_ns, windows = grid.span.start_ns, _FIRST_RUN
    while start_ns < grid.span.stop_ns:
        run = run_of(grid, start_ns, windows)
        block = read(run)
        if block:
            yield block
        rows = sum(frame.num_rows for frame in block)
        windows = max(1, min(windows * 16, windows * _RUN_ROWS // max(rows, 1)))
        start_ns = run.span.stop_ns


def run_of(grid: Grid, start_ns: int, windows: int) -> Grid:
    """At most `windows` windows of `grid` from `start_ns` on, which is its start or an edge."""
    first_ns = start_ns - (start_ns - grid.offset_ns) % grid.every_ns
    stop_ns = min(first_ns + windows * grid.every_ns, grid.span.stop_ns)
    return replace(grid, span=TimeRange(start_ns, stop_ns))
