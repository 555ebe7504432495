"""Finds points that only the target has, exactly, and removes them where the mirror follows deletes.

Before anything is removed, the points of the source are counted in a second way. So a source that answers too little in
one of the two ways costs no point on the target. Other points that a removal takes are copied again right after.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter, StoreBroken
from service.frames import long_form
from service.frames.label_combinations import rows_by_code
from service.frames.row_series import series_of
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.run_services import RunServices
from service.transfer.bucket_reader import BucketReader, Frames, ask_both

Ints = npt.NDArray[np.int64]
_MOST_RUNS = 200
"""A series with more gaps than this is removed from its first extra point to the last, and copied again."""


@dataclass(frozen=True)
class Extra:
    """Points of one series that only the target has, and the times at which the source has some."""

    series: SeriesKey
    times_ns: Ints
    kept_ns: Ints
    points: int

    def spans(self) -> Iterator[TimeRange]:
        """Ranges that hold all of these points, and as few others as possible."""
        between = np.searchsorted(self.kept_ns, self.times_ns)
        edges = np.flatnonzero(np.diff(between)) + 1
        runs = [self.times_ns] if len(edges) >= _MOST_RUNS else np.split(self.times_ns, edges)
        for run in runs:
            yield TimeRange(int(run[0]), int(run[-1]) + 1)

    def summary(self) -> dict[str, object]:
        """The entry in the result of a dry run."""
        first, last = format_time(int(self.times_ns[0])), format_time(int(self.times_ns[-1]))
        return {
            "measurement": self.series.measurement,
            "tags": dict(self.series.tags),
            "points": self.points,
            "first": first,
            "last": last,
        }


class Deleter:
    """Finds and removes points in the target of one pair."""

    def __init__(self, context: PairContext, services: RunServices) -> None:
        self._context = context
        self._services = services

    def only_on_target(self, span: TimeRange) -> list[Extra]:
        """The points of a slice that only the target has. Raises StoreBroken: the source's two counts disagree."""
        context, counted_before = self._context, self._counted(span)
        source, target = ask_both(lambda reader: _times_by_series(reader, span), context.source, context.target)
        read = sum(len(times) for fields in source.values() for times in fields.values())
        if not counted_before <= read <= self._counted(span):  # points may come meanwhile
            finding = f"The source ({context.mirror.source}) counts other points than it gives"
            raise StoreBroken(f"{finding}, so nothing is removed. Ask again.")
        extras = (_extra(key, source.get(key, {}), fields) for key, fields in target.items())
        return [extra for extra in extras if extra is not None]

    def remove(self, span: TimeRange) -> int:
        """Remove points that only the target has, as far as the store can. Returns how many.

        The slice has to be copied again, because other points may be removed with them.
        """
        removed = 0
        for extra in self.only_on_target(span):
            try:
                for piece in extra.spans():
                    self._services.job.check()
                    self._delete(extra.series, piece)
                removed += extra.points
            except InvalidParameter as refused:  # InfluxDB cannot remove some series without harm to others
                self._services.log(
                    "warning",
                    f"{extra.points} points of {extra.series.measurement!r} stay on the target: {refused.message}",
                )
        return removed

    def _counted(self, span: TimeRange) -> int:
        counts = self._context.source.slice_counts(span, self._context.step_ns)
        return sum(digest.count for digest in counts.values())

    def _delete(self, series: SeriesKey, span: TimeRange) -> None:
        target = self._context.target
        self._services.retry.call(lambda: target.store.delete_points(target.bucket, series, span))


def _extra(key: SeriesKey, source: dict[str, Ints], target: dict[str, Ints]) -> Extra | None:
    nothing = np.zeros(0, np.int64)
    only = [np.setdiff1d(times, source.get(field, nothing)) for field, times in target.items()]
    points = sum(map(len, only))
    if not points:
        return None
    kept = np.unique(np.concatenate([nothing, *source.values()]))
    return Extra(key, np.unique(np.concatenate(only)), kept, points)


def _times_by_series(reader: BucketReader, span: TimeRange) -> dict[SeriesKey, dict[str, Ints]]:
    """The times of each series, by field, in a slice."""
    times: dict[SeriesKey, dict[str, Ints]] = {}
    for (key, field), pieces in reader.collect(_times, span).items():
        times.setdefault(key, {})[field] = np.unique(np.concatenate(pieces))
    return times


def _times(frames: Frames) -> Mapping[tuple[SeriesKey, str], list[Ints]]:
    """The times of each series and field, in pieces."""
    pieces: dict[tuple[SeriesKey, str], list[Ints]] = {}
    for frame in frames:
        times = long_form.times_ns(frame)
        names, of_row = series_of(frame)
        for rows in rows_by_code(of_row):
            series = names[int(of_row[rows[0]])]
            pieces.setdefault((series.key, series.field), []).append(times[rows])
    return pieces
