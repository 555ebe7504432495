"""One run of one job: its lease is renewed meanwhile, and its end is written whatever it is.

A run ends as succeeded, failed or cancelled, or its job goes back to the queue: to be tried again after an error that
time may mend, or to go on at once when the process stops. A run that lost its lease writes nothing, because the row
then belongs to another run.
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
from service.domain.job import Cancelled, DeadlinePassed, Job, JobState, Json, LeaseLost, Stopping, Yielded
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
class _RunEnd:
    """How a run ended. `write` writes it. `state` and `outcome` (result or error): where the job ended for good."""

    write: Callable[[], None]
    state: JobState | None = None
    outcome: Json | None = None


def owner_name() -> str:
    """The name of this process in a row, for people who read it: host, process id and a few random letters."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class Runner:
    """Runs jobs that were claimed. `clock` gives seconds since 1970, `chance` random numbers in [0, 1)."""

    def __init__(
        self,
        leases: LeaseStore,
        kinds: Kinds,
        clock: Callable[[], float],
        *,
        lease_s: float = LEASE_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.kinds = kinds
        self.lease_s = lease_s
        self._leases = leases
        self._clock = clock
        self._chance = chance

    def run(self, job: Job, lease: Lease, stopping: threading.Event) -> None:
        """Run `job` until its end, or until `stopping` is set."""
        context = RunContext(job, lease, self._leases, self._clock, stopping)
        with self._renewed_lease(context):
            end = self._outcome(job, context)
            if self._write_end(context, end.write) and end.state is not None:
                self._notify_kind(job, end)

    def _notify_kind(self, job: Job, end: "_RunEnd") -> None:
        """Call the kind's `ended`: the job has ended for good. A failure there changes nothing about the job."""
        ended = self.kinds.get(job.kind).ended
        if ended is None or end.state is None:
            return
        try:
            ended(JobEnd(job.id, end.state, end.outcome, self._clock() - (job.started_at or self._clock())))
        except Exception as broken:  # noqa: BLE001  (the job has ended, and its row says so)
            _log.error("a kind of job failed at the end of its job", job=job.id, kind=job.kind, exc_info=broken)

    def _outcome(self, job: Job, context: RunContext) -> "_RunEnd":
        """Do the work. Returns how it ended."""
        leases = self._leases
        try:
            runnable = self.kinds.get(job.kind).runnable
            runnable.validate(job.parameters)
            result = runnable.run(job.parameters, context)
            context.flush()
            succeeded = JobState.SUCCEEDED
            return _RunEnd(lambda: leases.finish(context.lease, succeeded, result=result), succeeded, result)
        except LeaseLost as lost:
            _log.warning("a run lost its lease", job=job.id, reason=str(lost))
            return _RunEnd(lambda: None)
        except Cancelled:
            return _RunEnd(lambda: leases.finish(context.lease, JobState.CANCELLED), JobState.CANCELLED)
        except Stopping:
            reason = "its process stops; it goes on from its checkpoint"
            return _RunEnd(lambda: leases.put_back(context.lease, run_after=None, error=None, reason=reason))
        except Yielded as yielded:
            behind, why = self._clock(), str(yielded)
            return _RunEnd(lambda: leases.put_back(context.lease, run_after=behind, error=None, reason=why))
        except DeadlinePassed:
            advice = "Give it longer, or look in its log for what held it up."
            late = error_of("deadline", f"Its deadline passed before it was done. {advice}")
            return _RunEnd(lambda: leases.finish(context.lease, JobState.FAILED, error=late), JobState.FAILED, late)
        except Exception as broken:  # noqa: BLE001  (the row has to say it, whatever it is)
            return self._failure(job, context, broken)

    def _failure(self, job: Job, context: RunContext, broken: Exception) -> "_RunEnd":
        leases, now, error = self._leases, self._clock(), _error_document(job, broken)
        attempts = 1 if context.saved else job.attempts
        again_at = next_try(broken, attempts, job.max_attempts, job.deadline, now, self._chance())
        if again_at is None:
            return _RunEnd(lambda: leases.finish(context.lease, JobState.FAILED, error=error), JobState.FAILED, error)
        reason = f"attempt {attempts}: {error['message']} It is tried again in {again_at - now:.0f} s."
        return _RunEnd(lambda: leases.put_back(context.lease, run_after=again_at, error=error, reason=reason))

    def _write_end(self, context: RunContext, write: Callable[[], None]) -> bool:
        """Write the end. Returns whether it is written.

        While the lease lasts a failure is tried again: the state database may be unreachable.
        """
        while True:
            try:
                write()
                return True
            except LeaseLost as lost:
                _log.warning("a run lost its lease", job=context.job_id, reason=str(lost))
            except Exception as broken:  # noqa: BLE001  (the work is done; only the writing is missing)
                if self._clock() < context.lease.until:
                    time.sleep(_TRY_AGAIN_S)
                    continue
                _log.error("the end of a job could not be written", job=context.job_id, reason=type(broken).__name__)
            return False

    @contextmanager
    def _renewed_lease(self, context: RunContext) -> Iterator[None]:
        done = threading.Event()
        renewal = threading.Thread(
            target=self._renew,
            args=(context, done),
            name=f"lease-{context.job_id}",
            daemon=True,
        )
        renewal.start()
        try:
            yield
        finally:
            done.set()
            renewal.join(self.lease_s)

    def _renew(self, context: RunContext, done: threading.Event) -> None:
        """Renew the lease after each third of it, and look more often whether the job was cancelled."""
        pause_s = min(_CANCEL_SEEN_WITHIN_S, self.lease_s / 5)
        while not done.wait(pause_s):
            try:
                if self._leases.is_cancelled(context.lease):
                    context.note_cancelled()
                left_s = context.lease.until - self._clock()
                if 0 < left_s < self.lease_s * 2 / 3:
                    context.note_lease(self._leases.renew(context.lease, self.lease_s))
            except LeaseLost:
                context.note_lost()
                break
            except Exception as broken:  # noqa: BLE001  (the database may be unreachable; the lease ends by itself)
                _log.warning("a lease was not renewed", job=context.job_id, reason=type(broken).__name__)


def _error_document(job: Job, broken: Exception) -> Json:
    """The error as the row has it. The text of an unexpected error may hold a secret, so only the log has that."""
    if isinstance(broken, FluxgateError):
        return error_of(broken.code, broken.message, broken.upstream)
    _log.error("a job failed unexpectedly", job=job.id, kind=job.kind, exc_info=broken)
    message = f"Unexpected {type(broken).__name__}. The log of its process has the rest under the job {job.id};"
    return error_of("internal", f"{message} please report it.")
