"""The services that all parts of a run share: the job, retries, the byte budget, the log and the clock."""

from collections.abc import Callable
from dataclasses import dataclass

from service.jobs.protocol import JobContext
from service.transfer.byte_budget import ByteBudget
from service.transfer.retry import Retry
from service.transfer.run_log import Log
from service.transfer.splitting import Splitter


@dataclass(frozen=True)
class RunServices:
    """`clock` gives seconds since 1970."""

    job: JobContext
    retry: Retry
    splitter: Splitter
    budget: ByteBudget
    log: Log
    clock: Callable[[], float]

    @classmethod
    def of(
        cls,
        job: JobContext,
        log: Log,
        budget_bytes: int | None,
        moved_bytes: Callable[[], int],
        clock: Callable[[], float],
    ) -> "RunServices":
        retry = Retry(job, log)
        return cls(job, retry, Splitter(retry, log), ByteBudget(job, budget_bytes, moved_bytes, log, clock), log, clock)
