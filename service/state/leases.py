"""What a run writes about itself, each time under its fence: one that lost its lease changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from service.domain.job import JobState, Json, LeaseLost, Progress
from service.state.database import StateDatabase
from service.state.tables import job_log, jobs

KEPT_LINES = 1_000
"""Lines of a job's log that are kept, the newest."""
LONGEST_LINE = 2_000


@dataclass(frozen=True)
class Lease:
    """The right to run a job until `until` (seconds since 1970), unless it is renewed or lost."""

    job_id: str
    fence: int
    owner: str
    until: float


class LeaseStore:
    """Writes under leases. Every method raises LeaseLost when another has the job, or nobody."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def renew(self, lease: Lease, lease_s: float) -> Lease:
        until = self._clock() + lease_s
        with self._held(lease, lease_until=until):
            return Lease(lease.job_id, lease.fence, lease.owner, until)

    def is_cancelled(self, lease: Lease) -> bool:
        """Whether somebody asked for its end."""
        mine = sa.select(jobs.c.cancel_requested).where(*_mine(lease))
        with self._database.read() as connection:
            row = connection.execute(mine).first()
        if row is None:
            raise _lost(lease)
        return bool(row.cancel_requested)

    def save(self, lease: Lease, checkpoint: Mapping[str, Any]) -> None:
        """Keep a checkpoint. It got further, so earlier attempts no longer count against it."""
        with self._held(lease, checkpoint=dict(checkpoint), attempts=1):
            pass

    def progress(self, lease: Lease, progress: Progress) -> None:
        with self._held(lease, progress=asdict(progress)):
            pass

    def log(self, lease: Lease, level: str, message: str) -> None:
        with self._held(lease) as connection:
            add_line(connection, lease.job_id, self._clock(), level, message)

    def finish(self, lease: Lease, state: JobState, *, result: Json | None = None, error: Json | None = None) -> None:
        """The run's end: succeeded, failed or cancelled."""
        ended = {"state": state.value, "finished_at": self._clock(), "result": result, "error": error, "lease_owner": None, "lease_until": None}
        with self._held(lease, **ended) as connection:
            level = "error" if state is JobState.FAILED else "info"
            add_line(connection, lease.job_id, self._clock(), level, state.value if error is None else f"{state.value}: {error['message']}")

    def put_back(self, lease: Lease, *, run_after: float | None, error: Json | None, why: str) -> None:
        """Into the queue again, from its checkpoint: at `run_after` after an error, at once (None) when its process stops.

        One whose end was asked for is cancelled instead.
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
            add_line(connection, lease.job_id, now, "info" if run_after is None else "warning", why)

    @contextmanager
    def _held(self, lease: Lease, **values: object) -> Iterator[sa.Connection]:
        """A transaction that changed the row under the lease's fence, and holds it until its end."""
        with self._database.write() as connection:
            mine = sa.update(jobs).where(*_mine(lease)).values(version=jobs.c.version + 1, **values)
            if connection.execute(mine).rowcount != 1:
                raise _lost(lease)
            yield connection


def _mine(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.state == JobState.RUNNING.value


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"the lease {lease.fence} of the job {lease.job_id} is over; another may run it")


def add_line(connection: sa.Connection, job_id: str, at: float, level: str, message: str) -> None:
    """Add a line to a job's log, and forget the oldest beyond `KEPT_LINES`."""
    message = message.replace("\0", "\ufffd")  # PostgreSQL's texts cannot hold it
    text = message if len(message) <= LONGEST_LINE else message[: LONGEST_LINE - 1] + "…"
    connection.execute(sa.insert(job_log).values(job_id=job_id, at=at, level=level, message=text))
    oldest = sa.select(job_log.c.number).where(job_log.c.job_id == job_id).order_by(job_log.c.number.desc()).offset(KEPT_LINES).limit(1)
    connection.execute(sa.delete(job_log).where(job_log.c.job_id == job_id, job_log.c.number <= oldest.scalar_subquery()))
