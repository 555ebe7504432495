"""The ledger of jobs: queued once, claimed by one, taken up again when their process died.

That one job at a time runs for an exclusion key is held by a unique index. Every claim raises the
row's fence, and whoever writes for a run writes under its fence (`service.state.leases`), so that a
process which was thought dead changes nothing when it wakes. Clocks of machines that share a ledger
must agree to well within a lease.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.domain.job import Job, JobState, LogLine
from service.errors import CallerError, NotFound
from service.state.database import StateDatabase
from service.state.job_rows import error_of, job_of, line_of, new_id, sameness
from service.state.leases import Lease, add_line
from service.state.tables import job_log, jobs

LONGEST_LIST = 500
KEPT_ENDED = 5_000
"""Ended jobs that are kept, with their logs; older ones are removed."""
_LOOKED_AT = 8
_QUEUED, _RUNNING = jobs.c.state == JobState.QUEUED.value, jobs.c.state == JobState.RUNNING.value
_NEVER_RAN = {"fence": 0, "attempts": 0, "cancel_requested": False, "version": 1, "state": JobState.QUEUED.value}


class JobLedger:
    """All jobs. `clock` gives seconds since 1970."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    # --- queueing ---

    def enqueue(self, kind: str, parameters: Mapping[str, Any], exclusion_key: str | None, **more: Any) -> tuple[Job, bool]:  # noqa: ANN401
        """A queued job, and whether it is new: a queued one that would do the same is given instead of a second.

        `more`: run_after, deadline, max_attempts, created_by, schedule and tick, as the columns.
        """
        with self._database.write() as connection:
            return enqueue_on(connection, self._clock(), kind, parameters, exclusion_key, **more)

    def retry(self, job_id: str, by: str) -> Job:
        """Queue a failed or cancelled job again, with its checkpoint. Raises NotFound, CallerError."""
        now = self._clock()
        again = {
            "state": JobState.QUEUED.value, "run_after": now, "sent_at": None, "attempts": 0, "cancel_requested": False, "error": None,
            "finished_at": None, "deadline": now + (jobs.c.deadline - jobs.c.created_at), "version": jobs.c.version + 1,
        }  # fmt: skip
        with self._database.write() as connection:
            retryable = jobs.c.state.in_([state.value for state in JobState if state.can_be_retried])
            if not connection.execute(sa.update(jobs).where(jobs.c.id == job_id, retryable).values(again)).rowcount:
                raise CallerError(f"The job {job_id} is {_found(connection, job_id).state}; only a failed or cancelled one can be tried again.")
            add_line(connection, job_id, now, "info", f"queued again by {by}")
            return _found(connection, job_id)

    # --- running ---

    def claim(self, owner: str, lease_s: float, kinds: Sequence[str], job_id: str | None = None) -> tuple[Job, Lease] | None:
        """The job that is due for longest (or `job_id`, when it is due) as this owner's, until its lease ends. None: there is none.

        A job whose exclusion key is taken by a running one is passed over.
        """
        now = self._clock()
        with self._database.read() as connection:  # most looks find nothing, and need no lock for it
            if connection.execute(_claimable(now, kinds, job_id).limit(1)).first() is None:
                return None
        with self._database.write() as connection:
            for row in connection.execute(_claimable(now, kinds, job_id).limit(_LOOKED_AT).with_for_update(skip_locked=True)).all():
                try:
                    with connection.begin_nested():
                        return self._take(connection, row, owner, now, lease_s)
                except sa.exc.IntegrityError:
                    continue  # another process has just begun a job of this key
        return None

    def _take(self, connection: sa.Connection, row: sa.Row[Any], owner: str, now: float, lease_s: float) -> tuple[Job, Lease]:
        lease = Lease(row.id, row.fence + 1, owner, now + lease_s)
        values = {
            "state": JobState.RUNNING.value, "lease_owner": owner, "lease_until": lease.until, "fence": lease.fence, "attempts": row.attempts + 1,
            "started_at": row.started_at or now, "version": row.version + 1, "error": None,
        }  # fmt: skip
        if row.progress is not None:  # the rate is that of this attempt
            values["progress"] = {**row.progress, "base": row.progress["done"], "since": now}
        connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(values))
        return _found(connection, row.id), lease

    def reap(self) -> list[str]:
        """Put back the jobs whose lease ran out, and end those whose deadline passed in the queue; their ids.

        One that died as often as it may without getting any further has failed.
        """
        now = self._clock()
        lost = _RUNNING & (jobs.c.lease_until < now)
        late = _QUEUED & (jobs.c.deadline <= now)
        with self._database.read() as connection:
            if connection.execute(sa.select(jobs.c.id).where(lost | late).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            rows = connection.execute(sa.select(jobs).where(lost | late).with_for_update(skip_locked=True)).all()
            for row in rows:
                connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(_reaped(row, now)))
                found = _found(connection, row.id)
                if row.state == JobState.RUNNING.value:
                    add_line(connection, row.id, now, "warning", f"{row.lease_owner} was not heard of within its lease: {found.state.value}")
            return [row.id for row in rows]

    def take_over(self, job_id: str, by: str) -> Job:
        """End a running job's lease on purpose and queue it again; its process can write nothing more. Raises NotFound, CallerError."""
        now = self._clock()
        values = {
            "state": JobState.QUEUED.value, "fence": jobs.c.fence + 1, "lease_owner": None, "lease_until": None, "sent_at": None,
            "attempts": 0, "cancel_requested": False, "version": jobs.c.version + 1,
        }  # fmt: skip
        with self._database.write() as connection:
            before = _found(connection, job_id)
            if not connection.execute(sa.update(jobs).where(jobs.c.id == job_id, _RUNNING).values(values)).rowcount:
                raise CallerError(f"The job {job_id} is {before.state}; only a running one has a lease to take over.")
            add_line(connection, job_id, now, "warning", f"lease of {before.lease_owner} taken over on purpose by {by}")
            return _found(connection, job_id)

    def cancel(self, job_id: str, by: str) -> Job:
        """End a queued job at once; ask a running one to end. An ended one stays as it is. Raises NotFound."""
        now = self._clock()
        ended = {"state": JobState.CANCELLED.value, "finished_at": now, "cancel_requested": True, "version": jobs.c.version + 1}
        with self._database.write() as connection:
            queued = connection.execute(sa.update(jobs).where(jobs.c.id == job_id, _QUEUED).values(ended)).rowcount
            asked = {"cancel_requested": True, "version": jobs.c.version + 1}
            running = 0 if queued else connection.execute(sa.update(jobs).where(jobs.c.id == job_id, _RUNNING).values(asked)).rowcount
            if queued or running:
                add_line(connection, job_id, now, "info", f"cancelled by {by}" if queued else f"{by} asked for its end")
            return _found(connection, job_id)

    # --- sending to workers ---

    def to_send(self, resend_s: float, most: int) -> list[str]:
        """Due jobs that no message is under way for, or for longer than `resend_s`; marked as sent now, so that one process sends each."""
        now = self._clock()
        waiting = _QUEUED & (jobs.c.run_after <= now) & (jobs.c.sent_at.is_(None) | (jobs.c.sent_at < now - resend_s)) & ~_key_is_taken()
        with self._database.read() as connection:
            if connection.execute(sa.select(jobs.c.id).where(waiting).limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            oldest = sa.select(jobs.c.id).where(waiting).order_by(jobs.c.run_after, jobs.c.id).limit(most).with_for_update(skip_locked=True)
            ids = [str(one) for one in connection.execute(oldest).scalars()]
            connection.execute(sa.update(jobs).where(jobs.c.id.in_(ids)).values(sent_at=now))
        return ids

    def unsend(self, ids: Iterable[str]) -> None:
        """The messages of these queued jobs did not go out, or came to nothing."""
        with self._database.write() as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id.in_(list(ids)), _QUEUED).values(sent_at=None))

    # --- looking ---

    def show(self, job_id: str) -> Job:
        """Raises NotFound."""
        with self._database.read() as connection:
            return _found(connection, job_id)

    def list(
        self, kinds: Sequence[str], states: Sequence[JobState] = (), limit: int = 50, before: str | None = None, created_by: str | None = None
    ) -> list[Job]:
        """Jobs of these kinds, the newest first; `before`: older than that id."""
        query = sa.select(jobs).where(jobs.c.kind.in_(kinds)).order_by(jobs.c.id.desc()).limit(min(limit, LONGEST_LIST))
        if states:
            query = query.where(jobs.c.state.in_([one.value for one in states]))
        if before is not None:
            query = query.where(jobs.c.id < before)
        if created_by is not None:
            query = query.where(jobs.c.created_by == created_by)
        with self._database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def lines(self, job_id: str, after: int = 0, limit: int = LONGEST_LIST) -> Sequence[LogLine]:
        """Lines of its log after number `after`, the oldest first."""
        query = sa.select(job_log).where(job_log.c.job_id == job_id, job_log.c.number > after).order_by(job_log.c.number).limit(limit)
        with self._database.read() as connection:
            return [line_of(row) for row in connection.execute(query)]

    def newest_lines(self, job_id: str, most: int) -> Sequence[LogLine]:
        """The last lines of its log, the oldest of them first."""
        query = sa.select(job_log).where(job_log.c.job_id == job_id).order_by(job_log.c.number.desc()).limit(most)
        with self._database.read() as connection:
            return [line_of(row) for row in reversed(connection.execute(query).all())]

    def prune(self, keep: int = KEPT_ENDED) -> int:
        """Remove the oldest ended jobs beyond `keep`, with their logs; how many."""
        ended = jobs.c.state.in_([state.value for state in JobState if state.ended])
        old = sa.select(jobs.c.id).where(ended).order_by(jobs.c.id.desc()).offset(keep).limit(10_000)
        with self._database.read() as connection:
            ids = [str(one) for one in connection.execute(old).scalars()]
        for start in range(0, len(ids), 500):
            with self._database.write() as connection:
                some = ids[start : start + 500]
                connection.execute(sa.delete(job_log).where(job_log.c.job_id.in_(some)))
                connection.execute(sa.delete(jobs).where(jobs.c.id.in_(some), ended))
        return len(ids)


def enqueue_on(
    connection: sa.Connection,
    now: float,
    kind: str,
    parameters: Mapping[str, Any],
    exclusion_key: str | None,
    **more: Any,  # noqa: ANN401
) -> tuple[Job, bool]:
    """As `JobLedger.enqueue`, inside a transaction of the caller's."""
    same = sameness(kind, exclusion_key, parameters)
    if connection.dialect.name == "postgresql":  # SQLite's writers are one at a time anyway
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(same[:15], 16))))
    there = connection.execute(sa.select(jobs).where(jobs.c.sameness == same, _QUEUED).order_by(jobs.c.id).limit(1)).first()
    if there is not None:
        return job_of(there), False
    job_id = new_id(now)
    row = {"id": job_id, "kind": kind, "parameters": dict(parameters), "sameness": same, "exclusion_key": exclusion_key, "created_at": now}
    connection.execute(sa.insert(jobs).values({**_NEVER_RAN, "run_after": now, **row, **more}))
    return _found(connection, job_id), True


def _key_is_taken() -> sa.ColumnElement[bool]:
    other = jobs.alias("other")
    return sa.exists().where(other.c.exclusion_key == jobs.c.exclusion_key, other.c.state == JobState.RUNNING.value)


def _claimable(now: float, kinds: Sequence[str], job_id: str | None) -> sa.Select[Any]:
    query = sa.select(jobs).where(_QUEUED, jobs.c.run_after <= now, jobs.c.kind.in_(kinds), ~_key_is_taken())
    if job_id is not None:
        query = query.where(jobs.c.id == job_id)
    return query.order_by(jobs.c.run_after, jobs.c.id)


def _reaped(row: sa.Row[Any], now: float) -> dict[str, object]:
    base: dict[str, object] = {"lease_owner": None, "lease_until": None, "sent_at": None, "version": row.version + 1}
    ended: dict[str, object] = {**base, "finished_at": now}
    if row.state == JobState.RUNNING.value and row.cancel_requested:
        return {**ended, "state": JobState.CANCELLED.value}
    if row.deadline is not None and row.deadline <= now:
        message = "Its deadline passed before it was done. Give it longer, or look in its log for what held it up; a retry goes on from there."
        return {**ended, "state": JobState.FAILED.value, "error": error_of("deadline", message)}
    if row.max_attempts is not None and row.attempts >= row.max_attempts:
        message = f"Its process ended {row.attempts} times without getting any further. Look at the process's log and its memory; then retry."
        return {**ended, "state": JobState.FAILED.value, "error": error_of("worker_lost", message)}
    return {**base, "state": JobState.QUEUED.value}


def _found(connection: sa.Connection, job_id: str) -> Job:
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise NotFound(f"There is no job {job_id!r}. GET /jobs lists them.")
    return job_of(row)
