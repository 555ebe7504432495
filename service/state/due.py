"""When the jobs and schedules of a state database next need somebody, in one statement.

Processes that wait for work ask only this. So an idle fleet costs the database next to nothing.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from service.domain.job import JobState
from service.state.database import StateDatabase
from service.state.tables import configuration, jobs, schedules

RESEND_S = 60.0
"""A message that no worker claims within this time is sent again."""


@dataclass(frozen=True)
class DueTimes:
    """Seconds until something is due: at most 0 is due now, infinite is never, as far as anybody knows.

    `start_in`: a queued job may start. `send_in`: a queued job has to be sent to the workers. `reap_in`: a lease or a
    deadline ends. `fire_in`: a schedule fires. `configuration` changes with every change of the configuration.
    """

    start_in: float
    send_in: float
    reap_in: float
    fire_in: float
    configuration: int


class DueQuery:
    """Asks for due times. `clock` gives seconds since 1970."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def ask(self, resend_s: float = RESEND_S, kinds: Sequence[str] | None = None) -> DueTimes:
        """The present due times. `kinds`: only jobs of these kinds start. Raises NotReady."""
        query = sa.select(
            _earliest(jobs.c.run_after, _startable() if kinds is None else _startable() & jobs.c.kind.in_(kinds)),
            _earliest(_send_at(resend_s), _startable()),
            _earliest(jobs.c.lease_until, jobs.c.state == JobState.RUNNING.value),
            _earliest(jobs.c.deadline, jobs.c.state == JobState.QUEUED.value),
            sa.select(sa.func.min(schedules.c.next_run)).scalar_subquery(),
            sa.select(sa.func.sum(configuration.c.version)).scalar_subquery(),
        )
        with self._database.read() as connection:
            start_at, send_at, lease_ends_at, deadline, fire_at, versions = connection.execute(query).one()
        now = self._clock()

        def seconds(at: float | None) -> float:
            return math.inf if at is None else at - now

        reap_in = min(seconds(lease_ends_at), seconds(deadline))
        return DueTimes(seconds(start_at), seconds(send_at), reap_in, seconds(fire_at), int(versions or 0))


def key_is_taken() -> sa.ColumnElement[bool]:
    """Whether another job with the same exclusion key runs."""
    other = jobs.alias("other")
    return sa.exists().where(other.c.exclusion_key == jobs.c.exclusion_key, other.c.state == JobState.RUNNING.value)


def _startable() -> sa.ColumnElement[bool]:
    return (jobs.c.state == JobState.QUEUED.value) & ~key_is_taken()


def _send_at(resend_s: float) -> sa.ColumnElement[float]:
    """When a message is due: once the job may start, and again when the last message had no effect."""
    again_at = jobs.c.sent_at + resend_s
    return sa.case((jobs.c.sent_at.is_(None) | (again_at < jobs.c.run_after), jobs.c.run_after), else_=again_at)


def _earliest(time: sa.ColumnElement[float], condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[float]:
    return sa.select(sa.func.min(time)).where(condition).scalar_subquery()
