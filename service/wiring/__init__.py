"""The one place that names concrete parts: which store, which cache, which state, out of the settings."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.api.failed_tries import FailedTries
from service.api.limits import Limits
from service.api.memory import MemoryReturn, give_back_unused
from service.api.metrics import Metrics
from service.api.slots import Slots
from service.api.thread_pools import ThreadPools
from service.api.writes import WriteSlots
from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.cache.protocol import Cache
from service.cache.redis import RedisCache
from service.jobs import JobQueue
from service.jobs.mirror.kind import MirrorKind
from service.runner.runtime import JobRuntime
from service.settings import Settings
from service.state.config import ConfigStore
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from service.state.schedules import ScheduleStore
from service.stores.protocol import Store
from service.wiring.jobs import work_of
from service.wiring.stores import open_own_store

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
    slots: Slots
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


def assemble(settings: Settings) -> Parts:
    """Make all parts. Raises ConfigurationError with what to change."""
    state = open_state(settings)
    keys = _keys(settings, state)
    slots = Slots(settings.max_reads)
    metrics = Metrics(lambda: slots.taken)
    cache = _cache(settings)
    answers = AnswerCache(
        cache, settings.cache_answer_mb * _MB, time.time, lambda outcome: metrics.cache.labels(outcome).inc(), longest_s=settings.read_timeout_s
    )
    own_store = open_own_store(settings, [lambda change: answers.invalidate(change.bucket)])
    work = work_of(settings, state, own_store)
    return Parts(
        settings=settings,
        store=own_store.store,
        cache=cache,
        answers=answers,
        state=state,
        keys=keys,
        config=work.config,
        runtime=work.runtime,
        limits=_limits(settings),
        metrics=metrics,
        slots=slots,
        memory=MemoryReturn(give_back_unused),
        pools=ThreadPools(),
        write_slots=WriteSlots(settings.max_writes, max(settings.max_body_mb, settings.max_unpacked_mb) * _MB),
        failed_tries=FailedTries(settings.max_failed_tries, time.monotonic),
        clock_ns=time.time_ns,
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
    off = not settings.cache_memory_mb
    identity = f"{settings.influxdb_url}|{settings.influxdb_org}|{settings.data_dir.resolve() if settings.influxdb_url is None else ''}"
    return Limits(
        default_every=settings.default_every,
        max_windows=settings.max_windows,
        read_timeout_s=settings.read_timeout_s,
        max_body_bytes=settings.max_body_mb * _MB,
        max_unpacked_bytes=settings.max_unpacked_mb * _MB,
        max_document_bytes=settings.max_document_kb * 1024,
        body_silence_s=settings.body_silence_s,
        body_timeout_s=settings.body_timeout_s,
        max_write_memory_bytes=settings.max_write_memory_mb * _MB,
        write_timeout_s=settings.write_timeout_s,
        cache_closed_s=0 if off else settings.cache_closed_s,
        cache_open_s=0 if off else settings.cache_open_s,
        cache_telemetry_s=0 if off else settings.cache_telemetry_s,
        telemetry_word=settings.telemetry_word,
        telemetry_lookback=settings.telemetry_lookback,
        latitude=settings.latitude,
        longitude=settings.longitude,
        store_identity=hashlib.blake2b(identity.encode(), digest_size=8).hexdigest(),
    )
