"""Draws series in the terminal: dots of braille signs, with the same axes, labels and gaps as a picture has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.timerange import TimeRange
from service.pictures.labels import labels
from service.pictures.pixel_columns import PixelColumns, line_breaks
from service.pictures.series_points import SeriesPoints
from service.pictures.texts import printable
from service.pictures.time_ticks import time_ticks
from service.pictures.value_ticks import ValueAxis, value_axis

COLOURS = (
    "cyan",
    "yellow",
    "green",
    "magenta",
    "bright_blue",
    "red",
    "white",
    "bright_cyan",
    "bright_yellow",
    "bright_green",
    "bright_magenta",
    "bright_red",
)
"""Colours that each terminal has. So many series are drawn."""
_LABEL_LETTERS = 10
_TICK_LETTERS = 12
_LINES_PER_TICK = 4
_DOTS_ACROSS, _DOTS_UP = 2, 4
"""The dots of a braille sign."""


@dataclass(frozen=True)
class TerminalSize:
    """The plot: how many letters are beside each other, and how many lines below each other."""

    width: int
    height: int

    @classmethod
    def of_terminal(cls, columns: int, lines: int) -> "TerminalSize":
        """The size that fits beside the labels, and leaves room for the title and the legend."""
        return cls(max(columns - _LABEL_LETTERS - 3, 20), max(min(lines - 10, 30), 6))

    @property
    def columns(self) -> int:
        """The columns of dots, which show the range."""
        return _DOTS_ACROSS * self.width


def terminal_chart(series: Sequence[SeriesPoints], span: TimeRange, zone: str, size: TerminalSize) -> list[str]:
    """The plot of at least one series, its axes and its legend, line by line. Colours are for terminals alone."""
    lowest = min(float(each.values.min()) for each in series)
    highest = max(float(each.values.max()) for each in series)
    axis = value_axis(lowest, highest, max(size.height // _LINES_PER_TICK, 2))
    rows = _plot(series, span, axis, size)
    marks = _value_marks(axis, size.height)
    lines = [
        f"{marks.get(number, ''):>{_LABEL_LETTERS}} {'┤' if number in marks else '│'}{row}"
        for number, row in enumerate(rows)
    ]
    base = [f"above {axis.base}"] if axis.base else []
    return [*base, *lines, *_time_lines(span, zone, size), *_legend(series)]


def _plot(series: Sequence[SeriesPoints], span: TimeRange, axis: ValueAxis, size: TerminalSize) -> list[str]:
    from plotille import Canvas

    columns = PixelColumns(span, size.columns)
    dots_up = _DOTS_UP * size.height
    canvas = Canvas(size.width, size.height, xmin=0, ymin=0, xmax=size.columns, ymax=dots_up)
    for each, colour in zip(series, COLOURS, strict=False):
        lefts = columns.columns(each.times)
        ups = np.rint(axis.shares(each.values) * (dots_up - 1)).astype(int)
        for piece in np.split(np.arange(len(lefts)), line_breaks(lefts)):
            points = list(zip(lefts[piece].tolist(), ups[piece].tolist(), strict=True))
            for start, stop in zip(points, points[1:] or points, strict=False):
                canvas.line(*start, *stop, color=colour)
    return str(canvas.plot("\n")).split("\n")


def _value_marks(axis: ValueAxis, height: int) -> dict[int, str]:
    """The labels of values by the line that they stand beside."""
    last = height - 1
    return {last - int(axis.share(value) * (height - 1) + 0.5): label[:_LABEL_LETTERS] for value, label in axis.ticks}


def _time_lines(span: TimeRange, zone: str, size: TerminalSize) -> list[str]:
    """The axis of time, and two lines of labels below it; a label that has no room is left out."""
    columns = PixelColumns(span, size.width)
    rule, upper, lower = ["─"] * size.width, _Line(size.width), _Line(size.width)
    for tick in time_ticks(span, zone, max(size.width // _TICK_LETTERS, 1)):
        at = int(columns.columns(np.array([tick.time_ns]))[0])
        rule[at] = "┬"
        upper.put(at, tick.label)
        lower.put(at, tick.below)
    margin = " " * (_LABEL_LETTERS + 1)
    texts = [f"{margin} {line}".rstrip() for line in (upper, lower)]
    return [f"{margin}└{''.join(rule)}", *(text for text in texts if text)]


class _Line:
    """A line of `width` letters on which texts stand apart from each other."""

    def __init__(self, width: int) -> None:
        self._text = ""
        self._width = width

    def put(self, middle: int, text: str) -> None:
        """Put `text` around `middle`, unless it would touch the one before or the end."""
        start = max(middle - len(text) // 2, 0)
        has_room = start + len(text) <= self._width and (not self._text or start > len(self._text))
        if text and has_room:
            self._text = self._text.ljust(start) + text

    def __str__(self) -> str:
        return self._text


def _legend(series: Sequence[SeriesPoints]) -> list[str]:
    from plotille import color

    margin = " " * (_LABEL_LETTERS + 2)
    names = [printable(label, 200) for label in labels(series)]
    return [f"{margin}{color('━━', fg=colour)} {name}" for name, colour in zip(names, COLOURS, strict=False)]
