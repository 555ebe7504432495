"""A placed chart as a figure of the drawing library: lines and texts at the pixels that they have.

Nothing is left to the library to place, so the plot lies where the answer says that it does. Positions are rounded to
a tenth of a pixel, which nobody sees and which halves an SVG.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from service.pictures.chart import Chart
from service.pictures.library import INCH, font
from service.pictures.look import Form
from service.pictures.pixel_columns import Columns, Numbers, PixelColumns, line_breaks
from service.pictures.placement import SWATCH_PX, TEXT_PX, PlacedText, Placement
from service.pictures.series_points import SeriesPoints
from service.pictures.texts import cut_to_width, printable, width_px
from service.pictures.themes import COLOURS, Dashes, stroke
from service.pictures.time_ticks import TimeTick
from service.pictures.value_ticks import ValueAxis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLE_PX, _SUBTITLE_PX = 16, 12
_MARGIN_PX = 16
"""The texts above the plot stand so far from the edges of the picture."""
_LINE_PX, _DOT_PX = 1.4, 3.6
_LONGEST_TEXT = 300
_MOST_AT_ONCE = 200
"""So many points of a line become pixels in one go: at most some 5 ms for a large picture."""
Coordinates = Sequence[float] | Numbers


@dataclass(frozen=True)
class PlacedChart:
    """A chart, where its parts stand, its axis of values and the ticks of its axis of time."""

    chart: Chart
    placement: Placement
    axis: ValueAxis
    times: tuple[TimeTick, ...]


def figure_of(placed: PlacedChart) -> "Figure":
    """The figure. The library is loaded."""
    from matplotlib.figure import Figure

    look = placed.chart.look
    colours = COLOURS[look.theme]
    figure = Figure(figsize=(look.width / INCH, look.height / INCH), dpi=INCH, facecolor=colours.ground)
    sheet = _Sheet(figure, look.height)
    _draw_axes(sheet, placed)
    for number, series in enumerate(placed.chart.series):
        _draw_series(sheet, placed, series, *stroke(colours, number))
    _draw_texts(sheet, placed)
    _draw_legend(sheet, placed)
    return figure


def line_px(placed: PlacedChart) -> float:
    """How long all lines together are, in pixels: what it costs to make pixels of them grows with it."""
    points = (_points_px(placed, series) for series in placed.chart.series)
    return sum(float(np.hypot(np.diff(lefts), np.diff(tops)).sum()) for lefts, tops in points)


class _Sheet:
    """A figure with pixels that count from its upper left corner."""

    def __init__(self, figure: "Figure", height: int) -> None:
        from matplotlib.transforms import IdentityTransform

        self._figure = figure
        self._height = height
        self._pixels = IdentityTransform()

    def line(
        self, lefts: Coordinates, tops: Coordinates, colour: str, width: float = 1.0, dashes: Dashes = "-"
    ) -> None:
        """A line through points; it is broken where one is NaN."""
        from matplotlib.lines import Line2D

        line = Line2D(
            lefts,
            self._up(tops),
            color=colour,
            linewidth=width,
            linestyle=dashes,
            solid_joinstyle="round",
            transform=self._pixels,
        )
        self._figure.add_artist(line)

    def dots(self, lefts: Coordinates, tops: Coordinates, colour: str) -> None:
        """A dot at each point."""
        from matplotlib.lines import Line2D

        dots = Line2D(
            lefts,
            self._up(tops),
            color=colour,
            linestyle="",
            marker="o",
            markersize=_DOT_PX,
            markeredgewidth=0,
            transform=self._pixels,
        )
        self._figure.add_artist(dots)

    def text(
        self,
        left: float,
        top: float,
        text: str,
        colour: str,
        size: float = TEXT_PX,
        side: str = "left",
        weight: str = "normal",
    ) -> None:
        """A text whose base line lies `top` below the upper edge. `side`: which part of it stands at `left`."""
        self._figure.text(
            round(left, 1),
            round(self._height - top, 1),
            text,
            color=colour,
            fontproperties=font(weight),
            fontsize=size,
            ha=side,
            va="baseline",
            transform=self._pixels,
            parse_math=False,
        )

    def _up(self, tops: Coordinates) -> Numbers:
        """Pixels of the library count from the lower edge."""
        return self._height - np.asarray(tops, dtype=np.float64)


def _draw_axes(sheet: _Sheet, placed: PlacedChart) -> None:
    chart, box = placed.chart, placed.placement.box
    colours = COLOURS[chart.look.theme]
    right, bottom = box.left + box.width, box.top + box.height
    for value, label in placed.axis.ticks if chart.series else ():
        top = round(bottom - placed.axis.share(value) * box.height) + 0.5
        sheet.line([box.left, right], [top, top], colours.faint)
        sheet.text(box.left - 8, top + 4, label, colours.muted, side="right")
    columns = PixelColumns(chart.span, box.width)
    for tick in placed.times:
        left = round(box.left + float(columns.positions(np.array([tick.time_ns]))[0])) + 0.5
        sheet.line([left, left], [box.top, bottom], colours.faint)
        sheet.line([left, left], [bottom, bottom + 5], colours.axis)
        for top, label in ((bottom + 18, tick.label), (bottom + 33, tick.below)):
            middle = min(left, chart.look.width - 4 - width_px(label, TEXT_PX) / 2)
            sheet.text(middle, top, label, colours.muted, side="center")
    sheet.line([box.left, right], [bottom + 0.5, bottom + 0.5], colours.axis)


def _draw_series(sheet: _Sheet, placed: PlacedChart, series: SeriesPoints, colour: str, dashes: Dashes) -> None:
    """The line, and a dot for each point that no line reaches."""
    columns = PixelColumns(placed.chart.span, placed.placement.box.width)
    lefts, tops = _points_px(placed, series)
    breaks = line_breaks(columns.columns(series.times))
    broken_lefts, broken_tops = (np.insert(numbers, breaks, np.nan) for numbers in (lefts, tops))
    for piece in _pieces(len(broken_lefts), placed.chart.look.form):
        sheet.line(broken_lefts[piece], broken_tops[piece], colour, _LINE_PX, dashes)
    alone = _alone(lefts, tops, breaks)
    if len(alone):
        sheet.dots(lefts[alone], tops[alone], colour)


def _points_px(placed: PlacedChart, series: SeriesPoints) -> tuple[Numbers, Numbers]:
    """How far right and how far down each point of a series stands."""
    box = placed.placement.box
    positions = PixelColumns(placed.chart.span, box.width).positions(series.times)
    tops = box.top + (1 - placed.axis.shares(series.values)) * box.height
    return np.round(box.left + positions, 1), np.round(tops, 1)


def _pieces(count: int, form: Form) -> Iterator[slice]:
    """Parts of a line of `count` points, each of which begins at the end of the one before. An SVG has it in one piece.

    While pixels are made of a line, no other thread of the process goes on.
    """
    length = _MOST_AT_ONCE if form is Form.PNG else count
    yield from (slice(start, start + length + 1) for start in range(0, count, max(length, 1)))


def _alone(lefts: Numbers, tops: Numbers, breaks: Columns) -> list[int]:
    """The first point of each piece of a line that is too short to be seen."""
    edges = [0, *breaks.tolist(), len(lefts)]
    return [
        start
        for start, stop in pairwise(edges)
        if start < stop and np.ptp(lefts[start:stop]) < 1 and np.ptp(tops[start:stop]) < 1
    ]


def _draw_texts(sheet: _Sheet, placed: PlacedChart) -> None:
    chart, box = placed.chart, placed.placement.box
    colours = COLOURS[chart.look.theme]
    width = chart.look.width - 2 * _MARGIN_PX
    if chart.look.title:
        title, subtitle = _line(chart.title, width, _TITLE_PX), _line(chart.subtitle, width, _SUBTITLE_PX)
        sheet.text(_MARGIN_PX, 24, title, colours.text, _TITLE_PX, weight="bold")
        sheet.text(_MARGIN_PX, 42, subtitle, colours.muted, _SUBTITLE_PX)
    above = f"above {placed.axis.base}" if placed.axis.base else ""
    if unit := " ".join(filter(None, (chart.unit, above))):
        sheet.text(_MARGIN_PX, box.top - 8, _line(unit, box.width, TEXT_PX), colours.muted)
    middle = box.top + box.height / 2
    for number, line in enumerate(chart.empty):
        size, colour = (14, colours.text) if number == 0 else (TEXT_PX, colours.muted)
        text = _line(line, box.width, size)
        sheet.text(box.left + box.width / 2, middle + 20 * number, text, colour, size, side="center")


def _line(text: str, width: float, size_px: float) -> str:
    """As much of a text as one line of this width shows."""
    return cut_to_width(printable(text, _LONGEST_TEXT), width, size_px)


def _draw_legend(sheet: _Sheet, placed: PlacedChart) -> None:
    placement = placed.placement
    colours = COLOURS[placed.chart.look.theme]
    for number, entry in enumerate(placement.entries):
        colour, dashes = stroke(colours, number)
        sheet.line([entry.left, entry.left + SWATCH_PX - 8], [entry.top - 4, entry.top - 4], colour, 2.4, dashes)
        sheet.text(entry.left + SWATCH_PX, entry.top, entry.text, colours.text)
    if placement.more is not None:
        _draw_placed(sheet, [placement.more], colours.muted)
    _draw_placed(sheet, placement.notes, colours.warning)


def _draw_placed(sheet: _Sheet, texts: Iterable[PlacedText], colour: str) -> None:
    for text in texts:
        sheet.text(text.left, text.top, text.text, colour)
