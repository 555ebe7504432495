"""Jobs on many machines: Celery carries a job's id to a worker, and the row says whether it may run.

A message can come late, twice or never. Twice: the row is claimed once. Never: what is due and was
not claimed is sent again. So nothing is lost when a worker or the broker dies, and no result store
is needed.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator

from celery import Celery
from celery.exceptions import OperationalError
from celery.signals import worker_shutting_down

from service.errors import ConfigurationError, RetryLater
from service.runner.loop import Loop
from service.runner.runner import Runner, owner_name
from service.state.jobs import JobLedger

TASK = "fluxgate.run"
QUEUE = "fluxgate"
_SHORTEST_VISIBILITY_S = 3600
_RESEND_S = 60.0
_MOST_SENT = 100


def refuse_embedded(store: str) -> None:
    """Raises ConfigurationError when workers could not share the store that is so named."""
    if store == "embedded":
        raise ConfigurationError(
            "CELERY_BROKER_URL is set, but the embedded store belongs to one process, so workers cannot reach it."
            " Set INFLUXDB_URL, or leave CELERY_BROKER_URL out: jobs then run inside the service."
        )


def broker(url: str, lease_s: float) -> Celery:
    """The link to the broker at `url` (Redis or AMQP)."""
    try:
        app = Celery(QUEUE, broker=url, set_as_current=False)
        app.connection_for_write().transport_cls  # noqa: B018  (an unknown transport is named here, not at the first message)
    except (KeyError, ImportError, ValueError) as broken:
        raise ConfigurationError(
            f"CELERY_BROKER_URL is no address of a broker ({type(broken).__name__}). Write redis://host:6379/0 or amqp://user:password@host//."
        ) from None
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
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


class Dispatcher:
    """Sends due jobs to the workers, from `start` to `stop`; what was not claimed within `resend_s`, again."""

    def __init__(self, ledger: JobLedger, app: Celery, *, poll_s: float = 1.0, resend_s: float = _RESEND_S) -> None:
        self._ledger = ledger
        self._app = app
        self._resend_s = resend_s
        self._loop = Loop("dispatch", self.sweep, poll_s)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        self._loop.wake()

    def stop(self) -> None:
        self._loop.stop()

    def sweep(self) -> int:
        """Send what is due; how many. Raises RetryLater while the broker cannot be reached."""
        ids = self._ledger.to_send(self._resend_s, _MOST_SENT)
        for number, job_id in enumerate(ids):
            try:
                self._app.send_task(TASK, (job_id,), queue=QUEUE, retry=False)
            except (OperationalError, OSError) as away:
                self._ledger.unsend(ids[number:])
                raise RetryLater(f"The broker cannot be reached ({type(away).__name__}). Check CELERY_BROKER_URL, and that it is up.") from away
        return len(ids)


class CeleryWorker:
    """Runs jobs that the broker names, at most `slots` at a time, until the process is asked to end."""

    def __init__(self, ledger: JobLedger, runner: Runner, app: Celery, *, slots: int = 2) -> None:
        self._ledger = ledger
        self._runner = runner
        self._app = app
        self._slots = slots
        self._owner = owner_name()
        self._stopping = threading.Event()
        app.task(name=TASK)(self._run)

    def run(self) -> None:
        """Serve. SIGTERM: every run keeps its checkpoint and goes back to the queue; then it returns."""
        with self._told_to_stop():
            name = f"fluxgate-{os.getpid()}-{secrets.token_hex(3)}@%h"
            worker = self._app.Worker(
                hostname=name, pool="threads", concurrency=self._slots, without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
            )
            worker.start()

    def _run(self, job_id: str) -> None:
        if self._stopping.is_set():
            self._ledger.unsend([job_id])
            return
        claimed = self._ledger.claim(self._owner, self._runner.lease_s, self._runner.kinds.names, job_id)
        if claimed is None:
            self._ledger.unsend([job_id])  # its key is taken, or it is not due: it is sent again when it can run
            return
        self._runner.run(*claimed, self._stopping)

    @contextlib.contextmanager
    def _told_to_stop(self) -> Iterator[None]:
        def stop(**_: object) -> None:
            self._stopping.set()

        worker_shutting_down.connect(stop, weak=False)
        try:
            yield
        finally:
            worker_shutting_down.disconnect(stop)
