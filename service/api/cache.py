"""Routes of the cache: what it holds and how well it does, and dropping what it holds of a bucket."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.auth import requires
from service.api.cache_schemas import CacheReport, Flushed, MemoryReport, SettleReport, WindowReport
from service.api.deps import Parts, parts_of
from service.api.problem_schema import PROBLEM
from service.api.read_parameters import unknown_parameter
from service.api.store_calls import call_store
from service.domain.access import Principal, Scope
from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, format_time, parse_time
from service.errors import InvalidParameter
from service.stores.cached.limits import SettleTime

router = APIRouter(tags=["cache"], responses={"default": PROBLEM})
_WINDOW_OUTCOMES = ("hit", "partial", "miss", "bypass")
_ANSWER_OUTCOMES = ("hit", "stale", "miss", "shared", "bypass")
_BUCKET = Query(description="Only this bucket. Absent: all buckets.", examples=["Power"])
_START = Query(description="Only times from this one on (RFC 3339).", examples=["2026-01-01T00:00:00Z"])
_STOP = Query(description="Only times before this one (RFC 3339).", examples=["2026-01-02T00:00:00Z"])


@router.get("/cache", summary="What the cache holds and how well it does")
async def read_cache(request: Request, principal: Principal = requires(Scope.ADMIN)) -> CacheReport:
    """Counts of this worker since its start. See docs/caching.md for what they say."""
    parts = parts_of(request)
    cache, value = parts.cache, parts.metrics.value
    usage = cache.usage()
    limits = None if parts.windows is None else parts.windows.limits
    served, asked = value("fluxgate_cache_windows_served_total"), value("fluxgate_cache_windows_asked_total")
    return CacheReport(
        kind=cache.name,
        memory=None if usage is None else MemoryReport(**asdict(usage)),
        answers={name: int(value("fluxgate_cache_outcomes_total", outcome=name)) for name in _ANSWER_OUTCOMES},
        windows=WindowReport(
            enabled=parts.windows is not None,
            reads={name: int(value("fluxgate_cache_window_reads_total", outcome=name)) for name in _WINDOW_OUTCOMES},
            served=int(served),
            asked=int(asked),
            asked_share=asked / served if served else None,
            waits=int(value("fluxgate_cache_waits_total")),
            checked=int(value("fluxgate_cache_checked_total")),
            stale_found=int(value("fluxgate_cache_stale_found_total")),
            settle_s=None if limits is None else limits.settle_ns / SECOND_NS,
            settle_times=[]
            if limits is None
            else [_settle_report(special) for special in limits.special_settle_times()],
        ),
    )


def _settle_report(special: SettleTime) -> SettleReport:
    late_s = None if special.late_ns is None else special.late_ns / SECOND_NS
    return SettleReport(
        bucket=special.bucket,
        settle_s=special.settle_ns / SECOND_NS,
        measured_late_s=late_s,
        is_set=special.is_set,
    )


@router.post("/cache/flush", summary="Drop what the cache holds")
async def flush_cache(
    request: Request,
    bucket: Annotated[str | None, _BUCKET] = None,
    start: Annotated[str | None, _START] = None,
    stop: Annotated[str | None, _STOP] = None,
    principal: Principal = requires(Scope.ADMIN),
) -> Flushed:
    """Drop kept windows in the range, in every worker, and all whole answers about these buckets.

    Needed after data was written around the gateway with times older than CACHE_SETTLE.
    """
    for name in request.query_params:
        if name not in ("bucket", "start", "stop"):
            raise unknown_parameter(name, ["bucket", "start", "stop"])
    parts, span = parts_of(request), _span(start, stop)
    return await call_store(parts.pools.catalogue, principal, partial(_flush, parts, bucket, span))


def _span(start: str | None, stop: str | None) -> TimeRange:
    """Raises InvalidParameter for what is no time, and for an empty range."""
    start_ns = EARLIEST_NS if start is None else parse_time(start, "start")
    stop_ns = LATEST_NS + 1 if stop is None else parse_time(stop, "stop")
    if start_ns >= stop_ns:
        raise InvalidParameter("start", "start is not before stop, so nothing was dropped. Swap or change them.")
    return TimeRange(start_ns, stop_ns)


def _flush(parts: Parts, bucket: str | None, span: TimeRange) -> Flushed:
    """Raises UnknownBucket, and what the store raises."""
    names = [one.name for one in parts.store.buckets()] if bucket is None else [parts.store.bucket(bucket).name]
    for name in names:
        parts.drop_kept(name, span)
    ends = (None, None) if span == EVER else (format_time(span.start_ns), format_time(span.stop_ns))
    return Flushed(buckets=names, start=ends[0], stop=ends[1])
