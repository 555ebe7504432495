"""Points that the target has and the source has not: found exactly, told, and removed where the mirror follows deletes.

Before anything is removed, the source's points are counted a second way; a source that answers too little in
one of them costs no point on the target. Whatever a removal takes along is copied again right after.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.mirror_slices import Part
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter, StoreBroken
from service.frames.digest import series_of
from service.frames.labels import groups
from service.jobs.mirror.pair_context import Ground, Links
from service.jobs.mirror.pair_reader import SliceReader
from service.transfer.bucket_reader import Side, both, told_by

Ints = npt.NDArray[np.int64]
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]
"""Measurement and tags."""
_MOST_RUNS = 200
"""A series with more gaps than this is removed from its first to its last such point, and copied again."""


@dataclass(frozen=True)
class Extra:
    """Points of one measurement and tags that only the target has, and when the source has some."""

    key: SeriesKey
    times_ns: Ints
    kept_ns: Ints
    points: int

    def spans(self) -> Iterator[TimeRange]:
        """Stretches that hold all of them, and as few others as can be."""
        between = np.searchsorted(self.kept_ns, self.times_ns)
        edges = np.flatnonzero(np.diff(between)) + 1
        runs = [self.times_ns] if len(edges) >= _MOST_RUNS else np.split(self.times_ns, edges)
        for run in runs:
            yield TimeRange(int(run[0]), int(run[-1]) + 1)

    def told(self) -> dict[str, object]:
        measurement, tags = self.key
        first, last = (format_time(int(self.times_ns[place])) for place in (0, -1))
        return {"measurement": measurement, "tags": dict(tags), "points": self.points, "first": first, "last": last}


class Deleter:
    """For one run over a pair."""

    def __init__(self, ground: Ground, links: Links, reader: SliceReader) -> None:
        self._ground = ground
        self._links = links
        self._reader = reader

    def only_there(self, span: TimeRange) -> list[Extra]:
        """What only the target has in a slice. Raises StoreBroken when the source's two ways of counting disagree."""
        ground, before = self._ground, self._counted(span)
        here, there = both(lambda side: _by_field(self._reader.points(partial(_times, side), span)), ground.source, ground.target)
        given = sum(len(times) for fields in here.values() for times in fields.values())
        if not before <= given <= self._counted(span):  # points may come meanwhile
            raise StoreBroken(f"The source ({ground.mirror.source}) counts other points than it gives, so nothing is removed. Ask again.")
        return [extra for key, fields in there.items() if (extra := _extra(key, here.get(key, {}), fields)) is not None]

    def _counted(self, span: TimeRange) -> int:
        counted = self._reader.tally(self._ground.source, span, self._ground.step_ns)
        return sum(one.count for one in counted.values())

    def remove(self, span: TimeRange) -> int:
        """Remove them, as far as the store can; how many. What else goes with them has to be copied again."""
        removed = 0
        for extra in self.only_there(span):
            try:
                for stretch in extra.spans():
                    self._links.context.check()
                    self._delete(extra.key, stretch)
                removed += extra.points
            except InvalidParameter as refused:  # some series InfluxDB cannot remove without harm to others
                self._links.tell("warning", f"{extra.points} points of {extra.key[0]!r} stay on the target: {refused.message}")
        return removed

    def _delete(self, key: SeriesKey, stretch: TimeRange) -> None:
        target = self._ground.target
        with told_by(target.role, target.endpoint):
            self._links.patience.call(lambda: target.store.delete_points(target.bucket, key[0], key[1], stretch))


def _extra(key: SeriesKey, here: dict[str, Ints], there: dict[str, Ints]) -> Extra | None:
    nothing = np.zeros(0, np.int64)
    only = [np.setdiff1d(times, here.get(field, nothing)) for field, times in there.items()]
    points = sum(map(len, only))
    if not points:
        return None
    kept = np.unique(np.concatenate([nothing, *here.values()]))
    return Extra(key, np.unique(np.concatenate(only)), kept, points)


def _times(side: Side, parts: Sequence[Part], span: TimeRange) -> dict[tuple[SeriesKey, str], list[Ints]]:
    """The times of each series and field in a slice, in pieces."""
    found: dict[tuple[SeriesKey, str], list[Ints]] = {}
    for frame in chain.from_iterable(side.blocks(parts, span)):
        times = frame.column(0).cast(pa.int64()).to_numpy()
        names, of_row = series_of(frame)
        for chosen in groups(of_row):
            name = names[int(of_row[chosen[0]])]
            found.setdefault(((name.measurement, name.tags), name.field), []).append(times[chosen])
    return found


def _by_field(found: Mapping[tuple[SeriesKey, str], list[Ints]]) -> dict[SeriesKey, dict[str, Ints]]:
    times: dict[SeriesKey, dict[str, Ints]] = {}
    for (key, field), pieces in found.items():
        times.setdefault(key, {})[field] = np.unique(np.concatenate(pieces))
    return times
