"""Makes the parts of a gateway from the settings. Only this package names concrete stores, caches and databases."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import sqlalchemy as sa

from service.api.deps import Parts
from service.api.drain import Drain
from service.api.failed_tries import FailedTries
from service.api.limits import Limits
from service.api.metrics import Metrics
from service.api.thread_pools import ThreadPools
from service.api.write_limits import WriteSlots
from service.cache.answers import AnswerCache
from service.cache.protocol import Cache
from service.config.coordinates import COORDINATES
from service.config.store import ConfigStore
from service.errors import ConfigurationError
from service.features.feature import Feature, KindServices
from service.reads.bucket_reads import BucketReads
from service.reads.gaps import GapReads
from service.reads.memory import MemoryReturn, give_back_unused
from service.reads.slots import Slots
from service.reads.telemetry import TelemetryReads
from service.settings import Settings
from service.state.database import STATE_FILE, StateDatabase
from service.state.keys import KeyRing
from service.stores.cached.changes import Changes
from service.stores.observed import BucketChange
from service.wiring.archive import archive_destination
from service.wiring.buckets import configured_buckets
from service.wiring.cache import open_cache, show_usage, window_cache
from service.wiring.features import FEATURES
from service.wiring.jobs import job_runtime, late_points, make_kinds, schedule_definitions, status_board
from service.wiring.reads import place_source, read_limits, read_observer
from service.wiring.stores import (
    ServedStore,
    address_policy,
    open_served_store,
    opener,
    physical_opener,
    scratch_store,
    served_endpoint,
)

_MB = 1024 * 1024


def assemble(
    settings: Settings,
    features: Sequence[Feature] = FEATURES,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Parts:
    """Make all parts in order. `clock_ns` gives the current time to routes and reads, in nanoseconds since 1970.

    Raises ConfigurationError with what to change. Then nothing stays open.
    """
    configured_buckets(settings)  # so that a wrong BUCKETS_FILE stops the start
    with ExitStack() as opened:
        state = open_state(settings)
        opened.callback(state.close)
        keys = _keys(settings, state)
        config = ConfigStore(state, time.time, settings.key_outage_s)
        config.register(COORDINATES)
        slots = Slots(settings.max_reads)
        metrics = Metrics(lambda: slots.taken)
        cache = open_cache(settings)
        opened.callback(cache.close)
        show_usage(cache, metrics)
        answers, changes = _answers(settings, cache, metrics), Changes(cache)
        served_store = open_served_store(settings, [partial(_drop_changed, answers, changes)])
        store = served_store.store
        opened.callback(store.close)
        services = _kind_services(settings, config, state, served_store)
        kinds = make_kinds(features, settings, services)
        definitions = schedule_definitions(settings, kinds, config)
        runtime = job_runtime(settings, state, kinds, definitions, store.name)
        memory = MemoryReturn(give_back_unused)
        limits = read_limits(settings)
        identity, late = limits.store_identity, partial(late_points, features, kinds)
        windows = window_cache(settings, store, cache, changes, metrics, clock_ns, identity, late)
        read_services = answers, slots, limits
        observer = read_observer(metrics, memory)
        opened.pop_all()  # from here on `Parts.close` closes them
    return Parts(
        store=store,
        cache=cache,
        answers=answers,
        state=state,
        keys=keys,
        config=config,
        runtime=runtime,
        limits=_limits(settings),
        metrics=metrics,
        windows=windows,
        reads=BucketReads(windows or store, *read_services, observer, uncached=store),
        telemetry=TelemetryReads(store, *read_services, place_source(settings, config), clock_ns, observer),
        gaps=GapReads(store, *read_services, observer),
        memory=memory,
        pools=ThreadPools(),
        write_slots=WriteSlots(settings.max_writes, max(settings.max_body_mb, settings.max_unpacked_mb) * _MB),
        failed_tries=FailedTries(settings.max_failed_tries, time.monotonic),
        clock_ns=clock_ns,
        routers=tuple(feature.router for feature in features),
        status_board=status_board(features, runtime, store),
        drain=Drain(settings.drain_s),
        docs_enabled=settings.docs_enabled,
        cors_origins=settings.cors_origins,
    )


def _drop_changed(answers: AnswerCache, changes: Changes, change: BucketChange) -> None:
    """Drop what is kept of the changed times: first the windows, because whole answers are made of them."""
    try:
        changes.note(change.bucket, change.ranges)
    finally:
        answers.invalidate(change.bucket)


def _answers(settings: Settings, cache: Cache, metrics: Metrics) -> AnswerCache:
    def count(outcome: str) -> None:
        metrics.cache.labels(outcome).inc()

    return AnswerCache(cache, settings.cache_answer_mb * _MB, time.time, count, longest_s=settings.read_timeout_s)


def _kind_services(
    settings: Settings,
    config: ConfigStore,
    state: StateDatabase,
    served_store: ServedStore,
) -> KindServices:
    return KindServices(
        config=config,
        state=state,
        store=served_store.store,
        served_endpoint=served_endpoint(settings),
        open_store=opener(settings, served_store),
        open_scratch=partial(scratch_store, settings),
        addresses=address_policy(settings),
        directory=settings.data_dir,
        archive=archive_destination(settings),
        open_physical=physical_opener(settings),
        clock=time.time,
    )


def open_state(settings: Settings) -> StateDatabase:
    """Open the state database and migrate it to this version."""
    url = settings.state_database_url
    state = StateDatabase(url.get_secret_value()) if url else StateDatabase.in_directory(settings.data_dir)
    with ExitStack() as opened:
        opened.callback(state.close)
        state.migrate()
        opened.pop_all()
    return state


def ask_own_store(settings: Settings) -> None:
    """Ask the store of `settings` once, through a connection of its own. Raises what the store raises."""
    store = open_served_store(settings, []).store
    try:
        store.buckets()
    finally:
        store.close()


def state_address(settings: Settings) -> sa.URL:
    """Where the state database is. Raises ConfigurationError."""
    if settings.state_database_url is None:
        return sa.URL.create("sqlite", database=str(settings.data_dir / STATE_FILE))
    try:
        return sa.make_url(settings.state_database_url.get_secret_value())
    except sa.exc.ArgumentError:
        raise ConfigurationError(
            "STATE_DATABASE_URL is no address of a database. Write postgresql+psycopg://user:password@host/name."
        ) from None


def open_keys(settings: Settings) -> KeyRing:
    """Open the key ring alone, for the command line."""
    return _keys(settings, open_state(settings))


def _keys(settings: Settings, state: StateDatabase) -> KeyRing:
    return KeyRing(
        state,
        settings.api_key.get_secret_value() if settings.api_key else None,
        time.time,
        settings.key_outage_s,
    )


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
