"""What every part of a restore needs besides the data."""

from collections.abc import Callable
from dataclasses import dataclass

from service.jobs.protocol import JobContext
from service.transfer.retry import Retry
from service.transfer.run_log import Log
from service.transfer.splitting import Splitter


@dataclass(frozen=True)
class RunTools:
    """`concurrency`: slices at one time. `clock`: seconds since 1970. `is_remote`: see ReadBack."""

    job: JobContext
    log: Log
    retry: Retry
    splitter: Splitter
    clock: Callable[[], float]
    concurrency: int
    is_remote: bool

    @classmethod
    def of(
        cls,
        job: JobContext,
        log: Log,
        clock: Callable[[], float],
        concurrency: int,
        is_remote: bool,
    ) -> "RunTools":
        retry = Retry(job, log)
        return cls(job, log, retry, Splitter(retry, log), clock, concurrency, is_remote)
