"""A chart as a picture: the bytes of an SVG or PNG, and what an answer says about the plot in it."""

from dataclasses import dataclass
from functools import partial

from service.pictures.chart import Chart
from service.pictures.figure import PlacedChart, figure_of
from service.pictures.library import png_of, svg_of
from service.pictures.look import Form, PlotBox
from service.pictures.placement import place
from service.pictures.svg_document import with_plain_head
from service.pictures.time_ticks import time_ticks
from service.pictures.value_ticks import value_axis

_TIME_DISTANCE_PX, _VALUE_DISTANCE_PX = 90, 36


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
        times = time_ticks(chart.span, chart.zone, max(2, placement.box.width // _TIME_DISTANCE_PX))
        return cls(PlacedChart(chart, placement, axis, tuple(times)))

    @property
    def box(self) -> PlotBox:
        """Where the plot is. Its left edge is the start of the range, its right edge the stop."""
        return self.placed.placement.box

    @property
    def values(self) -> tuple[float, float]:
        """The values at the lower and the upper edge of the plot."""
        return self.placed.axis.low, self.placed.axis.high

    def drawn(self) -> bytes:
        """The picture in the form that its look names. An SVG has no scripts and no references to other documents."""
        chart = self.placed.chart
        if chart.look.form is Form.PNG:
            return png_of(partial(figure_of, self.placed))
        document = svg_of(partial(figure_of, self.placed))
        return with_plain_head(document, chart.look, f"{chart.title}: {chart.subtitle}")
