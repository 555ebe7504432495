"""The parts of a running gateway.

`service.wiring` makes them, and routes get them from `parts_of(request)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fastapi import APIRouter, Request

from service.api.drain import Drain
from service.api.failed_tries import FailedTries
from service.api.limits import Limits
from service.api.metrics import Metrics
from service.api.status_board import StatusBoard
from service.api.telemetry_topics import TelemetryTopics
from service.api.thread_pools import ThreadPools
from service.api.write_limits import WriteSlots
from service.cache.answers import AnswerCache
from service.cache.protocol import Cache
from service.config.store import ConfigStore
from service.domain.timerange import TimeRange
from service.jobs import JobQueue, Kinds
from service.reads.bucket_reads import BucketReads
from service.reads.gaps import GapReads
from service.reads.memory import MemoryReturn
from service.reads.telemetry import TelemetryReads
from service.runner.runtime import JobRuntime
from service.runner.worker_watch import WorkerWatch
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.schedules import ScheduleStore
from service.stores.cached.store import CachedStore
from service.stores.protocol import Store


@dataclass(frozen=True)
class Parts:
    """All parts of a gateway, open until `close`.

    `windows` is the store that keeps windows, None when that is off. `clock_ns` gives nanoseconds since 1970. `routers`
    are the routers of the features, and `status_board` has what the features report to monitoring. `drain` delays the
    end of the server. `docs_enabled` says whether the OpenAPI document and its pages are served. Scripts from
    `cors_origins` may read answers.
    """

    store: Store
    cache: Cache
    answers: AnswerCache
    state: StateDatabase
    keys: KeyRing
    config: ConfigStore
    runtime: JobRuntime
    limits: Limits
    metrics: Metrics
    windows: CachedStore | None
    reads: BucketReads
    telemetry: TelemetryReads
    telemetry_topics: TelemetryTopics
    gaps: GapReads
    memory: MemoryReturn
    pools: ThreadPools
    write_slots: WriteSlots
    failed_tries: FailedTries
    clock_ns: Callable[[], int]
    routers: tuple[APIRouter, ...]
    status_board: StatusBoard
    drain: Drain
    docs_enabled: bool
    cors_origins: tuple[str, ...]

    def drop_kept(self, bucket: str, span: TimeRange) -> None:
        """Drop kept windows of `bucket` in `span`, and then all whole answers about it."""
        if self.windows is not None:
            self.windows.flush(bucket, span)
        self.answers.invalidate(bucket)

    @property
    def jobs(self) -> JobQueue:
        return self.runtime.queue

    @property
    def kinds(self) -> Kinds:
        return self.runtime.queue.kinds

    @property
    def schedules(self) -> ScheduleStore:
        return self.runtime.schedules

    @property
    def workers(self) -> WorkerWatch:
        return self.runtime.workers

    def close(self) -> None:
        """Stop the jobs, which keep their checkpoints, and close everything that is open."""
        self.runtime.stop()
        self.memory.close()
        if self.windows is not None:
            self.windows.close()
        for part in (self.store, self.cache, self.state):
            part.close()


def parts_of(request: Request) -> Parts:
    """The parts of the gateway that answers `request`."""
    return cast(Parts, request.app.state.parts)
