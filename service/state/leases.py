"""Writes of a run about itself. Each names the run's fence, so that a run that lost its lease changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from service.domain.job import JobState, Json, LeaseLost, Progress
from service.state.database import StateDatabase
from service.state.tables import job_log, jobs

KEPT_LINES = 1_000
"""So many lines of a job's log are kept, the newest ones."""
LONGEST_LINE = 2_000


@dataclass(frozen=True)
class Lease:
    """The right to run a job until `until` (seconds since 1970), unless it is renewed or lost."""

    job_id: str
    fence: int
    owner: str
    until: float


class LeaseStore:
    """Writes under leases. Every method raises LeaseLost when the lease is over, whoever runs the job now."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def renew(self, lease: Lease, lease_s: float) -> Lease:
        """The same lease, for `lease_s` from now."""
        until = self._clock() + lease_s
        with self._held(lease, lease_until=until):
            return Lease(lease.job_id, lease.fence, lease.owner, until)

    def is_cancelled(self, lease: Lease) -> bool:
        """Whether somebody asked the job to end."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(jobs.c.cancel_requested).where(*_is_held(lease))).first()
        if row is None:
            raise _lost(lease)
        return bool(row.cancel_requested)

    def save(self, lease: Lease, checkpoint: Mapping[str, Any]) -> None:
        """Keep a checkpoint. The job got further, so its earlier attempts no longer count against it."""
        with self._held(lease, checkpoint=dict(checkpoint), attempts=1):
            pass

    def progress(self, lease: Lease, progress: Progress) -> None:
        """Show how far the run is."""
        with self._held(lease, progress=asdict(progress)):
            pass

    def log(self, lease: Lease, level: str, message: str) -> None:
        """Add a line to the job's log."""
        with self._held(lease) as connection:
            add_line(connection, lease.job_id, self._clock(), level, message)

    def finish(
        self,
        lease: Lease,
        state: JobState,
        *,
        result: Json | None = None,
        error: Json | None = None,
    ) -> None:
        """End the run: succeeded, failed or cancelled."""
        ended = {
            "state": state.value, "finished_at": self._clock(), "result": result, "error": error,
            "lease_owner": None, "lease_until": None,
        }  # fmt: skip
        with self._held(lease, **ended) as connection:
            level = "error" if state is JobState.FAILED else "info"
            message = state.value if error is None else f"{state.value}: {error['message']}"
            add_line(connection, lease.job_id, self._clock(), level, message)

    def put_back(self, lease: Lease, *, run_after: float | None, error: Json | None, reason: str) -> None:
        """Queue the job again. It goes on from its checkpoint.

        `run_after`: when, after an error, or behind the jobs that are due by then; None: at once, because the process
        stops. `reason` goes to the job's log.
        A job that was asked to end is cancelled instead.
        """
        now = self._clock()
        values = {
            "state": sa.case((jobs.c.cancel_requested, JobState.CANCELLED.value), else_=JobState.QUEUED.value),
            "finished_at": sa.case((jobs.c.cancel_requested, now), else_=None),
            "attempts": jobs.c.attempts - (1 if run_after is None else 0),
            "run_after": jobs.c.run_after if run_after is None else run_after,
            "error": error, "sent_at": None, "lease_owner": None, "lease_until": None,
        }  # fmt: skip
        with self._held(lease, **values) as connection:
            add_line(connection, lease.job_id, now, "info" if error is None else "warning", reason)

    @contextmanager
    def _held(self, lease: Lease, **values: object) -> Iterator[sa.Connection]:
        """A transaction that has changed the row of the lease, and so holds a lock on it. Raises LeaseLost."""
        with self._database.write() as connection:
            change = sa.update(jobs).where(*_is_held(lease)).values(version=jobs.c.version + 1, **values)
            if connection.execute(change).rowcount != 1:
                raise _lost(lease)
            yield connection


def _is_held(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.state == JobState.RUNNING.value


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"the lease {lease.fence} of the job {lease.job_id} is over; another process may run it")


def add_line(connection: sa.Connection, job_id: str, at: float, level: str, message: str) -> None:
    """Add a line to a job's log, and remove the oldest lines beyond `KEPT_LINES`."""
    message = message.replace("\0", "\ufffd")  # PostgreSQL's texts cannot hold a NUL
    text = message if len(message) <= LONGEST_LINE else message[: LONGEST_LINE - 1] + "…"
    connection.execute(sa.insert(job_log).values(job_id=job_id, at=at, level=level, message=text))
    newest_first = sa.select(job_log.c.number).where(job_log.c.job_id == job_id).order_by(job_log.c.number.desc())
    last_removed = newest_first.offset(KEPT_LINES).limit(1).scalar_subquery()
    connection.execute(sa.delete(job_log).where(job_log.c.job_id == job_id, job_log.c.number <= last_removed))
