"""Writes slices of a backup to the target. Writing one again leaves the same points."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.domain.timerange import format_time
from service.frames.points import Points
from service.jobs.restore.plan import PlannedSlice
from service.jobs.restore.run_tools import RunTools
from service.jobs.restore.slice_source import SliceSource
from service.stores.protocol import Refusal, Store, WriteBounds

MOST_NAMED = 20
RefusedLine = dict[str, Any]


@dataclass
class Refused:
    """The lines that the target refused: how many, and the first of them with the reason."""

    count: int = 0
    lines: list[RefusedLine] = field(default_factory=list)

    def add(self, points: Points, refusals: Sequence[Refusal], count: int) -> None:
        self.count += count
        for refusal in refusals[: MOST_NAMED - len(self.lines)]:
            place = int(np.searchsorted(points.numbers, refusal.line))  # a text may hold line ends
            time_ns = int(points.times_ns[place])
            self.lines.append({"time": format_time(time_ns), "code": refusal.code, "reason": refusal.reason})

    def join(self, other: "Refused") -> None:
        self.count += other.count
        self.lines += other.lines[: MOST_NAMED - len(self.lines)]


class SliceWriter:
    """Writes into `store`. Threads may share it."""

    def __init__(self, store: Store, source: SliceSource, tools: RunTools) -> None:
        self._store = store
        self._source = source
        self._tools = tools
        self._bounds = WriteBounds(tools.job.check, MOST_NAMED)

    def write(self, planned: PlannedSlice, bucket: str) -> Refused:
        """All its points; what the target acknowledged is durable.

        Raises StoreError when a break lasts, BackupDamaged when the file changed since it was checked, ArchiveError,
        JobInterrupted.
        """
        refused = Refused()
        for points in self._source.points(planned):
            outcome = self._tools.retry.call(lambda: self._store.write(bucket, points, self._bounds))  # noqa: B023
            refused.add(points, outcome.refused, outcome.refused_count)
        return refused
