"""Makes what reads need from the settings: limits, metrics and the coordinates of telemetry."""

import hashlib
from collections.abc import Callable

import structlog

from service.api.metrics import Metrics
from service.api.telemetry_lookup import telemetry_lookup
from service.api.telemetry_topics import StreamLimits, TelemetryTopics
from service.api.thread_pools import ThreadPools
from service.config.store import ConfigStore
from service.reads.limits import ReadLimits
from service.reads.memory import MemoryReturn
from service.reads.streams import ReadObserver
from service.reads.telemetry import TelemetryReads
from service.reads.telemetry_document import Place
from service.settings import Settings
from service.wiring.cache import misses_writes_of_jobs

_log = structlog.get_logger(__name__)


def read_limits(settings: Settings) -> ReadLimits:
    """The limits of reads. Without cache memory, nothing is kept."""
    is_cache_off = not settings.cache_memory_mb
    return ReadLimits(
        max_windows=settings.max_windows,
        timeout_s=settings.read_timeout_s,
        cache_closed_s=0 if is_cache_off else settings.cache_closed_s,
        cache_open_s=0 if is_cache_off else settings.cache_open_s,
        cache_telemetry_s=0 if is_cache_off else settings.cache_telemetry_s,
        cache_stale_s=0 if is_cache_off or misses_writes_of_jobs(settings) else settings.cache_stale_s,
        telemetry_word=settings.telemetry_word,
        store_identity=_store_identity(settings),
    )


def read_observer(metrics: Metrics, memory: MemoryReturn) -> ReadObserver:
    """Counts reads in `metrics`, and returns unused memory after them."""
    return ReadObserver(
        rows=metrics.upstream_rows.inc,
        seconds=metrics.upstream_seconds.observe,
        failed=lambda code: metrics.upstream_failures.labels(code).inc(),
        ended=memory.read_ended,
        drawn=metrics.picture_seconds.observe,
    )


def telemetry_topics(
    settings: Settings,
    telemetry: TelemetryReads,
    pools: ThreadPools,
    metrics: Metrics,
    clock_ns: Callable[[], int],
) -> TelemetryTopics:
    """What the listeners of /telemetry/stream share. `metrics` count them, and the look-ups in the store for them."""
    limits = StreamLimits(
        interval_s=settings.telemetry_stream_s,
        listeners=settings.telemetry_stream_listeners,
        listeners_per_key=settings.telemetry_stream_listeners_per_key,
        questions=settings.telemetry_stream_questions,
        document_bytes=settings.telemetry_stream_kb * 1024,
    )
    lookup = telemetry_lookup(telemetry, pools.reads, limits.document_bytes, clock_ns)
    topics = TelemetryTopics(lookup, limits, lambda outcome: metrics.telemetry_lookups.labels(outcome).inc())
    metrics.telemetry_listeners.set_function(lambda: topics.listeners)
    return topics


def place_source(settings: Settings, config: ConfigStore) -> Callable[[], Place]:
    """A function that gives the coordinates of the runtime configuration, else those of the settings."""

    def place() -> Place:
        section = config.get_or_last_known("coordinates")
        latitude, longitude = section.value.get("latitude"), section.value.get("longitude")
        return Place(
            section.version,
            settings.latitude if latitude is None else latitude,
            settings.longitude if longitude is None else longitude,
        )

    return place


def warn_of_half_place(settings: Settings, config: ConfigStore) -> None:
    """Say at the start that one coordinate is missing. The section `coordinates` may have the other one."""
    place = place_source(settings, config)()
    if (place.latitude is None) == (place.longitude is None):
        return
    given, missing = ("LONGITUDE", "LATITUDE") if place.latitude is None else ("LATITUDE", "LONGITUDE")
    _log.warning(
        f"{given} is known and {missing} is not: telemetry has one coordinate, and the weather of this place is not "
        f"fetched. Set {missing}, or PUT /config/coordinates with both.",
    )


def _store_identity(settings: Settings) -> str:
    folder = settings.data_dir.resolve() if settings.influxdb_url is None else ""
    identity = f"{settings.influxdb_url}|{settings.influxdb_org}|{folder}"
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
