"""Collects the numbers of each series out of frames, in memory that does not grow with the number of points.

Of each series it keeps the points that make a difference in the picture. Of more series than a picture shows, it keeps
those that are first by name.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from service.domain.series import SeriesKey
from service.frames import long_form
from service.frames.frame import value_type
from service.frames.label_combinations import rows_by_code
from service.frames.row_series import series_of
from service.frames.series_gaps import UntypedSeries
from service.pictures.pixel_columns import Numbers, PixelColumns, Times, visible_points

MOST_SERIES = 50
"""So many lines are drawn. The eye tells fewer apart."""
MOST_COUNTED = 10_000
"""Series beyond this number are not counted, so that their names take no memory."""
_HELD_POINTS = 65_536
"""So many points of a series are held before those that make no difference are dropped."""


@dataclass(frozen=True)
class SeriesPoints:
    """The points of one series that make a difference, in the order of time. Values are finite."""

    key: SeriesKey
    field: str
    times: Times
    values: Numbers


@dataclass
class _Held:
    times: list[Times] = field(default_factory=list)
    values: list[Numbers] = field(default_factory=list)
    count: int = 0


class SeriesCollector:
    """Takes long frames of numbers; frames of texts and booleans are left out. `columns`: those of the picture."""

    def __init__(self, columns: PixelColumns, most: int = MOST_SERIES) -> None:
        self._columns = columns
        self._most = most
        self._held: dict[UntypedSeries, _Held] = {}
        self._names: set[UntypedSeries] = set()
        self._last: UntypedSeries | None = None
        self.not_finite = 0
        """So many values are NaN or infinite, and no point."""

    @property
    def count(self) -> int:
        """How many series there are, drawn or not, up to `MOST_COUNTED`."""
        return len(self._names)

    def add(self, frame: pa.RecordBatch) -> None:
        """Add the points of a frame. Times of a series may go back only where a field has several types."""
        if not frame.num_rows or not value_type(frame).numeric:
            return
        series, of_row = series_of(frame)
        times = long_form.times_ns(frame)
        values = long_form.values(frame).to_numpy(zero_copy_only=False).astype(np.float64)
        for rows in rows_by_code(of_row):
            field_series = series[int(of_row[rows[0]])]
            self._add((field_series.key, field_series.field), times[rows], values[rows])

    def series(self) -> list[SeriesPoints]:
        """The series that are drawn, by name."""
        for held in self._held.values():
            self._reduce(held)
        return [
            SeriesPoints(*key, self._held[key].times[0], self._held[key].values[0])
            for key in sorted(self._held, key=_by_name)
            if self._held[key].count
        ]

    def _add(self, key: UntypedSeries, times: Times, values: Numbers) -> None:
        if len(self._names) < MOST_COUNTED:
            self._names.add(key)
        held = self._held.get(key)
        if held is None and not self._make_room(key):
            return
        held = self._held.setdefault(key, _Held())
        finite = np.isfinite(values)
        if not finite.all():
            self.not_finite += len(values) - int(finite.sum())
            times, values = times[finite], values[finite]
        held.times.append(times)
        held.values.append(values)
        held.count += len(times)
        if held.count > _HELD_POINTS:
            self._reduce(held)

    def _make_room(self, key: UntypedSeries) -> bool:
        """Whether `key` is drawn as of now. A series that gives way to it never comes back: names only get smaller."""
        if len(self._held) < self._most:
            return True
        if self._last is None:
            self._last = max(self._held, key=_by_name)
        if _by_name(key) > _by_name(self._last):
            return False
        del self._held[self._last]
        self._last = None
        return True

    def _reduce(self, held: _Held) -> None:
        """Keep the points that make a difference, in the order of time."""
        times = np.concatenate(held.times) if held.times else np.zeros(0, np.int64)
        values = np.concatenate(held.values) if held.values else np.zeros(0)
        if np.any(times[1:] < times[:-1]):
            order = np.argsort(times, kind="stable")
            times, values = times[order], values[order]
        kept = visible_points(self._columns.columns(times), values)
        held.times, held.values, held.count = [times[kept]], [values[kept]], len(kept)


def _by_name(key: UntypedSeries) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    series, field_name = key
    return series.measurement, field_name, series.tags
