"""One run of one job: its lease kept alive meanwhile, and its end written down whatever it is.

A run ends as succeeded, failed, cancelled, or back in the queue: to be tried again after an error that
time may mend, or to go on at once when its process stops. A lost lease is written nowhere, because
the row is another's by then.
"""

import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from service.domain.backoff import next_try
from service.domain.job import Cancelled, DeadlinePassed, Job, JobState, Json, LeaseLost, Stopping
from service.errors import FluxgateError
from service.jobs.kind import JobEnd
from service.jobs.kinds import Kinds
from service.runner.context import RunContext
from service.state.job_rows import error_of
from service.state.leases import Lease, LeaseStore

LEASE_S = 30.0
_CANCEL_SEEN_WITHIN_S = 1.0
_TRY_AGAIN_S = 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _End:
    """How a run ended, and what writes that down. `state` and `outcome` (result or error) of a job that ended for good."""

    record: Callable[[], None]
    state: JobState | None = None
    outcome: Json | None = None


def owner_name() -> str:
    """Of this process, for people who look at a row: host, process and a few random letters."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class Runner:
    """Runs jobs that were claimed. `clock` gives seconds since 1970; `chance` numbers in [0, 1)."""

    def __init__(
        self,
        book: LeaseStore,
        kinds: Kinds,
        clock: Callable[[], float],
        *,
        lease_s: float = LEASE_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.kinds = kinds
        self.lease_s = lease_s
        self._book = book
        self._clock = clock
        self._chance = chance

    def run(self, job: Job, lease: Lease, stopping: threading.Event) -> None:
        """Run `job` until its end, or until `stopping` is set."""
        context = RunContext(job, lease, self._book, self._clock, stopping)
        with self._kept_alive(context):
            end = self._outcome(job, context)
            if self._record(context, end.record) and end.state is not None:
                self._tell(job, end)

    def _tell(self, job: Job, end: "_End") -> None:
        """Tell the kind that a job of it has ended for good. What that breaks changes nothing about the job."""
        ended = self.kinds.get(job.kind).ended
        if ended is None or end.state is None:
            return
        try:
            ended(JobEnd(job.id, end.state, end.outcome, self._clock() - (job.started_at or self._clock())))
        except Exception as broken:  # noqa: BLE001  (the job has ended, and its row says so)
            _log.error("the end of a job was not told", job=job.id, kind=job.kind, exc_info=broken)

    def _outcome(self, job: Job, context: RunContext) -> "_End":
        """Do the work; how it ended, and what to write about that."""
        book = self._book
        try:
            runnable = self.kinds.get(job.kind).runnable
            runnable.validate(job.parameters)
            result = runnable.run(job.parameters, context)
            context.flush()
            return _End(lambda: book.finish(context.lease, JobState.SUCCEEDED, result=result), JobState.SUCCEEDED, result)
        except LeaseLost as lost:
            _log.warning("job left to another", job=job.id, reason=str(lost))
            return _End(lambda: None)
        except Cancelled:
            return _End(lambda: book.finish(context.lease, JobState.CANCELLED), JobState.CANCELLED)
        except Stopping:
            why = "its process stops; it goes on from its checkpoint"
            return _End(lambda: book.put_back(context.lease, run_after=None, error=None, why=why))
        except DeadlinePassed:
            late = error_of("deadline", "Its deadline passed before it was done. Give it longer, or look in its log for what held it up.")
            return _End(lambda: book.finish(context.lease, JobState.FAILED, error=late), JobState.FAILED, late)
        except Exception as broken:  # noqa: BLE001  (whatever it is, the row has to say it)
            return self._failure(job, context, broken)

    def _failure(self, job: Job, context: RunContext, broken: Exception) -> "_End":
        book, now, error = self._book, self._clock(), _told(job, broken)
        attempts = 1 if context.saved else job.attempts
        again_at = next_try(broken, attempts, job.max_attempts, job.deadline, now, self._chance())
        if again_at is None:
            return _End(lambda: book.finish(context.lease, JobState.FAILED, error=error), JobState.FAILED, error)
        why = f"attempt {attempts}: {error['message']} It is tried again in {again_at - now:.0f} s."
        return _End(lambda: book.put_back(context.lease, run_after=again_at, error=error, why=why))

    def _record(self, context: RunContext, record: Callable[[], None]) -> bool:
        """Write the end down, again and again while the lease lasts: the state database may be away for a moment.

        Whether it is written.
        """
        while True:
            try:
                record()
                return True
            except LeaseLost as lost:
                _log.warning("job left to another", job=context.job_id, reason=str(lost))
            except Exception as broken:  # noqa: BLE001  (the work is done; only the writing is missing)
                if self._clock() < context.lease.until:
                    time.sleep(_TRY_AGAIN_S)
                    continue
                _log.error("the end of a job could not be written", job=context.job_id, reason=type(broken).__name__)
            return False

    @contextmanager
    def _kept_alive(self, context: RunContext) -> Iterator[None]:
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(context, done), name=f"lease-{context.job_id}", daemon=True)
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join(self.lease_s)

    def _beat(self, context: RunContext, done: threading.Event) -> None:
        """Renew the lease after each third of it, and look more often for a wish to cancel."""
        pause_s = min(_CANCEL_SEEN_WITHIN_S, self.lease_s / 5)
        while not done.wait(pause_s):
            try:
                if self._book.is_cancelled(context.lease):
                    context.note_cancelled()
                left_s = context.lease.until - self._clock()
                if 0 < left_s < self.lease_s * 2 / 3:
                    context.note_lease(self._book.renew(context.lease, self.lease_s))
            except LeaseLost:
                context.note_lost()
                break
            except Exception as broken:  # noqa: BLE001  (the database may be away; the lease ends by itself)
                _log.warning("lease not renewed", job=context.job_id, reason=type(broken).__name__)


def _told(job: Job, broken: Exception) -> Json:
    """The error for people. What nobody foresaw may hold anything, so only the log gets it."""
    if isinstance(broken, FluxgateError):
        return error_of(broken.code, broken.message, broken.upstream)
    _log.error("job broke", job=job.id, kind=job.kind, exc_info=broken)
    return error_of("internal", f"Unexpected {type(broken).__name__}. The log of its process has the rest under the job {job.id}; please report it.")
