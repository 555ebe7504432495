"""Where jobs are ordered: what is wrong is refused here, before anything is queued."""

from collections.abc import Callable, Mapping
from typing import Any

from service.domain.job import Job
from service.jobs.kinds import Kinds
from service.state.jobs import JobLedger


class JobQueue:
    """Takes orders for jobs. `wake` is called when there is something new to run; `clock` gives seconds since 1970."""

    def __init__(self, ledger: JobLedger, kinds: Kinds, clock: Callable[[], float], wake: Callable[[], None] = lambda: None) -> None:
        self.ledger = ledger
        self.kinds = kinds
        self._clock = clock
        self.wake = wake

    def submit(self, kind: str, parameters: Mapping[str, Any], by: str) -> tuple[Job, bool]:
        """The job, and whether it is new: one that waits to do the same already is given instead. Raises InvalidParameter."""
        wanted = self.kinds.get(kind)
        wanted.runnable.validate(parameters)
        job, new = self.ledger.enqueue(
            kind,
            parameters,
            wanted.runnable.exclusion_key(parameters),
            deadline=None if wanted.deadline_s is None else self._clock() + wanted.deadline_s,
            max_attempts=wanted.max_attempts,
            created_by=by,
        )
        self.wake()
        return job, new

    def cancel(self, job_id: str, by: str) -> Job:
        """End a queued job at once, and ask a running one to end. Raises NotFound."""
        return self.ledger.cancel(job_id, by)

    def retry(self, job_id: str, by: str, force: bool = False) -> Job:
        """Queue an ended job again; with `force` take a running one from its process."""
        job = self.ledger.take_over(job_id, by) if force else self.ledger.retry(job_id, by)
        self.wake()
        return job
