"""Jobs on many machines: Celery carries a job's id to a worker, and the row says whether it may run.

A message can come late, twice or never. If it comes twice, the row is claimed once. If it never comes, the job is still
due, and its id is sent again. So nothing is lost when a worker or the broker dies, and no result store is needed.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator

from celery import Celery
from celery.exceptions import ImproperlyConfigured, OperationalError
from celery.signals import worker_shutting_down

from service.errors import ConfigurationError, FluxgateError, RetryLater
from service.runner.loop import Loop
from service.runner.runner import Runner, owner_name
from service.state.due import RESEND_S
from service.state.jobs import JobStore

TASK = "fluxgate.run"
QUEUE = "fluxgate"
_SHORTEST_VISIBILITY_S = 3600
_MOST_SENT = 100


def refuse_embedded(store: str) -> None:
    """Raises ConfigurationError where `store` names the embedded store, which workers cannot share."""
    if store == "embedded":
        raise ConfigurationError(
            "CELERY_BROKER_URL is set, but the embedded store belongs to one process, so workers cannot reach it."
            " Set INFLUXDB_URL, or leave CELERY_BROKER_URL out: jobs then run inside the service."
        )


def broker(url: str, lease_s: float, result_backend: str | None = None) -> Celery:
    """The Celery application for the broker at `url` (Redis or AMQP). Raises ConfigurationError.

    `result_backend`: where Celery keeps the end states of tasks, for other tools; None: nowhere.
    """
    try:
        app = Celery(QUEUE, broker=url, backend=result_backend or "disabled", set_as_current=False)
        # An unknown transport is an error now, not at the first message.
        app.connection_for_write().transport_cls  # noqa: B018
    except (KeyError, ImportError, ValueError) as broken:
        finding = f"CELERY_BROKER_URL is no address of a broker ({type(broken).__name__})."
        advice = "Write redis://host:6379/0 or amqp://user:password@host//."
        raise ConfigurationError(f"{finding} {advice}") from None
    _refuse_unknown_backend(app)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=result_backend is None,
        result_backend_transport_options={"socket_timeout": 10, "socket_connect_timeout": 5},
        # RabbitMQ closes the channel of a task that runs for longer than its consumer_timeout, 30 minutes by default.
        # Then the worker connects again, and the job goes on: its second message runs nothing, because its row is
        # claimed. Without this setting the worker would take no more jobs, and end.
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        broker_transport_options={
            "visibility_timeout": max(_SHORTEST_VISIBILITY_S, int(4 * lease_s)),
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "max_retries": 1,
            "interval_start": 0,
        },
    )
    return app


def _refuse_unknown_backend(app: Celery) -> None:
    """Raises ConfigurationError: CELERY_RESULT_BACKEND names nothing that Celery knows."""
    try:
        app.backend  # noqa: B018  (it is looked up now)
    except (ImproperlyConfigured, ImportError, ValueError) as broken:
        finding = f"CELERY_RESULT_BACKEND is no place for results that Celery knows ({type(broken).__name__})."
        raise ConfigurationError(f"{finding} Write redis://host:6379/2 or rpc://, or leave it out.") from None


class Dispatcher:
    """Sends due jobs to the workers, from `start` to `stop`; again what no worker claims within `resend_s`."""

    def __init__(self, job_store: JobStore, app: Celery, *, poll_s: float = 1.0, resend_s: float = RESEND_S) -> None:
        self._job_store = job_store
        self._app = app
        self._resend_s = resend_s
        self._loop = Loop("dispatch", self._act, poll_s)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    def _act(self) -> float:
        due_in_s = self._job_store.due.ask(self._resend_s).send_in
        if due_in_s <= 0:
            self.send_due()
        return due_in_s

    def send_due(self) -> int:
        """Send the due jobs, and return how many. Raises RetryLater while the broker cannot be reached."""
        ids = self._job_store.to_send(self._resend_s, _MOST_SENT)
        for number, job_id in enumerate(ids):
            try:
                self._app.send_task(TASK, (job_id,), queue=QUEUE, retry=False)
            except (OperationalError, OSError) as broken:
                self._job_store.unsend(ids[number:])
                reason = f"The broker cannot be reached ({type(broken).__name__})."
                raise RetryLater(f"{reason} Check CELERY_BROKER_URL, and that it is up.") from broken
        return len(ids)


class CeleryWorker:
    """Runs jobs whose ids the broker sends, at most `slots` at a time, until the process is asked to end."""

    def __init__(self, job_store: JobStore, runner: Runner, app: Celery, *, slots: int = 2) -> None:
        self._job_store = job_store
        self._runner = runner
        self._app = app
        self._slots = slots
        self._owner = owner_name()
        self._stopping = threading.Event()
        app.task(name=TASK)(self._run)

    def run(self) -> None:
        """Serve until SIGTERM. Then every run keeps its checkpoint and goes back to the queue."""
        with self._stopping_on_signal():
            name = f"fluxgate-{os.getpid()}-{secrets.token_hex(3)}@%h"
            worker = self._app.Worker(
                hostname=name,
                pool="threads",
                concurrency=self._slots,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                quiet=True,
            )
            worker.start()

    def _run(self, job_id: str) -> str:
        """Run the job, if it is due. Returns its state, which is the task's result."""
        if not self._stopping.is_set():
            self._run_if_due(job_id)
        else:
            self._job_store.unsend([job_id])
        try:
            return self._job_store.show(job_id).state.value
        except FluxgateError as unknown:  # it is gone, or the database is away: the row is the truth, not this result
            return unknown.code

    def _run_if_due(self, job_id: str) -> None:
        claimed = self._job_store.claim(self._owner, self._runner.lease_s, self._runner.kinds.names, job_id)
        if claimed is None:
            # Another job has its key, or it is not due. It is sent again when it can run.
            self._job_store.unsend([job_id])
            return
        self._runner.run(*claimed, self._stopping)

    @contextlib.contextmanager
    def _stopping_on_signal(self) -> Iterator[None]:
        def stop(**_: object) -> None:
            self._stopping.set()

        worker_shutting_down.connect(stop, weak=False)
        try:
            yield
        finally:
            worker_shutting_down.disconnect(stop)
