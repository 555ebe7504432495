"""What routes need of the process: its parts, handed over by the app."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from fastapi import Request

from service.cache.answers import AnswerCache
from service.cache.protocol import Cache
from service.jobs import JobQueue
from service.jobs.mirror.kind import MirrorKind
from service.reads.bucket_reads import BucketReads
from service.reads.telemetry import TelemetryReads
from service.state.config import ConfigStore
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.schedules import ScheduleStore
from service.stores.protocol import Store

if TYPE_CHECKING:
    from service.api.failed_tries import FailedTries
    from service.api.limits import Limits
    from service.api.metrics import Metrics
    from service.api.thread_pools import ThreadPools
    from service.api.writes import WriteSlots


class Parts(Protocol):
    """The parts that routes use; `service.wiring` makes them."""

    @property
    def store(self) -> Store: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def answers(self) -> AnswerCache: ...
    @property
    def state(self) -> StateDatabase: ...
    @property
    def keys(self) -> KeyRing: ...
    @property
    def config(self) -> ConfigStore: ...
    @property
    def jobs(self) -> JobQueue: ...
    @property
    def schedules(self) -> ScheduleStore: ...
    @property
    def mirrors(self) -> MirrorKind: ...
    @property
    def limits(self) -> "Limits": ...
    @property
    def metrics(self) -> "Metrics": ...
    @property
    def reads(self) -> BucketReads: ...
    @property
    def telemetry(self) -> TelemetryReads: ...
    @property
    def pools(self) -> "ThreadPools": ...
    @property
    def write_slots(self) -> "WriteSlots": ...
    @property
    def failed_tries(self) -> "FailedTries": ...
    @property
    def clock_ns(self) -> Callable[[], int]: ...


def parts_of(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)
