"""Jobs in this process: a bounded number of threads claim due jobs and run them."""

import threading
import time
from functools import partial

from service.domain.job import Job
from service.runner.loop import Loop
from service.runner.runner import Runner, owner_name
from service.state.jobs import JobStore
from service.state.leases import Lease

_POLL_S = 1.0


class LocalRunner:
    """Runs at most `slots` jobs at a time, from `start` to `stop`."""

    def __init__(self, job_store: JobStore, runner: Runner, *, slots: int = 2, poll_s: float = _POLL_S) -> None:
        self._job_store = job_store
        self._runner = runner
        self._slots = slots
        self._owner = owner_name()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()
        self._loop = Loop("jobs", self._claim_jobs, poll_s)

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        """Look for due jobs now."""
        self._loop.wake()

    def stop(self, within_s: float = 8.0) -> bool:
        """Let every run keep its checkpoint and go back to the queue. Returns whether all did so in time.

        A run that did not keeps its lease. Its job is queued again once the lease is over.
        """
        until = time.monotonic() + within_s
        self._stopping.set()
        self._loop.stop()
        with self._lock:
            running = list(self._running)
        for thread in running:
            thread.join(max(0.0, until - time.monotonic()))
        return not self._count()

    def _count(self) -> int:
        with self._lock:
            return len(self._running)

    def _claim_jobs(self) -> float | None:
        """Start the due jobs while there are free slots. Returns the seconds until the next one is due."""
        kinds = self._runner.kinds.names
        due = self._job_store.due.ask(kinds=kinds)
        if due.reap_in <= 0:
            self._job_store.reap()
        elif due.start_in > 0:
            return min(due.start_in, due.reap_in)
        while self._count() < self._slots and not self._stopping.is_set():
            claimed = self._job_store.claim(self._owner, self._runner.lease_s, kinds)
            if claimed is None:
                return 0.0
            job, lease = claimed
            thread = threading.Thread(target=partial(self._run, job, lease), name=f"job-{job.id}", daemon=True)
            with self._lock:
                self._running.add(thread)
            thread.start()
        return None

    def _run(self, job: Job, lease: Lease) -> None:
        try:
            self._runner.run(job, lease, self._stopping)
        finally:
            with self._lock:
                self._running.discard(threading.current_thread())
            self._loop.wake()
