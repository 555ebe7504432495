"""Finds the stretches in which a series has no points: longer ones than its points are usually apart.

Each series is looked at alone, whatever its points hold. A point covers the time from itself on, as long as `expect`
says; what no point covers is not covered. Times of a series ascend, so a series is done in the memory of its gaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import SeriesKey
from service.domain.timerange import LATEST_NS, TimeRange
from service.frames import long_form
from service.frames.label_combinations import rows_by_code
from service.frames.row_series import series_of

Times = npt.NDArray[np.int64]
UntypedSeries = tuple[SeriesKey, str]
"""A series and a field of it, whatever the types of its values."""
_ENOUGH = 200
"""So many points of a series, its first, tell how far they usually are apart."""
_USUAL_DISTANCES = 3
"""A gap is longer than so many usual distances, where nobody says what to expect."""


@dataclass(frozen=True, order=True)
class Gap:
    """From the last point before it to the first one after it, or to the end of the range (`is_open`)."""

    start_ns: int
    stop_ns: int
    is_open: bool = False

    @property
    def length_ns(self) -> int:
        return self.stop_ns - self.start_ns


@dataclass(frozen=True)
class Coverage:
    """What a range holds of a series.

    `expect_ns`: how far apart points are expected; None when too few points tell, and then nothing is known of gaps.
    `watched`: the part of the range that is looked at: all of it when the series had points before, else from its
    first point on. `covered_ns`: how much of that points cover. `gaps`: the longest, in the order of time; `gap_count`
    is that of all.
    """

    points: int
    first_ns: int | None
    last_ns: int | None
    expect_ns: int | None
    watched: TimeRange | None
    covered_ns: int
    gaps: tuple[Gap, ...]
    gap_count: int

    @property
    def is_silent(self) -> bool:
        """Whether the series has no point at the end of the range, when one is due."""
        return bool(self.gaps) and self.gaps[-1].is_open


class SeriesGaps:
    """Collects the gaps of one series in `span`.

    `most`: so many gaps are kept, the longest. `before_ns`: its last point before the range, if there is one.
    """

    def __init__(self, span: TimeRange, expect_ns: int | None, most: int, before_ns: int | None = None) -> None:
        self._span, self._expect_ns, self._most, self._before_ns = span, expect_ns, most, before_ns
        self._points = self._covered_ns = self._gap_count = 0
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._gaps: list[Gap] = []
        self._held: list[Times] = []

    def add(self, times: Times) -> None:
        """The next points of the series, ascending."""
        if not len(times):
            return
        if self._first_ns is None:
            self._first_ns = int(times[0])
        self._points += len(times)
        if self._expect_ns is not None:
            self._scan(times)
            return
        self._held.append(times)
        if self._points >= _ENOUGH:
            self._learn()

    def finished(self) -> Coverage:
        """What there is of the series, after its last point."""
        if self._expect_ns is None:
            self._learn()
        last_ns = self._last_ns if self._last_ns is not None else self._before_ns
        if self._expect_ns is not None and last_ns is not None:
            self._pass(last_ns, self._span.stop_ns, is_open=True)
        start_ns = self._span.start_ns if self._before_ns is not None else self._first_ns
        return Coverage(
            points=self._points,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            expect_ns=self._expect_ns,
            watched=None if start_ns is None else TimeRange(start_ns, self._span.stop_ns),
            covered_ns=self._covered_ns,
            gaps=tuple(sorted(self._longest())),
            gap_count=self._gap_count,
        )

    def _learn(self) -> None:
        """Take the usual distance of the points held for what is expected, where there are enough of them."""
        times = np.concatenate(self._held) if self._held else np.zeros(0, np.int64)
        self._held = []
        known = times if self._before_ns is None else np.concatenate([[self._before_ns], times])
        if len(known) > 1:
            self._expect_ns = min(_USUAL_DISTANCES * int(np.median(_distances(known[:_ENOUGH]))), LATEST_NS)
        if self._expect_ns is not None:
            self._scan(times)
        elif len(times):
            self._last_ns = int(times[-1])

    def _scan(self, times: Times) -> None:
        expect_ns = self._expect_ns or 0
        last_ns = self._last_ns if self._last_ns is not None else self._before_ns
        if last_ns is not None:
            self._pass(last_ns, int(times[0]))
        distances = _distances(times)
        long = np.flatnonzero(distances > np.uint64(expect_ns))
        self._covered_ns += int(np.minimum(distances, np.uint64(expect_ns)).sum())
        for index in long.tolist():
            self._keep(Gap(int(times[index]), int(times[index + 1])))
        self._last_ns = int(times[-1])

    def _pass(self, from_ns: int, to_ns: int, is_open: bool = False) -> None:
        """Note the time between two points, or after the last; the first of them may lie before the range."""
        expect_ns = self._expect_ns or 0
        covered_until_ns = min(from_ns + expect_ns, to_ns)
        self._covered_ns += max(0, covered_until_ns - max(from_ns, self._span.start_ns))
        if to_ns - from_ns > expect_ns:
            self._keep(Gap(from_ns, to_ns, is_open))

    def _keep(self, gap: Gap) -> None:
        self._gap_count += 1
        self._gaps.append(gap)
        if len(self._gaps) >= 2 * self._most + 2:
            self._gaps = self._longest()

    def _longest(self) -> list[Gap]:
        """The longest gaps. The open one is always among them, as it says that the series is silent."""
        by_length = sorted(self._gaps, key=lambda gap: (not gap.is_open, -gap.length_ns, gap.start_ns))
        return by_length[: self._most]


def _distances(times: Times) -> npt.NDArray[np.uint64]:
    """Nanoseconds between neighbours. Two times can be more than 2^63 ns apart, which only unsigned numbers hold."""
    unsigned = times.view(np.uint64)
    return unsigned[1:] - unsigned[:-1]


class GapFinder:
    """Collects the gaps of every series in `span` from long frames. `before`: last points before the range."""

    def __init__(
        self, span: TimeRange, expect_ns: int | None, most_gaps: int, before: Mapping[UntypedSeries, int]
    ) -> None:
        self._span = span
        self._expect_ns = expect_ns
        self._most_gaps = most_gaps
        self._series = {key: SeriesGaps(span, expect_ns, most_gaps, before_ns) for key, before_ns in before.items()}

    def __len__(self) -> int:
        """How many series there are so far."""
        return len(self._series)

    def add(self, frame: pa.RecordBatch) -> None:
        """Add the points of a long frame. Times of a series ascend, also from one frame to the next."""
        if not frame.num_rows:
            return
        series, of_row = series_of(frame)
        times = long_form.times_ns(frame)
        for rows in rows_by_code(of_row):
            field_series = series[int(of_row[rows[0]])]
            key = field_series.key, field_series.field
            if key not in self._series:
                self._series[key] = SeriesGaps(self._span, self._expect_ns, self._most_gaps)
            self._series[key].add(times[rows])

    def coverages(self) -> dict[UntypedSeries, Coverage]:
        """Every series in order, with what the range holds of it."""
        return {key: self._series[key].finished() for key in sorted(self._series, key=_in_order)}


def _in_order(key: UntypedSeries) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    series, field_name = key
    return series.measurement, field_name, series.tags
