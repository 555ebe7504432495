"""Jobs in this process: a bounded number of threads claim due jobs and run them."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from service.domain.job import Job
from service.runner.loop import Loop
from service.runner.runner import Runner, owner_name
from service.state.jobs import JobStore
from service.state.leases import Lease

_POLL_S = 1.0


class LocalRunner:
    """Runs at most `slots` jobs at a time, from `start` to `stop`. Kinds with slots of their own come on top."""

    def __init__(self, job_store: JobStore, runner: Runner, *, slots: int = 2, poll_s: float = _POLL_S) -> None:
        self._job_store = job_store
        self._runner = runner
        self._shares = [_Share(kinds, most) for kinds, most in runner.kinds.shares(slots) if kinds]
        self._owner = owner_name()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
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
            running = [thread for share in self._shares for thread in share.running]
        for thread in running:
            thread.join(max(0.0, until - time.monotonic()))
        return not self._count()

    def _count(self) -> int:
        with self._lock:
            return sum(len(share.running) for share in self._shares)

    def _claim_jobs(self) -> float | None:
        """Start the due jobs while there are free slots. Returns the seconds until the next one is due."""
        due = self._job_store.due.ask(kinds=[kind for share in self._free_shares() for kind in share.kinds])
        if due.reap_in <= 0:
            self._job_store.reap()
        elif due.start_in > 0:
            return min(due.start_in, due.reap_in)
        for share in self._shares:
            self._claim_of(share)
        return 0.0 if self._free_shares() else None

    def _free_shares(self) -> "list[_Share]":
        with self._lock:
            return [share for share in self._shares if len(share.running) < share.slots]

    def _claim_of(self, share: "_Share") -> None:
        while not self._stopping.is_set() and share in self._free_shares():
            claimed = self._job_store.claim(self._owner, self._runner.lease_s, share.kinds)
            if claimed is None:
                return
            job, lease = claimed
            thread = threading.Thread(target=partial(self._run, share, job, lease), name=f"job-{job.id}", daemon=True)
            with self._lock:
                share.running.add(thread)
            thread.start()

    def _run(self, share: "_Share", job: Job, lease: Lease) -> None:
        try:
            self._runner.run(job, lease, self._stopping)
        finally:
            with self._lock:
                share.running.discard(threading.current_thread())
            self._loop.wake()


@dataclass(eq=False)
class _Share:
    """Kinds of job that share `slots`, and the threads that run their jobs now."""

    kinds: Sequence[str]
    slots: int
    running: set[threading.Thread] = field(default_factory=set)
