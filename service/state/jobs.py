"""Jobs in SQL: each is queued once, claimed by one process, and queued again when that process died.

A unique index lets only one job per exclusion key run at a time. Every claim raises the row's fence, and every write
of a run names its fence (`service.state.leases`). So a process that was thought dead changes nothing when it wakes.
The clocks of machines that share a database must agree to well within a lease.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.domain.job import Job, JobState, LogLine
from service.errors import CallerError, NotFound
from service.state.database import StateDatabase
from service.state.due import DueQuery, key_is_taken
from service.state.job_rows import deduplication_key, error_of, job_of, line_of, new_id
from service.state.leases import Lease, add_line
from service.state.tables import job_log, jobs

LONGEST_LIST = 500
KEPT_ENDED = 5_000
"""So many ended jobs of each kind are kept, with their logs. Older ones are removed."""
_MOST_CANDIDATES = 8
_REMOVED_AT_ONCE = 500
_QUEUED, _RUNNING = jobs.c.state == JobState.QUEUED.value, jobs.c.state == JobState.RUNNING.value
_NEVER_RAN = {"fence": 0, "attempts": 0, "cancel_requested": False, "version": 1, "state": JobState.QUEUED.value}


class JobStore:
    """All jobs. `clock` gives seconds since 1970."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self.due = DueQuery(database, clock)

    # --- queueing ---

    def enqueue(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        exclusion_key: str | None,
        **columns: Any,  # noqa: ANN401
    ) -> tuple[Job, bool]:
        """A queued job, and whether it is new. A job that would do the same work and is queued already is not repeated.

        `columns`: run_after, deadline, max_attempts, created_by, schedule and tick.
        """
        with self._database.write() as connection:
            return enqueue_on(connection, self._clock(), kind, parameters, exclusion_key, **columns)

    def retry(self, job_id: str, by: str) -> Job:
        """Queue a failed or cancelled job again, with its checkpoint. Raises NotFound, CallerError."""
        now = self._clock()
        requeued = {
            "state": JobState.QUEUED.value, "run_after": now, "sent_at": None, "attempts": 0,
            "cancel_requested": False, "error": None, "finished_at": None,
            "deadline": now + (jobs.c.deadline - jobs.c.created_at), "version": jobs.c.version + 1,
        }  # fmt: skip
        with self._database.write() as connection:
            retryable = jobs.c.state.in_([state.value for state in JobState if state.can_be_retried])
            if not connection.execute(sa.update(jobs).where(jobs.c.id == job_id, retryable).values(requeued)).rowcount:
                state = _job(connection, job_id).state
                raise CallerError(f"The job {job_id} is {state}; only a failed or cancelled one can be tried again.")
            add_line(connection, job_id, now, "info", f"queued again by {by}")
            return _job(connection, job_id)

    # --- running ---

    def claim(
        self,
        owner: str,
        lease_s: float,
        kinds: Sequence[str],
        job_id: str | None = None,
    ) -> tuple[Job, Lease] | None:
        """Start the job that has been due for longest, with a lease for `owner`. None: no job is due.

        `job_id`: claim only this job. A job waits while another one with its exclusion key runs.
        """
        now = self._clock()
        with self._database.read() as connection:  # mostly no job is due, and that needs no lock
            if connection.execute(_claimable(now, kinds, job_id).limit(1)).first() is None:
                return None
        with self._database.write() as connection:
            candidates = _claimable(now, kinds, job_id).limit(_MOST_CANDIDATES).with_for_update(skip_locked=True)
            for row in connection.execute(candidates).all():
                try:
                    with connection.begin_nested():
                        return self._start(connection, row, owner, now, lease_s)
                except sa.exc.IntegrityError:
                    continue  # another process has just started a job of this key
        return None

    def _start(
        self,
        connection: sa.Connection,
        row: sa.Row[Any],
        owner: str,
        now: float,
        lease_s: float,
    ) -> tuple[Job, Lease]:
        lease = Lease(row.id, row.fence + 1, owner, now + lease_s)
        values = {
            "state": JobState.RUNNING.value, "lease_owner": owner, "lease_until": lease.until, "fence": lease.fence,
            "attempts": row.attempts + 1, "started_at": row.started_at or now, "version": row.version + 1,
            "error": None,
        }  # fmt: skip
        if row.progress is not None:  # the rate is that of this attempt
            values["progress"] = {**row.progress, "base": row.progress["done"], "since": now}
        connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(values))
        return _job(connection, row.id), lease

    def reap(self) -> list[str]:
        """Queue jobs without a lease again, and fail those whose deadline passed in the queue. Returns their ids.

        A job fails when its process died `max_attempts` times and saved no checkpoint in between.
        """
        now = self._clock()
        without_lease = _RUNNING & (jobs.c.lease_until < now)
        overdue = _QUEUED & (jobs.c.deadline <= now)
        with self._database.read() as connection:
            if connection.execute(sa.select(jobs.c.id).where(without_lease | overdue).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            affected = sa.select(jobs).where(without_lease | overdue).with_for_update(skip_locked=True)
            rows = connection.execute(affected).all()
            for row in rows:
                connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(_reaped(row, now)))
                if row.state == JobState.RUNNING.value:
                    state = _job(connection, row.id).state.value
                    message = f"{row.lease_owner} did not renew its lease: {state}"
                    add_line(connection, row.id, now, "warning", message)
            return [row.id for row in rows]

    def take_over(self, job_id: str, by: str) -> Job:
        """End a running job's lease on purpose and queue the job again. Its process can write nothing more.

        Raises NotFound, CallerError.
        """
        now = self._clock()
        values = {
            "state": JobState.QUEUED.value, "fence": jobs.c.fence + 1, "lease_owner": None, "lease_until": None,
            "sent_at": None, "attempts": 0, "cancel_requested": False, "version": jobs.c.version + 1,
        }  # fmt: skip
        with self._database.write() as connection:
            before = _job(connection, job_id)
            if not connection.execute(sa.update(jobs).where(jobs.c.id == job_id, _RUNNING).values(values)).rowcount:
                raise CallerError(f"The job {job_id} is {before.state}; only a running job has a lease to take over.")
            message = f"lease of {before.lease_owner} taken over on purpose by {by}"
            add_line(connection, job_id, now, "warning", message)
            return _job(connection, job_id)

    def cancel(self, job_id: str, by: str) -> Job:
        """End a queued job at once; ask a running job to end. An ended job stays as it is. Raises NotFound."""
        now = self._clock()
        requested = {"cancel_requested": True, "version": jobs.c.version + 1}
        cancelled = {**requested, "state": JobState.CANCELLED.value, "finished_at": now}
        with self._database.write() as connection:
            end_queued = sa.update(jobs).where(jobs.c.id == job_id, _QUEUED).values(cancelled)
            ask_running = sa.update(jobs).where(jobs.c.id == job_id, _RUNNING).values(requested)
            if connection.execute(end_queued).rowcount:
                add_line(connection, job_id, now, "info", f"cancelled by {by}")
            elif connection.execute(ask_running).rowcount:
                add_line(connection, job_id, now, "info", f"{by} asked for its end")
            return _job(connection, job_id)

    # --- sending to workers ---

    def to_send(self, resend_s: float, limit: int) -> list[str]:
        """The ids of due jobs for which no message was sent in the last `resend_s`.

        They are marked as sent now, so that one process sends each.
        """
        now = self._clock()
        is_unsent = jobs.c.sent_at.is_(None) | (jobs.c.sent_at < now - resend_s)
        sendable = _QUEUED & (jobs.c.run_after <= now) & is_unsent & ~key_is_taken()
        with self._database.read() as connection:
            if connection.execute(sa.select(jobs.c.id).where(sendable).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            oldest = sa.select(jobs.c.id).where(sendable).order_by(jobs.c.run_after, jobs.c.id).limit(limit)
            ids = [str(job_id) for job_id in connection.execute(oldest.with_for_update(skip_locked=True)).scalars()]
            connection.execute(sa.update(jobs).where(jobs.c.id.in_(ids)).values(sent_at=now))
        return ids

    def unsend(self, ids: Iterable[str]) -> None:
        """Note that the messages of these queued jobs were not sent, or had no effect."""
        with self._database.write() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id.in_(list(ids)), _QUEUED).values(sent_at=None))

    # --- reading ---

    def show(self, job_id: str) -> Job:
        """The job. Raises NotFound."""
        with self._database.read() as connection:
            return _job(connection, job_id)

    def list(
        self,
        kinds: Sequence[str],
        states: Sequence[JobState] = (),
        limit: int = 50,
        before: str | None = None,
        created_by: str | None = None,
    ) -> list[Job]:
        """Jobs of these kinds, the newest first. `before`: only jobs older than that id."""
        newest_first = sa.select(jobs).where(jobs.c.kind.in_(kinds)).order_by(jobs.c.id.desc())
        query = newest_first.limit(min(limit, LONGEST_LIST))
        if states:
            query = query.where(jobs.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(jobs.c.id < before)
        if created_by is not None:
            query = query.where(jobs.c.created_by == created_by)
        with self._database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def counts(self) -> dict[tuple[str, JobState], int]:
        """How many jobs there are of each kind and state; those without any are absent."""
        query = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
        with self._database.read() as connection:
            return {(kind, JobState(state)): count for kind, state, count in connection.execute(query)}

    def lines(self, job_id: str, after: int = 0, limit: int = LONGEST_LIST) -> Sequence[LogLine]:
        """Lines of the job's log with numbers above `after`, the oldest first."""
        later = sa.select(job_log).where(job_log.c.job_id == job_id, job_log.c.number > after)
        query = later.order_by(job_log.c.number).limit(limit)
        with self._database.read() as connection:
            return [line_of(row) for row in connection.execute(query)]

    def newest_lines(self, job_id: str, limit: int) -> Sequence[LogLine]:
        """The last lines of the job's log, the oldest of them first."""
        query = sa.select(job_log).where(job_log.c.job_id == job_id).order_by(job_log.c.number.desc()).limit(limit)
        with self._database.read() as connection:
            return [line_of(row) for row in reversed(connection.execute(query).all())]

    def prune(self, keep: int = KEPT_ENDED) -> int:
        """Remove ended jobs with their logs, except the newest `keep` of each kind. Returns how many were removed.

        Kinds are apart, so that jobs that run every minute do not push out those that run once a week.
        """
        ended = jobs.c.state.in_([state.value for state in JobState if state.ended])
        with self._database.read() as connection:
            kinds = connection.execute(sa.select(jobs.c.kind).where(ended).distinct()).scalars().all()
        return sum(self._prune_kind(kind, ended, keep) for kind in kinds)

    def _prune_kind(self, kind: str, ended: sa.ColumnElement[bool], keep: int) -> int:
        of_kind = sa.select(jobs.c.id).where(ended, jobs.c.kind == kind)
        oldest = of_kind.order_by(jobs.c.id.desc()).offset(keep).limit(10_000)
        with self._database.read() as connection:
            ids = [str(job_id) for job_id in connection.execute(oldest).scalars()]
        for start in range(0, len(ids), _REMOVED_AT_ONCE):
            with self._database.write() as connection:
                batch = ids[start : start + _REMOVED_AT_ONCE]
                connection.execute(sa.delete(job_log).where(job_log.c.job_id.in_(batch)))
                connection.execute(sa.delete(jobs).where(jobs.c.id.in_(batch), ended))
        return len(ids)


def enqueue_on(
    connection: sa.Connection,
    now: float,
    kind: str,
    parameters: Mapping[str, Any],
    exclusion_key: str | None,
    **columns: Any,  # noqa: ANN401
) -> tuple[Job, bool]:
    """As `JobStore.enqueue`, inside the caller's transaction."""
    same = deduplication_key(kind, exclusion_key, parameters)
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(same[:15], 16))))
    equal = sa.select(jobs).where(jobs.c.sameness == same, _QUEUED).order_by(jobs.c.id).limit(1)
    queued = connection.execute(equal).first()
    if queued is not None:
        return job_of(queued), False
    job_id = new_id(now)
    row = {
        "id": job_id,
        "kind": kind,
        "parameters": dict(parameters),
        "sameness": same,
        "exclusion_key": exclusion_key,
        "created_at": now,
    }
    connection.execute(sa.insert(jobs).values({**_NEVER_RAN, "run_after": now, **row, **columns}))
    return _job(connection, job_id), True


def _claimable(now: float, kinds: Sequence[str], job_id: str | None) -> sa.Select[Any]:
    query = sa.select(jobs).where(_QUEUED, jobs.c.run_after <= now, jobs.c.kind.in_(kinds), ~key_is_taken())
    if job_id is not None:
        query = query.where(jobs.c.id == job_id)
    return query.order_by(jobs.c.run_after, jobs.c.id)


def _reaped(row: sa.Row[Any], now: float) -> dict[str, object]:
    base: dict[str, object] = {"lease_owner": None, "lease_until": None, "sent_at": None, "version": row.version + 1}
    ended: dict[str, object] = {**base, "finished_at": now}
    if row.state == JobState.RUNNING.value and row.cancel_requested:
        return {**ended, "state": JobState.CANCELLED.value}
    if row.deadline is not None and row.deadline <= now:
        advice = "Give it longer, or look in its log for what held it up; a retry goes on from there."
        message = f"Its deadline passed before it was done. {advice}"
        return {**ended, "state": JobState.FAILED.value, "error": error_of("deadline", message)}
    if row.max_attempts is not None and row.attempts >= row.max_attempts:
        advice = "Look at the process's log and its memory; then retry."
        message = f"Its process ended {row.attempts} times without getting any further. {advice}"
        return {**ended, "state": JobState.FAILED.value, "error": error_of("worker_lost", message)}
    return {**base, "state": JobState.QUEUED.value}


def _job(connection: sa.Connection, job_id: str) -> Job:
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. GET /jobs lists them.")
    return job_of(row)
