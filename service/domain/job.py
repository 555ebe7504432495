"""A job: one run of something long, whose row in the state database is the truth.

The states of a job, its progress, and the exceptions that interrupt it. Nothing here reads a clock; times are
seconds since 1970.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
UPSTREAM = "upstream"
"""What another server wrote: a member of the error of a job, and a level of its log. Only keys with `admin` see it."""


class JobState(StrEnum):
    """Queued and running jobs are open; the others have ended. Failed and cancelled jobs can be queued again.

    A running job goes back to the queue when its process stops, dies, or is to try again.
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
    """`done` of `total` units (None: not known). The rate counts from `base` at `since`, when this attempt began."""

    done: int
    total: int | None
    unit: str
    base: int = 0
    since: float = 0.0

    def rate(self, now: float) -> float | None:
        """Units per second in this attempt; None before the first unit."""
        elapsed_s = now - self.since
        return (self.done - self.base) / elapsed_s if elapsed_s > 0 and self.done > self.base else None

    def eta_s(self, now: float) -> float | None:
        """Seconds until the end at this rate; None when the total or the rate is not known."""
        rate = self.rate(now)
        if self.total is None or rate is None:
            return None
        return max(0, self.total - self.done) / rate


@dataclass(frozen=True)
class Job:
    """A job as in its row. `attempts` counts the starts since the last checkpoint, `fence` all starts."""

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
    """A line of the log of a job. `number` grows with each line of any job."""

    number: int
    at: float
    level: str
    message: str


class JobInterrupted(Exception):
    """The reason why a job must stop now. It is no error of the job, so a kind of job never catches it."""


class Cancelled(JobInterrupted):
    """A user cancelled the job."""


class DeadlinePassed(JobInterrupted):
    """The deadline of the job has passed."""


class Stopping(JobInterrupted):
    """The process stops. The job continues from its checkpoint in another process, or at the next start."""


class Yielded(JobInterrupted):
    """The run makes way for others. Its job is queued again behind the jobs that wait, and goes on from there."""


class LeaseLost(JobInterrupted):
    """Another process may run the job by now, so this one may write nothing more."""
