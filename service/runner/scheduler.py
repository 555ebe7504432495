"""What has to happen by itself: schedules fire, leases that ran out are ended, old jobs go.

Any number of processes may run one; the database lets each act happen once.
"""

from collections.abc import Callable

from service.domain.schedule import Schedule
from service.jobs.kinds import Kinds
from service.runner.loop import Loop
from service.state.jobs import JobLedger
from service.state.schedules import Order, ScheduleStore

_PRUNE_EVERY_S = 3600.0


def order_by(kinds: Kinds) -> Callable[[Schedule], Order]:
    """What a tick queues, as the schedule's kind says. Raises InvalidParameter for a kind or parameters that are wrong."""

    def order(schedule: Schedule) -> Order:
        kind = kinds.get(schedule.kind)
        kind.runnable.validate(schedule.parameters)
        return Order(kind.runnable.exclusion_key(schedule.parameters), kind.max_attempts, kind.deadline_s)

    return order


class Scheduler:
    """Acts every `poll_s` seconds from `start` to `stop`. `wake` is called when a job was queued or put back; `clock` gives seconds since 1970."""

    def __init__(
        self, book: ScheduleStore, ledger: JobLedger, clock: Callable[[], float], wake: Callable[[], None] = lambda: None, *, poll_s: float = 1.0
    ) -> None:
        self._book = book
        self._ledger = ledger
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
        """One round."""
        if not self._begun:
            self._book.note_start()
            self._begun = True
        reaped, fired = self._ledger.reap(), self._book.fire()
        if self._clock() >= self._prune_at:
            self._prune_at = self._clock() + _PRUNE_EVERY_S
            self._ledger.prune()
        if reaped or fired:
            self._wake()
