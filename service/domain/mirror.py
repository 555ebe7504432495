"""A mirror: its source, its target, the buckets that it copies and keeps equal, and its rules. Lengths are in ns."""

import fnmatch
from dataclasses import dataclass

from service.domain.conflicts import OnConflict
from service.domain.endpoint import Endpoint
from service.domain.selection import Windows

LOG_BUCKET = "Logging"
"""The bucket of the target in which a mirror writes its log."""


@dataclass(frozen=True, order=True)
class BucketPair:
    """A bucket of the source, and the bucket of the target that it is copied to."""

    source: str
    target: str

    def __str__(self) -> str:
        return repr(self.source) if self.source == self.target else f"{self.source!r} to {self.target!r}"


@dataclass(frozen=True)
class Mirror:
    """A mirror as configured. `buckets` None: every bucket of the source except system buckets.

    `measurements`: patterns; empty: all. `windows`: what points are downsampled to; None: exact points. `since_ns`: how
    far back at most; `history`: the same by pattern of measurement. `future_ns` and `rescan_ns`: how far ahead and back
    every run looks. `full_count_ns`: how often a run counts everything. `full_rescan_ns`: the greatest age of a
    comparison of values. `budget_bytes`: the most bytes in five minutes.
    """

    name: str
    source: Endpoint
    target: Endpoint
    buckets: tuple[BucketPair, ...] | None
    measurements: tuple[str, ...]
    windows: Windows | None
    since_ns: int | None
    history: tuple[tuple[str, int], ...]
    future_ns: int
    rescan_ns: int
    full_count_ns: int
    full_rescan_ns: int
    budget_bytes: int | None
    follow_deletes: bool
    on_conflict: OnConflict
    log_in_target: bool

    def history_of(self, measurement: str) -> int | None:
        """How far back the mirror copies this measurement; None: all of it."""
        matching = [length_ns for pattern, length_ns in self.history if fnmatch.fnmatchcase(measurement, pattern)]
        lengths = [length_ns for length_ns in (*matching, self.since_ns) if length_ns is not None]
        return min(lengths, default=None)

    def wants(self, measurement: str) -> bool:
        return not self.measurements or any(fnmatch.fnmatchcase(measurement, pattern) for pattern in self.measurements)
