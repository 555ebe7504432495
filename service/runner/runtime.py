"""All parts that make jobs run in a process: the queue, the schedules, and the executor.

Without a broker this process runs the jobs. With one, it only sends their ids, and worker processes run them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from service.domain.schedule import Schedule
from service.errors import ConfigurationError
from service.jobs.kinds import Kinds
from service.jobs.queue import JobQueue
from service.runner.local import LocalRunner
from service.runner.runner import LEASE_S, Runner
from service.runner.scheduler import Scheduler, queue_options_by_kind
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.state.schedules import ScheduleStore

if TYPE_CHECKING:
    from service.runner.celery import CeleryWorker, Dispatcher


class JobRuntime:
    """Queues, schedules and runs jobs.

    `definitions` gives the present schedules, `clock` seconds since 1970. `store`: the name of the gateway's own store.
    `slots`: how many jobs one process runs at a time.

    Raises ConfigurationError: the broker's address is wrong, or workers cannot share the store.
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
        self._job_store = JobStore(state, clock)
        self._runner = Runner(LeaseStore(state, clock), kinds, clock, lease_s=lease_s)
        self._broker_url = broker_url
        self._slots = slots
        if broker_url is None:
            self._executor: LocalRunner | Dispatcher = LocalRunner(self._job_store, self._runner, slots=slots)
        else:
            self._executor = _dispatcher(self._job_store, broker_url, store, lease_s)
        self.queue = JobQueue(self._job_store, kinds, clock, self._executor.wake)
        self.schedules = ScheduleStore(state, definitions, queue_options_by_kind(kinds), clock)
        self._scheduler = Scheduler(self.schedules, self._job_store, clock, self._executor.wake)

    def start(self) -> None:
        """Begin to fire schedules, and to run or send due jobs."""
        self._executor.start()
        self._scheduler.start()

    def stop(self) -> None:
        """Let runs keep their checkpoints and go back to the queue."""
        self._scheduler.stop()
        self._executor.stop()

    def worker(self, slots: int | None = None) -> "CeleryWorker":
        """The part that a worker process runs. Raises ConfigurationError without a broker."""
        if self._broker_url is None:
            raise ConfigurationError("A worker needs CELERY_BROKER_URL. Without it jobs run inside `fluxgate serve`.")
        from service.runner import celery

        app = celery.broker(self._broker_url, self._runner.lease_s)
        return celery.CeleryWorker(self._job_store, self._runner, app, slots=slots or self._slots)


def _dispatcher(job_store: JobStore, broker_url: str, store: str, lease_s: float) -> "Dispatcher":
    """Celery is imported only where it is used, because the import is slow."""
    from service.runner import celery

    celery.refuse_embedded(store)
    return celery.Dispatcher(job_store, celery.broker(broker_url, lease_s))
