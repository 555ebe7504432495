"""Which points of a series make a difference in a picture, and where its line is broken.

A range is shown by columns of pixels. Of all points of a column, the first, the last, the lowest and the highest make
the same picture as all of them (M4: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", 2014).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.domain.timerange import TimeRange

Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Columns = npt.NDArray[np.int64]
"""The column of each point."""
_LONG_DISTANCES = 3
"""A line is broken where neighbours are further apart than so many usual distances, and than so many columns."""
_USUAL_SHARE = 0.75
"""The usual distance of a series is the one that this share of its neighbours keeps."""


@dataclass(frozen=True)
class PixelColumns:
    """`count` columns of one pixel that show `span`."""

    span: TimeRange
    count: int

    def positions(self, times: Times) -> Numbers:
        """How far right of the plot's left edge each time lies, in pixels: from 0 to `count`."""
        # The difference may take 64 bits, which only unsigned numbers hold.
        since_start = (times - np.int64(self.span.start_ns)).view(np.uint64)
        positions: Numbers = since_start.astype(np.float64) * (self.count / self.span.length_ns)
        return positions

    def columns(self, times: Times) -> Columns:
        """The column of each time."""
        columns = self.positions(times).astype(np.int64)
        return np.minimum(columns, self.count - 1)


def visible_points(columns: Columns, values: Numbers) -> npt.NDArray[np.int64]:
    """The indices of the points that make a difference, ascending: at most four of each column.

    `columns` ascend; `values` are finite.
    """
    if not len(columns):
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(columns)) + 1])
    ends = np.concatenate([starts[1:], [len(columns)]]) - 1
    by_value = np.lexsort((values, columns))
    return np.unique(np.concatenate([starts, ends, by_value[starts], by_value[ends]]))


def line_breaks(columns: Columns) -> npt.NDArray[np.int64]:
    """The indices of points before which the line of a series is broken, ascending. `columns` ascend.

    The distance of neighbours is counted in columns that have points. A line is broken where it is longer than three
    columns, and longer than three times the distance that three of four neighbours keep.
    """
    distances = np.diff(columns)
    apart = np.sort(distances[distances > 0])
    if not len(apart):
        return np.zeros(0, np.int64)
    usual = int(apart[max(0, int(np.ceil(_USUAL_SHARE * len(apart))) - 1)])
    return np.flatnonzero(distances > _LONG_DISTANCES * max(usual, 1)) + 1
