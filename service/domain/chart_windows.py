"""Windows that are the pixel columns of a chart, so that `fn=m4` draws what all points would draw.

A window that lay in two columns would put its highest point into one of them, whichever column that point is in.
Windows of a read lie on the grid from 1970, so the chart begins and ends on that grid: its range is a little longer
than the one that was asked for.
"""

from dataclasses import dataclass

from service.domain.durations import EVERY_UNIT_NS, format_every
from service.domain.timerange import EVER, TimeRange, floor_to
from service.errors import InvalidParameter

LEAST_WIDTH = 8
_STEPS = 100
"""A column is a whole number of the longest unit of which it holds so many: it is rounded up by at most a hundredth."""


@dataclass(frozen=True)
class ChartWindows:
    """`columns` windows of `every_ns` from `start_ns` on, in UTC: window number `n` is pixel column `n`.

    A time is drawn at `(time_ns - start_ns) / every_ns` pixels from the left edge of the plot. Windows lie on the grid
    of `Windows(every_ns, zone="UTC")`, so a read with another zone does not fit; times may be printed in any.
    """

    every_ns: int
    start_ns: int
    columns: int

    @property
    def stop_ns(self) -> int:
        return self.start_ns + self.columns * self.every_ns

    @property
    def every(self) -> str:
        """As the parameter `every` of a read says it."""
        return format_every(self.every_ns)

    @property
    def span(self) -> TimeRange:
        """What to read. Where the chart reaches beyond the times that can be stored, the rest of it stays empty."""
        return TimeRange(max(self.start_ns, EVER.start_ns), min(self.stop_ns, EVER.stop_ns))

    def column_of(self, time_ns: int) -> int:
        """The pixel column of a time in the chart, from 0 on."""
        return (time_ns - self.start_ns) // self.every_ns


def chart_windows(span: TimeRange, width: int) -> ChartWindows:
    """Windows for a chart of `span` that is `width` pixels wide: one window for each pixel column, and all of `span`.

    `every` depends on the length of `span` and on `width` alone, so a chart that moves on with the time reads the same
    windows again. The chart begins less than one column before `span`, and ends at most two columns and a hundredth of
    its length after it; a span of so few nanoseconds that it has less than 100 for each column, perhaps later.

    Raises InvalidParameter: `width` is below 8.
    """
    if width < LEAST_WIDTH:
        raise InvalidParameter("width", f"width={width} is too narrow for a chart. {LEAST_WIDTH} pixels are the least.")
    every_ns = _rounded_up(-(-span.length_ns // (width - 1)))
    return ChartWindows(every_ns, floor_to(span.start_ns, every_ns), width)


def _rounded_up(length_ns: int) -> int:
    """The length as a whole number of a unit of time."""
    unit_ns = max((unit_ns for unit_ns in EVERY_UNIT_NS.values() if unit_ns * _STEPS <= length_ns), default=1)
    return -(-length_ns // unit_ns) * unit_ns
