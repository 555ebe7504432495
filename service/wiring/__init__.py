"""The one place that names concrete parts: which store, which cache, which state, out of the settings."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from service.api.failed_tries import FailedTries
from service.api.limits import Limits
from service.api.metrics import Metrics
from service.api.thread_pools import ThreadPools
from service.api.writes import WriteSlots
from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.cache.protocol import Cache
from service.cache.redis import RedisCache
from service.jobs import JobQueue
from service.jobs.mirror.kind import MirrorKind
from service.reads.bucket_reads import BucketReads
from service.reads.memory import MemoryReturn, give_back_unused
from service.reads.slots import Slots
from service.reads.telemetry import TelemetryReads
from service.runner.runtime import JobRuntime
from service.settings import Settings
from service.state.config import ConfigStore
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.schedules import ScheduleStore
from service.stores.protocol import Store
from service.wiring.jobs import work_of
from service.wiring.reads import observer_of, place_of, read_limits
from service.wiring.stores import own_store

_MB = 1024 * 1024


@dataclass(frozen=True)
class Parts:
    """Everything that a running gateway is made of."""

    settings: Settings
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
    mirrors: MirrorKind

    @property
    def jobs(self) -> JobQueue:
        return self.runtime.queue

    @property
    def schedules(self) -> ScheduleStore:
        return self.runtime.schedules

    def close(self) -> None:
        self.runtime.stop()
        self.memory.close()
        for part in (self.store, self.cache, self.state):
            part.close()


def assemble(settings: Settings, clock_ns: Callable[[], int] = time.time_ns) -> Parts:
    """Make all parts. `clock_ns`: what routes and reads take for now. Raises ConfigurationError with what to change."""
    state = open_state(settings)
    keys = _keys(settings, state)
    slots = Slots(settings.max_reads)
    metrics = Metrics(lambda: slots.taken)
    cache = _cache(settings)
    store = own_store(settings)
    answers = AnswerCache(
        cache, settings.cache_answer_mb * _MB, time.time, lambda outcome: metrics.cache.labels(outcome).inc(), longest_s=settings.read_timeout_s
    )
    memory = MemoryReturn(give_back_unused)
    work = work_of(settings, state, store, answers.invalidate)
    reading = store, answers, slots, read_limits(settings)
    observer = observer_of(metrics, memory)
    return Parts(
        settings=settings,
        store=store,
        cache=cache,
        answers=answers,
        state=state,
        keys=keys,
        config=work.config,
        runtime=work.runtime,
        limits=_limits(settings),
        metrics=metrics,
        reads=BucketReads(*reading, observer),
        telemetry=TelemetryReads(*reading, place_of(settings, work.config), clock_ns, observer),
        memory=memory,
        pools=ThreadPools(),
        write_slots=WriteSlots(settings.max_writes, max(settings.max_body_mb, settings.max_unpacked_mb) * _MB),
        failed_tries=FailedTries(settings.max_failed_tries, time.monotonic),
        clock_ns=clock_ns,
        mirrors=work.mirrors,
    )


def open_state(settings: Settings) -> StateDatabase:
    """The state database, brought to this version."""
    url = settings.state_database_url
    state = StateDatabase(url.get_secret_value()) if url else StateDatabase.in_directory(settings.data_dir)
    state.migrate()
    return state


def open_keys(settings: Settings) -> KeyRing:
    """The keys alone, for the command line."""
    return _keys(settings, open_state(settings))


def _keys(settings: Settings, state: StateDatabase) -> KeyRing:
    return KeyRing(state, settings.api_key.get_secret_value() if settings.api_key else None, time.time, settings.key_outage_s)


def _cache(settings: Settings) -> Cache:
    if settings.redis_url is not None and settings.cache_memory_mb:
        return RedisCache(settings.redis_url.get_secret_value(), time.monotonic)
    return MemoryCache(settings.cache_memory_mb * _MB, time.monotonic)


def _limits(settings: Settings) -> Limits:
    return Limits(
        default_every=settings.default_every,
        max_body_bytes=settings.max_body_mb * _MB,
        max_unpacked_bytes=settings.max_unpacked_mb * _MB,
        max_document_bytes=settings.max_document_kb * 1024,
        body_silence_s=settings.body_silence_s,
        body_timeout_s=settings.body_timeout_s,
        max_write_memory_bytes=settings.max_write_memory_mb * _MB,
        write_timeout_s=settings.write_timeout_s,
        telemetry_lookback=settings.telemetry_lookback,
    )
