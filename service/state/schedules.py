"""The state of each schedule: its next tick, its last run, and how many ticks were skipped.

The configuration alone defines a schedule. This file keeps only its state. One process takes a tick: the one whose
update of `next_run` changes the row. The same transaction queues the job, so a tick fires once, however many processes
look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from service.domain.job import JobState, Json
from service.domain.schedule import Schedule, due
from service.errors import CallerError
from service.state.database import StateDatabase
from service.state.inserts import insert_into
from service.state.jobs import enqueue_on
from service.state.tables import jobs, schedules

_START_ONCE_S = 60.0
"""Starts of processes that are closer together count as one start."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ScheduleState:
    """The state of a schedule. `skipped`: ticks without a job, because the last job was not done, or by policy."""

    name: str
    next_run: float | None
    last_run: float | None
    last_job: str | None
    skipped: int


@dataclass(frozen=True)
class QueueOptions:
    """With what a schedule's tick queues its job. The kind of job decides."""

    exclusion_key: str | None
    max_attempts: int | None
    deadline_s: float | None


class ScheduleStore:
    """Fires schedules.

    `definitions` gives the present schedules, `queue_options` the options of a schedule's job, and `clock` seconds
    since 1970.
    """

    def __init__(
        self,
        database: StateDatabase,
        definitions: Callable[[], Mapping[str, Schedule]],
        queue_options: Callable[[Schedule], QueueOptions],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._definitions = definitions
        self._queue_options = queue_options
        self._clock = clock

    def states(self) -> dict[str, ScheduleState]:
        """The state of every schedule that a scheduler has seen, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schedules)).all()
        states = (ScheduleState(row.name, row.next_run, row.last_run, row.last_job, row.skipped) for row in rows)
        return {state.name: state for state in states}

    def listing(self) -> list[tuple[Schedule, ScheduleState | None]]:
        """Every schedule with its state (None: no scheduler has seen it yet), by name."""
        states = self.states()
        return [(schedule, states.get(name)) for name, schedule in sorted(self._definitions().items())]

    def note_start(self) -> None:
        """Make schedules with `at_start` due now, unless another process has started a moment ago."""
        self._synchronized(self._definitions())
        now = self._clock()
        definitions = self._definitions().values()
        names = [schedule.name for schedule in definitions if schedule.at_start and schedule.enabled]
        idle = schedules.c.last_run.is_(None) | (schedules.c.last_run < now - _START_ONCE_S)
        with self._database.write() as connection:
            later = schedules.c.next_run > now
            not_due = sa.and_(schedules.c.name.in_(names), later, idle)
            connection.execute(sa.update(schedules).where(not_due).values(next_run=now))

    def fire(self) -> list[str]:
        """Queue a job for every tick that is due. Returns the ids of the new jobs."""
        definitions = self._definitions()
        states = self._synchronized(definitions)
        now = self._clock()
        ticks = [(definitions[name], state.next_run) for name, state in states.items()]
        job_ids = [self._fire(schedule, tick, now) for schedule, tick in ticks if tick is not None]
        return [job_id for job_id in job_ids if job_id is not None]

    def _synchronized(self, definitions: Mapping[str, Schedule]) -> dict[str, ScheduleState]:
        """Make the rows fit the definitions, and give their states.

        New and changed schedules wait for their next tick. Schedules that are gone lose their row.
        """
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schedules.c.name, schedules.c.timing)).all()
        timings = {row.name: row.timing for row in rows}
        changed = [schedule for name, schedule in definitions.items() if timings.get(name) != _timing(schedule)]
        gone = [name for name in timings if name not in definitions]
        if changed or gone:
            now = self._clock()
            with self._database.write() as connection:
                connection.execute(sa.delete(schedules).where(schedules.c.name.in_(gone)))
                for schedule in changed:
                    self._put(connection, schedule, now)
        return {name: state for name, state in self.states().items() if name in definitions}

    def _put(self, connection: sa.Connection, schedule: Schedule, now: float) -> None:
        """Set a schedule's next tick, unless another process did so meanwhile. A new one with `at_start` is due now."""
        row = {"timing": _timing(schedule), "next_run": schedule.next_after(now) if schedule.enabled else None}
        first = {**row, "next_run": now if schedule.enabled and schedule.at_start else row["next_run"]}
        insert = insert_into(schedules, connection.dialect)
        add = insert.values(name=schedule.name, last_run=None, last_job=None, skipped=0, **first)
        is_changed = schedules.c.timing != row["timing"]
        connection.execute(add.on_conflict_do_update(index_elements=["name"], set_=row, where=is_changed))

    def _fire(self, schedule: Schedule, tick: float, now: float) -> str | None:
        """The id of the job that the tick queues; None: it is not due, or it is skipped."""
        decision = due(schedule, tick, now)
        if decision is None:
            return None
        options = self._options(schedule) if decision.fire else None
        with self._database.write() as connection:
            of_schedule = sa.update(schedules).where(schedules.c.name == schedule.name)
            untaken = of_schedule.where(schedules.c.next_run == tick, schedules.c.timing == _timing(schedule))
            if connection.execute(untaken.values(next_run=decision.next_run)).rowcount != 1:
                return None  # another process has taken this tick
            job_id = None
            if options is not None and not _has_open_job(connection, schedule):
                job_id = _enqueue(connection, schedule, options, tick, now)
            skipped: Json = {"skipped": schedules.c.skipped + 1}
            connection.execute(
                of_schedule.values(skipped if job_id is None else {"last_run": now, "last_job": job_id}),
            )
        return job_id

    def _options(self, schedule: Schedule) -> QueueOptions | None:
        """How its job is queued. None: the job is no longer possible. Other schedules go on."""
        try:
            return self._queue_options(schedule)
        except CallerError as wrong:
            _log.warning("a schedule cannot queue its job", schedule=schedule.name, reason=wrong.message)
            return None


def _enqueue(
    connection: sa.Connection,
    schedule: Schedule,
    options: QueueOptions,
    tick: float,
    now: float,
) -> str | None:
    """The id of the tick's job. None: an equal job is queued already."""
    job, is_new = enqueue_on(
        connection,
        now,
        schedule.kind,
        schedule.parameters,
        options.exclusion_key,
        deadline=None if options.deadline_s is None else now + options.deadline_s,
        max_attempts=options.max_attempts,
        created_by="schedule",
        schedule=schedule.name,
        tick=tick,
    )
    return job.id if is_new else None


def _timing(schedule: Schedule) -> str:
    """A text that changes whenever the next tick has to be set anew."""
    zone, switch = schedule.zone if schedule.cron else "", "on" if schedule.enabled else "off"
    return "|".join((schedule.cron or "", zone, schedule.every or "", switch))


def _has_open_job(connection: sa.Connection, schedule: Schedule) -> bool:
    """Whether a job of this schedule is still queued or running."""
    states = [JobState.QUEUED.value, JobState.RUNNING.value]
    is_open = sa.and_(jobs.c.schedule == schedule.name, jobs.c.state.in_(states))
    return connection.execute(sa.select(jobs.c.id).where(is_open).limit(1)).first() is not None
