"""A chart as a picture: the bytes of an SVG or PNG, and what an answer says about the plot in it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from service.domain.durations import SECOND_NS
from service.errors import InvalidParameter
from service.pictures.chart import Chart
from service.pictures.figure import PlacedChart, figure_of, line_px
from service.pictures.library import png_of, svg_of
from service.pictures.look import Form, PlotBox
from service.pictures.placement import place
from service.pictures.svg_document import with_plain_head
from service.pictures.time_ticks import time_ticks
from service.pictures.value_ticks import value_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TIME_DISTANCE_PX, _FINE_TIME_DISTANCE_PX, _VALUE_DISTANCE_PX = 90, 130, 36
_FINE_NS = 10 * SECOND_NS
"""The labels of a shorter range have parts of a second, which take more room."""
MOST_LINE_PX = 60_000_000
"""The length of all lines in a PNG: some four seconds of drawing, for which all other pictures wait."""


@dataclass(frozen=True)
class Picture:
    """A placed chart. It is drawn when its bytes are asked for; the same chart gives the same bytes."""

    placed: PlacedChart

    @classmethod
    def of(cls, chart: Chart) -> "Picture":
        placement = place(chart)
        lowest = min((float(series.values.min()) for series in chart.series), default=0.0)
        highest = max((float(series.values.max()) for series in chart.series), default=1.0)
        axis = value_axis(lowest, highest, max(2, placement.box.height // _VALUE_DISTANCE_PX))
        distance_px = _FINE_TIME_DISTANCE_PX if chart.span.length_ns < _FINE_NS else _TIME_DISTANCE_PX
        times = time_ticks(chart.span, chart.zone, max(2, placement.box.width // distance_px))
        return cls(PlacedChart(chart, placement, axis, tuple(times)))

    @property
    def box(self) -> PlotBox:
        """Where the plot is. Its left edge is the start of the range, its right edge the stop."""
        return self.placed.placement.box

    @property
    def values(self) -> tuple[float, float]:
        """The values at the lower and the upper edge of the plot."""
        return self.placed.axis.low, self.placed.axis.high

    def drawn(self, check: Callable[[], object] = lambda: None) -> bytes:
        """The picture in the form that its look names. An SVG has no scripts and no references to other documents.

        `check` is called when the wait for other pictures is over, and may raise. Raises InvalidParameter: the lines of
        a PNG would take too long to draw.
        """
        chart = self.placed.chart
        if chart.look.form is Form.PNG:
            _refuse_too_long(line_px(self.placed), len(chart.series))
            return png_of(partial(_checked_figure, self.placed, check))
        document = svg_of(partial(_checked_figure, self.placed, check))
        return with_plain_head(document, chart.look, f"{chart.title}: {chart.subtitle}")


def _checked_figure(placed: PlacedChart, check: Callable[[], object]) -> "Figure":
    check()
    return figure_of(placed)


def _refuse_too_long(length_px: float, series: int) -> None:
    if length_px > MOST_LINE_PX:
        lines = f"The lines of the {series} series go up and down so much that they are {length_px / 1e6:,.0f} million"
        advice = "Ask for a smaller picture, for fewer series, for format=svg, or for means with every= and fn=mean."
        raise InvalidParameter("height", f"{lines} pixels long, and a PNG draws {MOST_LINE_PX / 1e6:,.0f}. {advice}")
