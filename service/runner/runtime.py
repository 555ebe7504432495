"""Everything that makes jobs run in a process, put together: the queue, the schedules, and who does the work.

Without a broker the work is done in this process. With one, this process only sends, and `worker` is
what the processes that work run.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from service.domain.schedule import Schedule
from service.errors import ConfigurationError
from service.jobs.kinds import Kinds
from service.jobs.queue import JobQueue
from service.runner.local import LocalRunner
from service.runner.runner import LEASE_S, Runner
from service.runner.scheduler import Scheduler, order_by
from service.state.database import StateDatabase
from service.state.jobs import JobLedger
from service.state.leases import LeaseStore
from service.state.schedules import ScheduleStore

if TYPE_CHECKING:
    from service.runner.celery import CeleryWorker, Dispatcher


class JobRuntime:
    """`definitions` gives the schedules of now; `clock` seconds since 1970; `store` is the name of the gateway's own; `slots`: jobs at a time
    in one process.

    Raises ConfigurationError: a broker that is none, or with the embedded store, which workers cannot share.
    """

    def __init__(
        self,
        state: StateDatabase,
        kinds: Kinds,
        definitions: Callable[[], Mapping[str, Schedule]],
        clock: Callable[[], float],
        *,
        store: str,
        broker_url: str | None = None,
        lease_s: float = LEASE_S,
        slots: int = 2,
    ) -> None:
        self._ledger = JobLedger(state, clock)
        self._runner = Runner(LeaseStore(state, clock), kinds, clock, lease_s=lease_s)
        self._broker_url = broker_url
        self._slots = slots
        if broker_url is None:
            self._executor: LocalRunner | Dispatcher = LocalRunner(self._ledger, self._runner, slots=slots)
        else:
            self._executor = _sender(self._ledger, broker_url, store, lease_s)
        self.queue = JobQueue(self._ledger, kinds, clock, self._executor.wake)
        self.schedules = ScheduleStore(state, definitions, order_by(kinds), clock)
        self._scheduler = Scheduler(self.schedules, self._ledger, clock, self._executor.wake)

    def start(self) -> None:
        """Fire schedules, and run or send what is due."""
        self._executor.start()
        self._scheduler.start()

    def stop(self) -> None:
        """Runs keep their checkpoints and go back to the queue."""
        self._scheduler.stop()
        self._executor.stop()

    def worker(self, slots: int | None = None) -> "CeleryWorker":
        """What a worker process runs. Raises ConfigurationError without a broker."""
        if self._broker_url is None:
            raise ConfigurationError("A worker needs CELERY_BROKER_URL. Without it jobs run inside `fluxgate serve`.")
        from service.runner import celery

        app = celery.broker(self._broker_url, self._runner.lease_s)
        return celery.CeleryWorker(self._ledger, self._runner, app, slots=slots or self._slots)


def _sender(ledger: JobLedger, broker_url: str, store: str, lease_s: float) -> "Dispatcher":
    """Celery is imported only where it is used: it takes its time."""
    from service.runner import celery

    celery.refuse_embedded(store)
    return celery.Dispatcher(ledger, celery.broker(broker_url, lease_s))
