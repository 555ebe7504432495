"""The parts that a running gateway is made of.

`service.wiring` makes them, and routes ask for them with `parts_of(request)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from fastapi import APIRouter, Request

from service.api.failed_tries import FailedTries
from service.api.limits import Limits
from service.api.metrics import Metrics
from service.api.thread_pools import ThreadPools
from service.api.write_limits import WriteSlots
from service.cache.answers import AnswerCache
from service.cache.protocol import Cache
from service.config.store import ConfigStore
from service.jobs import JobQueue, Kinds
from service.reads.bucket_reads import BucketReads
from service.reads.memory import MemoryReturn
from service.reads.telemetry import TelemetryReads
from service.runner.runtime import JobRuntime
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.schedules import ScheduleStore
from service.stores.protocol import Store


@dataclass(frozen=True)
class Parts:
    """`clock_ns` gives nanoseconds since 1970. `routers`: those of the kinds of job. `docs_enabled`: whether the API's
    document and its pages are served."""

    store: Store
    cache: Cache
    answers: AnswerCache
    state: StateDatabase
    keys: KeyRing
    config: ConfigStore
    runtime: JobRuntime
    limits: Limits
    metrics: Metrics
    reads: BucketReads
    telemetry: TelemetryReads
    memory: MemoryReturn
    pools: ThreadPools
    write_slots: WriteSlots
    failed_tries: FailedTries
    clock_ns: Callable[[], int]
    routers: tuple[APIRouter, ...]
    docs_enabled: bool

    @property
    def jobs(self) -> JobQueue:
        return self.runtime.queue

    @property
    def kinds(self) -> Kinds:
        return self.runtime.queue.kinds

    @property
    def schedules(self) -> ScheduleStore:
        return self.runtime.schedules

    def close(self) -> None:
        """Runs keep their checkpoints; then everything that is open is closed."""
        self.runtime.stop()
        self.memory.close()
        for part in (self.store, self.cache, self.state):
            part.close()


def parts_of(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)
