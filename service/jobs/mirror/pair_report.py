"""What a run has found and done so far for one pair of buckets."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.timerange import format_time

MOST_LISTED = 200
"""The most slices that a report names."""


@dataclass
class PairReport:
    """Slices compared by counts and by values, copied, and in each state; points copied, rejected and deleted."""

    target_lacks_bucket: bool = False
    compared: int = 0
    values_compared: int = 0
    copied_slices: int = 0
    copied_points: int = 0
    rejected: int = 0
    deleted: int = 0
    states: Counter[SliceState] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    would_delete: list[dict[str, object]] = field(default_factory=list)

    def add(self, record: SliceRecord) -> None:
        """Count a slice by its state."""
        self.states[record.state] += 1
        self.rejected += record.rejected
        if record.state is SliceState.DIFFERENT:
            self.list_differing([record.start_ns])

    def list_differing(self, starts: Iterable[int]) -> None:
        """Name slices that differ, up to the limit of a report."""
        self.differing += [format_time(start_ns) for start_ns in starts][: MOST_LISTED - len(self.differing)]
