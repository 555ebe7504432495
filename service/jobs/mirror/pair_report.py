"""What a run has found and done so far for one pair of buckets."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from service.domain.job import Json
from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.timerange import format_time

MOST_LISTED = 200
"""A report names at most so many slices, and as many measurements."""
_MOST_SAID = 5


@dataclass
class PairReport:
    """Slices compared by counts and by values, copied, and in each state; points copied, rejected and deleted.

    `left_out`: measurements that cannot be read, with the reason.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)
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

    def add_work(self, earlier: "PairReport") -> None:
        """Count what an earlier start of the same run did before it was broken off."""
        self.copied_slices += earlier.copied_slices
        self.copied_points += earlier.copied_points
        self.deleted += earlier.deleted

    def add(self, record: SliceRecord) -> None:
        """Count a slice by its state."""
        self.states[record.state] += 1
        self.rejected += record.rejected
        if record.state is SliceState.DIFFERENT:
            self.list_differing([record.start_ns])

    def list_differing(self, starts: Iterable[int]) -> None:
        """Name slices that differ, up to the limit of a report."""
        self.differing += [format_time(start_ns) for start_ns in starts][: MOST_LISTED - len(self.differing)]


def left_out_member(left_out: Mapping[str, str]) -> Json:
    """Measurements that are left out, as a member of the result of a job; the first of many. No member for none."""
    listed = islice(left_out.items(), MOST_LISTED)
    entries = [{"measurement": measurement, "reason": reason} for measurement, reason in listed]
    return {"left_out": entries} if entries else {}


def left_out_text(left_out: Mapping[str, str]) -> str:
    """The same as a sentence; empty when there are none."""
    if not left_out:
        return ""
    count = "1 measurement is" if len(left_out) == 1 else f"{len(left_out)} measurements are"
    return f"{count} left out. {' '.join(islice(left_out.values(), _MOST_SAID))}"
