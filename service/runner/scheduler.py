"""Repeats what no request starts: firing schedules, ending leases that ran out, removing old jobs.

Any number of processes may have a scheduler. The database lets each act happen once.
"""

from collections.abc import Callable

from service.domain.schedule import Schedule
from service.jobs.kinds import Kinds
from service.runner.loop import Loop
from service.state.jobs import JobStore
from service.state.schedules import QueueOptions, ScheduleStore

_PRUNE_EVERY_S = 3600.0


def queue_options_by_kind(kinds: Kinds) -> Callable[[Schedule], QueueOptions]:
    """A function that gives the options of a schedule's job. It raises InvalidParameter: wrong kind or parameters."""

    def queue_options(schedule: Schedule) -> QueueOptions:
        kind = kinds.get(schedule.kind)
        kind.runnable.validate(schedule.parameters)
        return QueueOptions(kind.runnable.exclusion_key(schedule.parameters), kind.max_attempts, kind.deadline_s)

    return queue_options


class Scheduler:
    """Acts every `poll_s` seconds, from `start` to `stop`.

    `wake` is called when a job was queued, also one that was queued again. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        schedules: ScheduleStore,
        job_store: JobStore,
        clock: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
        *,
        poll_s: float = 1.0,
    ) -> None:
        self._schedules = schedules
        self._job_store = job_store
        self._clock = clock
        self._wake = wake
        self._begun = False
        self._prune_at = clock() + _PRUNE_EVERY_S
        self._loop = Loop("schedules", self.act, poll_s)

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        self._loop.stop()

    def act(self) -> None:
        """Do once what is due."""
        if not self._begun:
            self._schedules.note_start()
            self._begun = True
        reaped, fired = self._job_store.reap(), self._schedules.fire()
        if self._clock() >= self._prune_at:
            self._prune_at = self._clock() + _PRUNE_EVERY_S
            self._job_store.prune()
        if reaped or fired:
            self._wake()
