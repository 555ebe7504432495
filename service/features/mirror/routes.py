"""Mirrors over HTTP: ordered, seen, and compared. They are configured as `/config/mirrors`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

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
from service.errors import InvalidParameter, NotFound
from service.features.mirror.schemas import Difference, MirrorInfo, MirrorList, MirrorOrder, OrderedJobs, pair_info
from service.jobs.mirror.definitions import KIND, SCHEDULE_PREFIX
from service.jobs.mirror.ledger import pairs_of
from service.jobs.mirror.runnable import MirrorRunnable
from service.state.schedules import ScheduleState

router = APIRouter(tags=["mirror"], responses={"default": PROBLEM})
_ORDER = MirrorOrder | None
_POOL = ThreadPool("mirror's servers", 4)
"""For calls that ask both stores of a mirror."""
Name = Annotated[str, Path(description="The mirror, as `GET /mirror` names it.", examples=["plant"])]


@router.post("/mirror/trigger", summary="Run mirrors now", status_code=202, openapi_extra=request_body(_ORDER, "Order", required=False))
async def run_mirrors(
    request: Request,
    response: Response,
    order: Annotated[MirrorOrder | None, json_body(_ORDER, Scope.MIRROR, required=False)],
    principal: Principal = requires(Scope.MIRROR),
) -> OrderedJobs:
    """Order a run of one mirror or of all; of one bucket or of a range, when that is said. Each is a job. A dry run changes nothing."""
    wanted = order or MirrorOrder()
    parameters = {name: value for name, value in wanted.model_dump(exclude={"mirror"}).items() if value not in (None, False)}
    names = [wanted.mirror] if wanted.mirror is not None else await state_call(request, _names, parts_of(request))
    if not names:
        raise InvalidParameter("mirror", "No mirror is configured. PUT /config/mirrors makes one; docs/mirror.md says how.")
    ordered = [await submit_job(request, response, principal, KIND, {"mirror": name, **parameters}) for name in names]
    if len(ordered) > 1:
        response.headers["Location"] = f"/jobs?kind={KIND}"
    return OrderedJobs(jobs=ordered)


@router.post("/mirror/{name}/verify", summary="Compare both sides of a mirror to the bit", status_code=202)
async def verify_mirror(
    request: Request,
    response: Response,
    name: Name,
    bucket: Annotated[str | None, Query(max_length=500, description="Only this bucket of the source.")] = None,
    principal: Principal = requires(Scope.MIRROR),
) -> JobInfo:
    """Order a job that reads both sides fully and compares digests; its `result.equal` is the answer."""
    mirror = await state_call(request, _mirror, parts_of(request), name)
    parameters = {"mirror": mirror.name, "verify": True, **({} if bucket is None else {"bucket": bucket})}
    return await submit_job(request, response, principal, KIND, parameters)


@router.get("/mirror", summary="List mirrors")
async def list_mirrors(request: Request, principal: Principal = requires(Scope.MIRROR)) -> MirrorList:
    """Every mirror, with what is known of its buckets."""
    return await state_call(request, _listing, parts_of(request), now_of(request))


@router.get("/mirror/{name}", summary="See a mirror")
async def show_mirror(request: Request, name: Name, principal: Principal = requires(Scope.MIRROR)) -> MirrorInfo:
    """One mirror: last success, lag, points, slices by state, next run."""
    parts = parts_of(request)
    mirror = await state_call(request, _mirror, parts, name)
    return await state_call(request, lambda: _info(parts, mirror, _news(parts, now_of(request))))


@router.get("/mirror/{name}/diff", summary="See what differs")
async def diff_mirror(
    request: Request,
    name: Name,
    bucket: Annotated[str, Query(max_length=500, description="A bucket of the source.", examples=["Weather"])],
    start: Annotated[str, Query(description="From this moment on, RFC 3339.", examples=["2026-01-30T00:00:00Z"])],
    stop: Annotated[str, Query(description="Before this moment, at most 31 days later.", examples=["2026-01-31T00:00:00Z"])],
    principal: Principal = requires(Scope.MIRROR),
) -> Difference:
    """Read both sides of a range now and say which series differ, hour by hour."""
    parts = parts_of(request)
    span = parse_range(start, stop)
    mirror = await state_call(request, _mirror, parts, name)
    found = await call_store(_POOL, principal, partial(_mirrors(parts).diff, mirror, bucket, span))
    return Difference.model_validate(found)


def _mirrors(parts: Parts) -> MirrorRunnable:
    return parts.kinds.runnable(KIND, MirrorRunnable)


def _names(parts: Parts) -> list[str]:
    return _mirrors(parts).registry.names()


def _mirror(parts: Parts, name: str) -> Mirror:
    try:
        return _mirrors(parts).registry.get(name)
    except InvalidParameter as unknown:
        raise NotFound(unknown.message) from None


@dataclass(frozen=True)
class _News:
    """What is known of all mirrors' schedules and newest jobs at `now`."""

    schedules: Mapping[str, ScheduleState]
    jobs: Sequence[Job]
    now: float


def _news(parts: Parts, now: float) -> _News:
    return _News(parts.schedules.states(), parts.jobs.ledger.list([KIND], limit=200), now)


def _listing(parts: Parts, now: float) -> MirrorList:
    news = _news(parts, now)
    return MirrorList(mirrors=[_info_or_error(parts, name, news) for name in _names(parts)])


def _info_or_error(parts: Parts, name: str, news: _News) -> MirrorInfo:
    """A mirror that cannot work is listed with what is wrong."""
    try:
        return _info(parts, _mirrors(parts).registry.get(name), news)
    except InvalidParameter as wrong:
        nothing = dict.fromkeys(("source", "target", "mode", "buckets", "next_run", "last_job", "last_job_state"))
        return MirrorInfo(name=name, last_error=wrong.message, pairs=[], **nothing)


def _info(parts: Parts, mirror: Mirror, news: _News) -> MirrorInfo:
    known = pairs_of(parts.state, mirror.name)
    named = None if mirror.buckets is None else {(pair.source, pair.target) for pair in mirror.buckets}
    scheduled = news.schedules.get(f"{SCHEDULE_PREFIX}{mirror.name}")
    last = _last_job(news.jobs, mirror.name)
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
        pairs=[pair_info(*key, *found, news.now) for key, found in sorted(known.items()) if named is None or key in named],
    )


def _last_job(jobs: Sequence[Job], name: str) -> Job | None:
    """The newest run that copies."""
    runs = (job for job in jobs if job.parameters.get("mirror") == name and not job.parameters.get("verify") and not job.parameters.get("dry_run"))
    return next(runs, None)
