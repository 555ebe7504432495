"""All parts that make jobs run in a process: the queue, the schedules, and the executor.

Without a broker this process runs the jobs. With one, it only sends their ids, and worker processes run them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service import __version__
from service.domain.roles import Role
from service.domain.schedule import Schedule
from service.errors import ConfigurationError
from service.jobs.kinds import Kinds
from service.jobs.queue import JobQueue
from service.runner.heartbeat import Heartbeat
from service.runner.local import LocalRunner
from service.runner.runner import LEASE_S, Runner, owner_name
from service.runner.scheduler import Scheduler, queue_options_by_kind
from service.runner.worker_watch import WorkerWatch
from service.state.database import StateDatabase
from service.state.jobs import JobStore
from service.state.leases import LeaseStore
from service.state.notifications import ChangeListener
from service.state.processes import Process, ProcessStore
from service.state.schedules import ScheduleStore

if TYPE_CHECKING:
    from service.runner.celery import CeleryWorker, Dispatcher

_POLL_S = 1.0
_NOTIFIED_POLL_S = 10.0
"""How often a process looks for work by itself where the database tells at once what is new."""
_COMPARE_EVERY_S = 60.0
"""How often it then looks for changes that no database tells of, such as those of a file."""


class JobRuntime:
    """Queues, schedules and runs jobs.

    `definitions` gives the present schedules, `clock` seconds since 1970. `store`: the name of the gateway's own store.
    `slots`: how many jobs one process runs at a time. `sign_folder`: where the files for probes are; None: no files.

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
        result_backend: str | None = None,
        lease_s: float = LEASE_S,
        slots: int = 2,
        sign_folder: Path | None = None,
    ) -> None:
        poll_s = min(_NOTIFIED_POLL_S, lease_s / 2) if state.notifies else _POLL_S
        self.processes = ProcessStore(state, clock)
        self.workers = WorkerWatch(self.processes, clock, broker_url is not None)
        self._sign_folder = sign_folder
        self._heartbeat: Heartbeat | None = None
        self._job_store = JobStore(state, clock)
        self._runner = Runner(LeaseStore(state, clock), kinds, clock, lease_s=lease_s)
        self._broker_url = broker_url
        self._result_backend = result_backend
        self._slots = slots
        if broker_url is None:
            self._executor: LocalRunner | Dispatcher = LocalRunner(
                self._job_store, self._runner, slots=slots, poll_s=poll_s
            )
        else:
            self._executor = _dispatcher(self._job_store, broker_url, store, lease_s, poll_s)
        self.queue = JobQueue(self._job_store, kinds, clock, self._executor.wake)
        self.schedules = ScheduleStore(state, definitions, queue_options_by_kind(kinds), clock)
        self._scheduler = Scheduler(
            self.schedules,
            self._job_store,
            clock,
            self._executor.wake,
            poll_s=poll_s,
            compare_every_s=_COMPARE_EVERY_S if state.notifies else 0.0,
            prune=self._prune,
        )
        listeners = {"jobs": self._wake_all, "configuration": self._scheduler.wake}
        self._listener = ChangeListener(state, listeners) if state.notifies else None

    def start(self, role: Role = Role.GATEWAY) -> None:
        """Begin to fire schedules, to run or send due jobs, and to give signs of life as a `role`."""
        self._heartbeat = self._new_heartbeat(role)
        self._heartbeat.start()
        self._executor.start()
        self._scheduler.start()
        if self._listener is not None:
            self._listener.start()

    def stop(self) -> None:
        """Let runs keep their checkpoints and go back to the queue."""
        if self._listener is not None:
            self._listener.stop()
        self._scheduler.stop()
        self._executor.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()

    @contextmanager
    def alive(self, role: Role) -> Iterator[None]:
        """Give signs of life as a `role`, without starting anything else."""
        heartbeat = self._new_heartbeat(role)
        heartbeat.start()
        try:
            yield
        finally:
            heartbeat.stop()

    def _new_heartbeat(self, role: Role) -> Heartbeat:
        return Heartbeat(self.processes, Process(owner_name(), role, __version__), self._sign_folder)

    def _wake_all(self) -> None:
        self._executor.wake()
        self._scheduler.wake()

    def _prune(self) -> None:
        self._job_store.prune()
        self.processes.prune()

    def worker(self, slots: int | None = None) -> "CeleryWorker":
        """The part that a worker process runs. Raises ConfigurationError without a broker."""
        if self._broker_url is None:
            raise ConfigurationError("A worker needs CELERY_BROKER_URL. Without it jobs run inside `fluxgate serve`.")
        from service.runner import celery

        app = celery.broker(self._broker_url, self._runner.lease_s, self._result_backend)
        return celery.CeleryWorker(self._job_store, self._runner, app, slots=slots or self._slots)


def _dispatcher(job_store: JobStore, broker_url: str, store: str, lease_s: float, poll_s: float) -> "Dispatcher":
    """Celery is imported only where it is used, because the import is slow."""
    from service.runner import celery

    celery.refuse_embedded(store)
    return celery.Dispatcher(job_store, celery.broker(broker_url, lease_s), poll_s=poll_s)
