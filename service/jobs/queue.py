"""The queue of jobs. A wrong job is refused before anything is queued."""

from collections.abc import Callable, Mapping
from typing import Any

from service.domain.job import Job
from service.jobs.kinds import Kinds
from service.state.jobs import JobStore


class JobQueue:
    """Queues jobs. `wake` is called after a job was queued. `clock` gives seconds since 1970."""

    def __init__(
        self,
        job_store: JobStore,
        kinds: Kinds,
        clock: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.job_store = job_store
        self.kinds = kinds
        self._clock = clock
        self.wake = wake

    def submit(self, kind: str, parameters: Mapping[str, Any], by: str) -> tuple[Job, bool]:
        """The queued job, and whether it is new: an equal job that is queued already is not repeated.

        Raises InvalidParameter.
        """
        kind_of_job = self.kinds.get(kind)
        kind_of_job.runnable.validate(parameters)
        job, new = self.job_store.enqueue(
            kind,
            parameters,
            kind_of_job.runnable.exclusion_key(parameters),
            deadline=None if kind_of_job.deadline_s is None else self._clock() + kind_of_job.deadline_s,
            max_attempts=kind_of_job.max_attempts,
            created_by=by,
        )
        self.wake()
        return job, new

    def cancel(self, job_id: str, by: str) -> Job:
        """End a queued job at once, and ask a running one to end. Raises NotFound."""
        return self.job_store.cancel(job_id, by)

    def retry(self, job_id: str, by: str, force: bool = False) -> Job:
        """Queue an ended job again; with `force` take a running one from its process."""
        job = self.job_store.take_over(job_id, by) if force else self.job_store.retry(job_id, by)
        self.wake()
        return job
