"""Makes the cache, and the store that keeps windows in it, from the settings."""

import random
import time
from collections.abc import Callable, Mapping

from prometheus_client import Gauge

from service.api.metrics import Metrics
from service.api.probed_value import ProbedValue
from service.cache.memory import MemoryCache
from service.cache.protocol import Cache, Usage
from service.cache.redis import RedisCache
from service.domain.durations import parse_duration
from service.settings import Settings
from service.stores.cached.changes import Changes
from service.stores.cached.lateness import Lateness
from service.stores.cached.limits import CacheLimits, CacheObserver
from service.stores.cached.self_check import SelfCheck
from service.stores.cached.store import CachedStore
from service.stores.protocol import Store

_MB = 1024 * 1024


def open_cache(settings: Settings) -> Cache:
    """Redis when it is set, else a cache in the process."""
    if settings.redis_url is not None and settings.cache_memory_mb:
        return RedisCache(settings.redis_url.get_secret_value(), time.monotonic)
    return MemoryCache(settings.cache_memory_mb * _MB, time.monotonic)


def misses_writes_of_jobs(settings: Settings) -> bool:
    """Whether jobs write in processes that cannot tell this one."""
    return settings.celery_broker_url is not None and settings.redis_url is None


def show_usage(cache: Cache, metrics: Metrics) -> None:
    """Show the size of a cache in the process, and how often it was full, in `metrics`."""
    if cache.usage() is None:
        return

    def gauge(name: str, description: str, value: Callable[[Usage], int]) -> None:
        shown = Gauge(name, description, registry=metrics.registry)
        shown.set_function(lambda: 0 if (usage := cache.usage()) is None else value(usage))

    gauge("fluxgate_cache_bytes", "What the cache in the process holds.", lambda usage: usage.size_bytes)
    gauge("fluxgate_cache_evictions", "Entries that went because others needed room.", lambda usage: usage.evictions)


def window_cache(
    settings: Settings,
    store: Store,
    cache: Cache,
    changes: Changes,
    metrics: Metrics,
    clock_ns: Callable[[], int],
    store_identity: str,
    measured_lateness: Callable[[], Mapping[str, int]],
) -> CachedStore | None:
    """The store that keeps windows of `store`; None: it is off, or jobs write in processes that cannot tell it.

    `measured_lateness` says how late the points of buckets arrive, as mirrors measured it; it may be slow, and raise.
    """
    if not settings.cache_windows or not settings.cache_memory_mb or misses_writes_of_jobs(settings):
        return None
    lateness = Lateness(changes.forget)
    probed = ProbedValue("lateness of points", lambda: lateness.put(measured_lateness()), None, time.monotonic)
    probed.refresh()

    def late_by_bucket_ns() -> Mapping[str, int]:
        probed.latest()
        return lateness.by_bucket()

    settle_by_bucket = settings.cache_settle_buckets.items()
    limits = CacheLimits(
        settle_ns=parse_duration(settings.cache_settle, "CACHE_SETTLE"),
        settle_by_bucket_ns={bucket: parse_duration(text, "CACHE_SETTLE_BUCKETS") for bucket, text in settle_by_bucket},
        late_by_bucket_ns=late_by_bucket_ns,
        most_settle_ns=parse_duration(settings.cache_settle_most, "CACHE_SETTLE_MOST"),
        kept_s=settings.cache_windows_s,
        contents_s=settings.cache_schema_s,
        store_identity=store_identity,
    )
    observer = _observer(metrics)
    check = SelfCheck(store, changes, settings.cache_checked, observer, random.Random())  # noqa: S311  (a sample)
    return CachedStore(store, cache, limits, clock_ns, changes, observer, check.consider)


def _observer(metrics: Metrics) -> CacheObserver:
    return CacheObserver(
        windows_served=metrics.windows_served.inc,
        windows_asked=metrics.windows_asked.inc,
        bytes_kept=metrics.window_bytes.inc,
        waits=metrics.window_waits.inc,
        checked=metrics.windows_checked.inc,
        stale_found=metrics.stale_found.inc,
        read=lambda outcome: metrics.window_reads.labels(outcome.partition(";")[0]).inc(),
    )
