"""What is known of each schedule: its next tick, its last, and how often it was left out.

What a schedule IS stands in one place, the configuration; here is only where it has got to. A tick is
taken by the process whose update of `next_run` counts, in the transaction that queues the job, so
it fires once however many processes look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from service.domain.job import JobState, Json
from service.domain.schedule import Schedule, due
from service.errors import CallerError
from service.state.database import StateDatabase
from service.state.jobs import enqueue_on
from service.state.tables import jobs, schedules

_START_ONCE_S = 60.0
"""Processes that start within so long are one start."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ScheduleState:
    """Where a schedule has got to. `skipped`: ticks left out, because the last job was not done or by policy."""

    name: str
    next_run: float | None
    last_run: float | None
    last_job: str | None
    skipped: int


@dataclass(frozen=True)
class Order:
    """What a schedule's tick queues, as its kind says."""

    exclusion_key: str | None
    max_attempts: int | None
    deadline_s: float | None


class ScheduleStore:
    """Fires schedules. `definitions` gives those of now; `order` what a tick of one queues; `clock` seconds since 1970."""

    def __init__(
        self,
        database: StateDatabase,
        definitions: Callable[[], Mapping[str, Schedule]],
        order: Callable[[Schedule], Order],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._definitions = definitions
        self._order = order
        self._clock = clock

    def states(self) -> dict[str, ScheduleState]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schedules)).all()
        return {row.name: ScheduleState(row.name, row.next_run, row.last_run, row.last_job, row.skipped) for row in rows}

    def listing(self) -> list[tuple[Schedule, ScheduleState | None]]:
        """Every schedule with where it has got to (None: no scheduler has seen it yet), by name."""
        states = self.states()
        return [(one, states.get(name)) for name, one in sorted(self._definitions().items())]

    def note_start(self) -> None:
        """A scheduler starts: schedules with `at_start` are due now, unless another start was just before."""
        self._follow(self._definitions())
        now = self._clock()
        names = [one.name for one in self._definitions().values() if one.at_start and one.enabled]
        idle = schedules.c.last_run.is_(None) | (schedules.c.last_run < now - _START_ONCE_S)
        with self._database.write() as connection:
            later = schedules.c.next_run > now
            connection.execute(sa.update(schedules).where(schedules.c.name.in_(names), later, idle).values(next_run=now))

    def fire(self) -> list[str]:
        """Queue a job for every tick that is due; the ids of the new jobs."""
        definitions = self._definitions()
        known = self._follow(definitions)
        now = self._clock()
        fired = (self._fire_one(definitions[name], state.next_run, now) for name, state in known.items() if state.next_run is not None)
        return [job_id for job_id in fired if job_id is not None]

    def _follow(self, definitions: Mapping[str, Schedule]) -> dict[str, ScheduleState]:
        """Bring the rows to the definitions: new and changed ones wait for their next tick, absent ones go."""
        with self._database.read() as connection:
            timings = {row.name: row.timing for row in connection.execute(sa.select(schedules.c.name, schedules.c.timing))}
        changed = [one for name, one in definitions.items() if timings.get(name) != _timing(one)]
        gone = [name for name in timings if name not in definitions]
        if changed or gone:
            now = self._clock()
            with self._database.write() as connection:
                connection.execute(sa.delete(schedules).where(schedules.c.name.in_(gone)))
                for one in changed:
                    self._place(connection, one, now)
        return {name: state for name, state in self.states().items() if name in definitions}

    def _place(self, connection: sa.Connection, one: Schedule, now: float) -> None:
        """Set a schedule's next tick, unless another process did so meanwhile. A new one with `at_start` is due now."""
        row = {"timing": _timing(one), "next_run": one.next_after(now) if one.enabled else None}
        first = {**row, "next_run": now if one.enabled and one.at_start else row["next_run"]}
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        add = insert(schedules).values(name=one.name, last_run=None, last_job=None, skipped=0, **first)
        connection.execute(add.on_conflict_do_update(index_elements=["name"], set_=row, where=schedules.c.timing != row["timing"]))

    def _fire_one(self, one: Schedule, tick: float, now: float) -> str | None:
        what = due(one, tick, now)
        if what is None:
            return None
        order = self._ordered(one) if what.fire else None
        with self._database.write() as connection:
            mine = schedules.c.name == one.name, schedules.c.next_run == tick, schedules.c.timing == _timing(one)
            if connection.execute(sa.update(schedules).where(*mine).values(next_run=what.next_run)).rowcount != 1:
                return None  # another process has this tick
            job_id = None if order is None or _is_open(connection, one) else _queue(connection, one, order, tick, now)
            told: Json = {"skipped": schedules.c.skipped + 1} if job_id is None else {"last_run": now, "last_job": job_id}
            connection.execute(sa.update(schedules).where(schedules.c.name == one.name).values(told))
        return job_id

    def _ordered(self, one: Schedule) -> Order | None:
        """What it queues; None when that is wrong by now (what it names is gone): the others must go on."""
        try:
            return self._order(one)
        except CallerError as wrong:
            _log.warning("schedule left out", schedule=one.name, reason=wrong.message)
            return None


def _queue(connection: sa.Connection, one: Schedule, order: Order, tick: float, now: float) -> str | None:
    """The id of the tick's job; None when somebody queued the same just before."""
    job, new = enqueue_on(
        connection,
        now,
        one.kind,
        one.parameters,
        order.exclusion_key,
        deadline=None if order.deadline_s is None else now + order.deadline_s,
        max_attempts=order.max_attempts,
        created_by="schedule",
        schedule=one.name,
        tick=tick,
    )
    return job.id if new else None


def _timing(one: Schedule) -> str:
    """What, when changed, moves the next tick."""
    return "|".join((one.cron or "", one.zone if one.cron else "", one.every or "", "on" if one.enabled else "off"))


def _is_open(connection: sa.Connection, one: Schedule) -> bool:
    """Its last job waits or runs still."""
    states = [JobState.QUEUED.value, JobState.RUNNING.value]
    return connection.execute(sa.select(jobs.c.id).where(jobs.c.schedule == one.name, jobs.c.state.in_(states)).limit(1)).first() is not None
