"""Repeats what no request starts: firing schedules, ending leases that ran out, removing old jobs.

Any number of processes may have a scheduler. The database lets each act happen once.
"""

from collections.abc import Callable

from service.domain.schedule import Schedule
from service.jobs.kinds import Kinds
from service.runner.loop import Loop
from service.state.due import DueTimes
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
    `compare_every_s`: how often schedules are compared with their definitions when nothing says that these changed.
    `prune` is called once an hour.
    """

    def __init__(
        self,
        schedules: ScheduleStore,
        job_store: JobStore,
        clock: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
        *,
        poll_s: float = 1.0,
        compare_every_s: float = 0.0,
        prune: Callable[[], None] = lambda: None,
    ) -> None:
        self._schedules = schedules
        self._job_store = job_store
        self._clock = clock
        self._wake = wake
        self._begun = False
        self._configuration: int | None = None
        self._compare_every_s = compare_every_s
        self._compare_at = 0.0
        self._prune = prune
        self._prune_at = clock() + _PRUNE_EVERY_S
        self._loop = Loop("schedules", self.act, poll_s)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    def act(self) -> float:
        """Do once what is due. Returns the seconds until something is due again."""
        if not self._begun:
            self._schedules.note_start()
            self._begun = True
        due = self._job_store.due.ask()
        reaped = self._job_store.reap() if due.reap_in <= 0 else []
        fired = self._schedules.fire() if self._may_fire(due) else []
        if self._clock() >= self._prune_at:
            self._prune_at = self._clock() + _PRUNE_EVERY_S
            self._prune()
        if reaped or fired:
            self._wake()
        return min(due.reap_in, due.fire_in)

    def _may_fire(self, due: DueTimes) -> bool:
        """Whether a schedule is due, or its definition may have changed."""
        now = self._clock()
        is_changed = due.configuration != self._configuration or now >= self._compare_at
        if due.fire_in > 0 and not is_changed:
            return False
        self._configuration, self._compare_at = due.configuration, now + self._compare_every_s
        return True
