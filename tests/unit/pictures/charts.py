"""Charts for the tests of pictures."""

import numpy as np

from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.pictures.chart import Chart
from service.pictures.look import Look
from service.pictures.series_points import SeriesPoints

SECOND_NS = 1_000_000_000
START_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01T00:00:00Z."""
DAY = TimeRange(START_NS, START_NS + 86_400 * SECOND_NS)


def series(name: str, values: list[float], every_s: int = 600, **tags: str) -> SeriesPoints:
    """A series of the measurement `site` from the start of the day on."""
    times = START_NS + np.arange(len(values), dtype=np.int64) * every_s * SECOND_NS
    return SeriesPoints(SeriesKey("site", tuple(sorted(tags.items()))), name, times, np.array(values, np.float64))


def chart(*lines: SeriesPoints, look: Look | None = None, **changed: object) -> Chart:
    """The lines on one day, each called as its field."""
    parts: dict[str, object] = {
        "look": look or Look(),
        "span": DAY,
        "zone": "UTC",
        "title": "Power",
        "subtitle": "All points",
        "series": lines,
        "labels": tuple(each.field for each in lines),
    }
    return Chart(**{**parts, **changed})  # type: ignore[arg-type]
