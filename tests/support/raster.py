"""Draws a line chart into pixels, point by point and without any smoothing: the plainest drawing that there is."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from service.domain.chart_windows import ChartWindows

Pixel = tuple[int, int]


def line_chart(points: Iterable[tuple[int, float]], chart: ChartWindows, height: int, top: float) -> set[Pixel]:
    """The pixels of the line through `points` (time in ns, value from -`top` to `top`), which ascend in time.

    A point is drawn in the pixel that holds it, and neighbours are joined by Bresenham's line.
    """
    pixels = [
        (chart.column_of(time_ns), min(int((value + top) / (2 * top) * height), height - 1))
        for time_ns, value in points
    ]
    return {*pixels, *(pixel for first, second in pairwise(pixels) for pixel in _line(first, second))}


def _line(first: Pixel, second: Pixel) -> Iterator[Pixel]:
    """Bresenham's line in all directions (J. E. Bresenham, 1965)."""
    (x, y), (last_x, last_y) = first, second
    width, height = abs(last_x - x), -abs(last_y - y)
    step_x, step_y = (1 if x < last_x else -1), (1 if y < last_y else -1)
    error = width + height
    while (x, y) != (last_x, last_y):
        yield x, y
        doubled = 2 * error
        if doubled >= height:
            error, x = error + height, x + step_x
        if doubled <= width:
            error, y = error + width, y + step_y
    yield x, y
