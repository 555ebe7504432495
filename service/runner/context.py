"""What a run uses of its row: checkpoints under its lease, progress, log, and the reasons to stop.

`check` compares the time with the lease on every call. So a process that was frozen for longer than its lease stops at
its next check, without a query.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from service.domain.job import Cancelled, DeadlinePassed, Job, JobInterrupted, Json, LeaseLost, Progress, Stopping
from service.state.leases import Lease, LeaseStore

_PROGRESS_EVERY_S = 1.0
_LOOK_EVERY_S = 0.2


class RunContext:
    """The `JobContext` of one run. `stopping` is set when the process has to end. `clock` gives seconds since 1970.

    Any thread may call `check` and `log`. The thread that renews the lease calls the `note_…` methods, and the thread
    of the run all others. No lock is needed: what threads share is an event, or is set in one assignment, which the
    interpreter's lock makes atomic.
    """

    def __init__(
        self,
        job: Job,
        lease: Lease,
        leases: LeaseStore,
        clock: Callable[[], float],
        stopping: threading.Event,
    ) -> None:
        self.job_id = job.id
        self.lease = lease
        self.saved = False
        """Whether this attempt has saved a checkpoint."""
        self._deadline = job.deadline
        self._checkpoint: Json = dict(job.checkpoint or {})
        self._leases = leases
        self._clock = clock
        self._stopping = stopping
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        self._first_progress: Progress | None = None
        self._unwritten: Progress | None = None
        self._written_at = float("-inf")

    @property
    def checkpoint(self) -> Json:
        return dict(self._checkpoint)

    def save(self, checkpoint: Mapping[str, Any]) -> None:
        self._refuse_when_lost()
        self._leases.save(self.lease, checkpoint)
        self._checkpoint = dict(checkpoint)
        self.saved = True

    def progress(self, done: int, total: int | None, unit: str) -> None:
        now = self._clock()
        first = self._first_progress
        if first is None or first.unit != unit:
            first = self._first_progress = Progress(done, total, unit, base=done, since=now)
        self._unwritten = Progress(done, total, unit, first.base, first.since)
        if now - self._written_at >= _PROGRESS_EVERY_S:
            self.flush()
            self._written_at = now

    def flush(self) -> None:
        """Write the last progress, where that was not done yet."""
        if self._unwritten is not None:
            self._refuse_when_lost()
            self._leases.progress(self.lease, self._unwritten)
            self._unwritten = None

    def log(self, level: str, message: str) -> None:
        self._refuse_when_lost()
        self._leases.log(self.lease, level, message)

    def check(self) -> None:
        reason = self._reason()
        if reason is not None:
            raise reason

    def sleep(self, seconds: float) -> None:
        until = self._clock() + seconds
        self.check()
        while (left_s := until - self._clock()) > 0:
            self._stopping.wait(min(left_s, _LOOK_EVERY_S))
            self.check()

    def note_lease(self, lease: Lease) -> None:
        """Go on with a renewed lease."""
        self.lease = lease

    def note_lost(self) -> None:
        self._lost.set()

    def note_cancelled(self) -> None:
        self._cancelled.set()

    def _reason(self) -> JobInterrupted | None:
        now = self._clock()
        if self._lost.is_set() or now >= self.lease.until:
            self._lost.set()
            return LeaseLost(f"the job {self.job_id} no longer belongs to this process")
        if self._cancelled.is_set():
            return Cancelled("its end was asked for")
        if self._deadline is not None and now >= self._deadline:
            return DeadlinePassed("its deadline passed")
        if self._stopping.is_set():
            return Stopping("the process stops")
        return None

    def _refuse_when_lost(self) -> None:
        reason = self._reason()
        if isinstance(reason, LeaseLost):
            raise reason
