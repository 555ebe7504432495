"""A job: one run of something long, whose row in the state database is the truth.

The states of a job, its progress, and the exceptions that interrupt it. Nothing here reads a clock; times are
seconds since 1970.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
UPSTREAM = "upstream"
"""The member of a job's error, and the level of a line of its log, with what another server wrote: for keys with `admin`."""


class JobState(StrEnum):
    """A queued job runs; a running one ends, or goes back to the queue when its process stops, dies or is to try again.

    Of the ends, a success is final; a failed or cancelled job can be queued again.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)

    @property
    def can_be_retried(self) -> bool:
        return self in (JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Progress:
    """How much is done, out of how much (None: not known). Counted for the rate from `base` at `since`, where this attempt began."""

    done: int
    total: int | None
    unit: str
    base: int = 0
    since: float = 0.0

    def rate(self, now: float) -> float | None:
        """Units a second in this attempt; None before anything can be said."""
        elapsed_s = now - self.since
        return (self.done - self.base) / elapsed_s if elapsed_s > 0 and self.done > self.base else None

    def eta_s(self, now: float) -> float | None:
        """Seconds until the end at the present rate; None when that is not known."""
        rate = self.rate(now)
        if self.total is None or rate is None:
            return None
        return max(0, self.total - self.done) / rate


@dataclass(frozen=True)
class Job:
    """A job as its row says it. `attempts` counts starts since the last checkpoint; `fence` counts starts at all."""

    id: str
    kind: str
    parameters: Json
    exclusion_key: str | None
    state: JobState
    created_at: float
    run_after: float
    created_by: str | None = None
    schedule: str | None = None
    lease_owner: str | None = None
    lease_until: float | None = None
    fence: int = 0
    attempts: int = 0
    max_attempts: int | None = None
    deadline: float | None = None
    cancel_requested: bool = False
    checkpoint: Json | None = None
    progress: Progress | None = None
    result: Json | None = None
    error: Json | None = None
    started_at: float | None = None
    finished_at: float | None = None
    version: int = 0


@dataclass(frozen=True)
class LogLine:
    """A line of a job's log. `number` grows with each line, over all jobs."""

    number: int
    at: float
    level: str
    message: str


class JobInterrupted(Exception):
    """Why a job must stop where it is. Not an error of the job: let it pass."""


class Cancelled(JobInterrupted):
    """Somebody asked for its end."""


class DeadlinePassed(JobInterrupted):
    """The time that it was given is over."""


class Stopping(JobInterrupted):
    """The process stops; the job goes on elsewhere, or at the next start, from its checkpoint."""


class LeaseLost(JobInterrupted):
    """Another may run it by now: nothing more may be written."""
