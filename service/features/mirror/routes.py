"""Routes of mirrors: run, verify, list, show and compare. `/config/mirrors` configures them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.auth import requires
from service.api.deps import Parts, parts_of
from service.api.job_schemas import JobInfo, time_text
from service.api.jobs import now_of, state_call, submit_job
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.api.store_calls import call_store
from service.api.thread_pools import ThreadPool
from service.domain.access import Principal, Scope
from service.domain.job import Job
from service.domain.mirror import Mirror
from service.domain.timerange import parse_range
from service.errors import InvalidParameter
from service.features.mirror.naming import Name, configured_mirror, mirrors_of
from service.features.mirror.schemas import Difference, MirrorInfo, MirrorList, MirrorOrder, OrderedJobs, pair_info
from service.jobs.mirror.definitions import KIND, SCHEDULE_PREFIX
from service.jobs.mirror.ledger import pairs_of
from service.state.schedules import ScheduleState

router = APIRouter(tags=["mirror"], responses={"default": PROBLEM})
_ORDER = MirrorOrder | None
_POOL = ThreadPool("mirror's servers", 4)
"""Threads for calls that read both stores of a mirror."""


@router.post(
    "/mirror/trigger",
    summary="Run mirrors now",
    status_code=202,
    openapi_extra=request_body(_ORDER, "Order", required=False),
)
async def run_mirrors(
    request: Request,
    response: Response,
    order: Annotated[MirrorOrder | None, json_body(_ORDER, Scope.MIRROR, required=False)],
    principal: Principal = requires(Scope.MIRROR),
) -> OrderedJobs:
    """Run one mirror or all mirrors, for all data or for one bucket or range. Each run is a job.

    A dry run changes nothing.
    """
    order = order or MirrorOrder()
    members = order.model_dump(exclude={"mirror"})
    parameters = {name: value for name, value in members.items() if value not in (None, False)}
    names = [order.mirror] if order.mirror is not None else await state_call(request, _names, parts_of(request))
    if not names:
        raise InvalidParameter(
            "mirror",
            "No mirror is configured. PUT /config/mirrors makes one; docs/mirror.md says how.",
        )
    jobs = [await submit_job(request, response, principal, KIND, {"mirror": name, **parameters}) for name in names]
    if len(jobs) > 1:
        response.headers["Location"] = f"/jobs?kind={KIND}"
    return OrderedJobs(jobs=jobs)


@router.post("/mirror/{name}/verify", summary="Compare both sides of a mirror to the bit", status_code=202)
async def verify_mirror(
    request: Request,
    response: Response,
    name: Name,
    bucket: Annotated[str | None, Query(max_length=500, description="Only this bucket of the source.")] = None,
    principal: Principal = requires(Scope.MIRROR),
) -> JobInfo:
    """Submit a job that reads source and target fully and compares digests. Its `result.equal` is the verdict."""
    mirror = await state_call(request, configured_mirror, parts_of(request), name)
    parameters = {"mirror": mirror.name, "verify": True, **({} if bucket is None else {"bucket": bucket})}
    return await submit_job(request, response, principal, KIND, parameters)


@router.get("/mirror", summary="List mirrors")
async def list_mirrors(request: Request, principal: Principal = requires(Scope.MIRROR)) -> MirrorList:
    """Every mirror with the state of its buckets."""
    return await state_call(request, _listing, parts_of(request), now_of(request))


@router.get("/mirror/{name}", summary="See a mirror")
async def show_mirror(request: Request, name: Name, principal: Principal = requires(Scope.MIRROR)) -> MirrorInfo:
    """One mirror: last success, lag, points, slices by state, next run."""
    parts = parts_of(request)
    mirror = await state_call(request, configured_mirror, parts, name)
    return await state_call(request, lambda: _info(parts, mirror, _activity(parts, now_of(request))))


@router.get("/mirror/{name}/diff", summary="See what differs", response_model_exclude_unset=True)
async def diff_mirror(
    request: Request,
    name: Name,
    bucket: Annotated[str, Query(max_length=500, description="A bucket of the source.", examples=["Weather"])],
    start: Annotated[str, Query(description="Start of the range, RFC 3339.", examples=["2026-01-30T00:00:00Z"])],
    stop: Annotated[
        str,
        Query(description="End of the range, exclusive, at most 31 days later.", examples=["2026-01-31T00:00:00Z"]),
    ],
    principal: Principal = requires(Scope.MIRROR),
) -> Difference:
    """Read a range of source and target now, and list the series that differ, hour by hour."""
    parts = parts_of(request)
    span = parse_range(start, stop)
    mirror = await state_call(request, configured_mirror, parts, name)
    difference = await call_store(_POOL, principal, partial(mirrors_of(parts).diff, mirror, bucket, span))
    return Difference.model_validate(difference)


def _names(parts: Parts) -> list[str]:
    return mirrors_of(parts).registry.names()


@dataclass(frozen=True)
class _Activity:
    """The schedules and newest jobs of all mirrors at `now`, in seconds since 1970."""

    schedules: Mapping[str, ScheduleState]
    jobs: Sequence[Job]
    now: float


def _activity(parts: Parts, now: float) -> _Activity:
    return _Activity(parts.schedules.states(), parts.jobs.job_store.list([KIND], limit=200), now)


def _listing(parts: Parts, now: float) -> MirrorList:
    activity = _activity(parts, now)
    return MirrorList(mirrors=[_info_or_error(parts, name, activity) for name in _names(parts)])


def _info_or_error(parts: Parts, name: str, activity: _Activity) -> MirrorInfo:
    """The mirror, or its name and the reason when it cannot run."""
    try:
        return _info(parts, mirrors_of(parts).registry.get(name), activity)
    except InvalidParameter as wrong:
        members = ("source", "target", "mode", "buckets", "next_run", "last_job", "last_job_state")
        return MirrorInfo(name=name, last_error=wrong.message, pairs=[], **dict.fromkeys(members))


def _info(parts: Parts, mirror: Mirror, activity: _Activity) -> MirrorInfo:
    recorded = pairs_of(parts.state, mirror.name)
    configured = recorded if mirror.buckets is None else {(pair.source, pair.target) for pair in mirror.buckets}
    pairs = {pair: record for pair, record in recorded.items() if pair in configured}
    scheduled = activity.schedules.get(f"{SCHEDULE_PREFIX}{mirror.name}")
    last = _last_job(activity.jobs, mirror.name)
    return MirrorInfo(
        name=mirror.name,
        source=str(mirror.source),
        target=str(mirror.target),
        mode="raw" if mirror.windows is None else "downsample",
        buckets="all" if mirror.buckets is None else [pair.source for pair in mirror.buckets],
        next_run=None if scheduled is None else time_text(scheduled.next_run),
        last_job=None if last is None else last.id,
        last_job_state=None if last is None else last.state.value,
        last_error=None if last is None or last.error is None else str(last.error["message"]),
        pairs=[pair_info(*pair, *record, activity.now) for pair, record in sorted(pairs.items())],
    )


def _last_job(jobs: Sequence[Job], name: str) -> Job | None:
    """The newest job of a mirror that copies."""
    mirror_jobs = (job for job in jobs if job.parameters.get("mirror") == name)
    return next(
        (job for job in mirror_jobs if not (job.parameters.get("verify") or job.parameters.get("dry_run"))),
        None,
    )
