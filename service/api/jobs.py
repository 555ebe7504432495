"""Routes of jobs: list, show, follow, cancel and retry. The routes of each kind submit its jobs.

A key sees the jobs of the kinds that its scopes allow, and all jobs with `admin`. Other jobs answer 404.
A key that is limited to buckets has none of these scopes.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from service.api.auth import authenticate, missing_scope
from service.api.body_gate import accept
from service.api.deps import parts_of
from service.api.head_requests import wants_head
from service.api.job_schemas import (
    JobDetail,
    JobInfo,
    JobList,
    ScheduleList,
    job_detail,
    job_info,
    line_info,
    schedule_info,
)
from service.api.problem_schema import PROBLEM
from service.api.upstream_visibility import visible_job, visible_lines
from service.domain.access import Principal
from service.domain.job import Job, JobState, LogLine
from service.errors import Forbidden, InvalidParameter, NotFound, RetryLater, TooManyFailedTries, Unauthorized
from service.jobs.kind import JOB_SCOPES
from service.shares import Reserve, Shares, share_of_key
from service.state.jobs import LONGEST_LIST

router = APIRouter(tags=["jobs"], responses={"default": PROBLEM})
_POLL_INTERVAL_S = 0.5
_SHOWN_LINES = 100
_MOST_STREAMS = 64
_WORKERLESS_AFTER_S, _WORKERLESS_AGAIN_S = 10.0, 60.0
Result = TypeVar("Result")
_LAST_EVENT_ID = "The id of the last received event; the stream continues after it."
_FORCE = "Take a running job from its process, which can then record nothing more about it; the log says so."
_EVENT_ID = re.compile(r"(-1|[0-9]{1,17})\.([0-9]{1,17})", re.ASCII)


def now_of(request: Request) -> float:
    """Now, in seconds since 1970, by the gateway's clock."""
    return float(parts_of(request).clock_ns()) / 1e9


async def state_call(request: Request, act: Callable[..., Result], *arguments: object) -> Result:
    """Call `act` in a thread for the state database and return its result."""
    return await parts_of(request).pools.state.run(act, *arguments)


async def _some_job_scope(request: Request) -> Principal:
    principal = await authenticate(request)
    if not any(principal.may(scope) for scope in JOB_SCOPES):
        ineffective = next((scope for scope in JOB_SCOPES if scope in principal.scopes), None)
        if ineffective is not None:
            raise Forbidden(missing_scope(principal, ineffective))
        lack = f"The key {principal.name!r} has none of the scopes that jobs need: {', '.join(JOB_SCOPES)}."
        raise Forbidden(f"{lack} Make one with `fluxgate keys create`.")
    accept(request)
    return principal


JobReader = Annotated[Principal, Depends(_some_job_scope)]


async def _visible_job(
    request: Request,
    job_id: Annotated[str, Path(description="The job's id.", examples=["019b78f1a2c04be11f2e"])],
    principal: JobReader,
) -> Job:
    """The job, when the key may see it. Raises NotFound otherwise."""
    queue = parts_of(request).jobs
    if not _is_id(job_id):
        raise _no_job(job_id)
    job = await state_call(request, queue.job_store.show, job_id)
    if job.kind not in queue.kinds.of(principal):
        raise _no_job(job_id)
    return job


def _is_id(text: str) -> bool:
    """Whether `text` can be an id. PostgreSQL refuses some other texts, such as those with a zero byte."""
    return text.isascii() and text.isalnum() and len(text) <= 32


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"There is no job {job_id[:50]!r}. GET /jobs lists them.")


VisibleJob = Annotated[Job, Depends(_visible_job)]


async def submit_job(
    request: Request,
    response: Response,
    principal: Principal,
    kind: str,
    parameters: Mapping[str, Any],
) -> JobInfo:
    """Submit a job and answer 202 with its Location. The calling route has checked the scope."""
    submit = partial(parts_of(request).jobs.submit, kind, parameters, principal.id)
    job, _ = await parts_of(request).pools.orders.run(submit)
    return _accepted(request, response, job)


def _accepted(request: Request, response: Response, job: Job) -> JobInfo:
    response.status_code = 202
    response.headers["Location"] = f"/jobs/{job.id}"
    return job_info(visible_job(request, job), now_of(request))


@router.get("/jobs", summary="List jobs")
async def list_jobs(
    request: Request,
    principal: JobReader,
    kind: Annotated[
        list[str] | None,
        Query(description="Only jobs of these kinds; repeatable.", examples=[["mirror"]]),
    ] = None,
    state: Annotated[list[JobState] | None, Query(description="Only jobs in these states; repeatable.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most jobs in the answer.")] = 50,
    before: Annotated[
        str | None,
        Query(max_length=32, description="Only jobs older than this: the `before` of an earlier answer."),
    ] = None,
) -> JobList:
    """The jobs that the key may see, the newest first."""
    if before is not None and not _is_id(before):
        raise InvalidParameter(
            "before",
            f"before={before!r} is no id of a job. Send the `before` of an earlier answer.",
        )
    queue = parts_of(request).jobs
    kinds = [name for name in queue.kinds.of(principal) if kind is None or name in kind]
    jobs = await state_call(request, partial(queue.job_store.list, kinds, state or (), limit, before))
    warning = await state_call(request, parts_of(request).workers.warning)
    return JobList(
        jobs=[job_info(visible_job(request, job), now_of(request)) for job in jobs],
        before=jobs[-1].id if len(jobs) == limit else None,
        warnings=[] if warning is None else [warning],
    )


@router.get("/schedules", summary="List schedules")
async def list_schedules(request: Request, principal: JobReader) -> ScheduleList:
    """The schedules of the kinds that the key may see, with next and last run. `PUT /config/schedules` changes them."""
    parts = parts_of(request)
    listing = await state_call(request, parts.schedules.listing)
    kinds = parts.jobs.kinds.of(principal)
    return ScheduleList(
        schedules=[schedule_info(schedule, state) for schedule, state in listing if schedule.kind in kinds],
    )


@router.get("/jobs/{job_id}", summary="See a job")
async def show_job(request: Request, job: VisibleJob) -> JobDetail:
    """The job with the newest hundred lines of its log."""
    lines = await state_call(request, parts_of(request).jobs.job_store.newest_lines, job.id, _SHOWN_LINES)
    return job_detail(visible_job(request, job), visible_lines(request, lines), now_of(request))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job", status_code=202)
async def cancel_job(request: Request, response: Response, job: VisibleJob, principal: JobReader) -> JobInfo:
    """Cancel a job. A queued job ends at once; a running job stops within seconds and keeps its checkpoint.

    A job that has ended is not changed.
    """
    cancelled = await state_call(request, parts_of(request).jobs.cancel, job.id, principal.name)
    return _accepted(request, response, cancelled)


@router.post("/jobs/{job_id}/retry", summary="Run a job again", status_code=202)
async def retry_job(
    request: Request,
    response: Response,
    job: VisibleJob,
    principal: JobReader,
    force: Annotated[bool, Query(description=_FORCE)] = False,
) -> JobInfo:
    """Queue a failed or cancelled job again. It continues from its checkpoint."""
    queued = await parts_of(request).pools.orders.run(parts_of(request).jobs.retry, job.id, principal.name, force)
    return _accepted(request, response, queued)


class EventStreams:
    """Bounds the open event streams of this process: at most `most`, and at most half of them for one key.

    It takes no lock, so it may only be used from one event loop.
    """

    def __init__(self, most: int) -> None:
        self._open = Shares(most, share_of_key(most, Reserve.HALF))

    async def hold(self, principal: JobReader) -> AsyncIterator[None]:
        """Count a stream while it is open. Raises RetryLater when there are too many."""
        if self._open.take(principal.id) is not None:
            raise RetryLater("Too many event streams are open. Close one, or poll GET /jobs/{id}.", 10)
        try:
            yield
        finally:
            self._open.give_back(principal.id)


_streams = EventStreams(_MOST_STREAMS)


@router.get("/jobs/{job_id}/events", summary="Follow a job", response_class=EventSourceResponse)
async def follow_job(
    request: Request,
    job: VisibleJob,
    _: Annotated[None, Depends(_streams.hold)],
    last_event_id: Annotated[str | None, Header(description=_LAST_EVENT_ID)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events until the job ends: `log` for each log line, `job` when the job changed.

    `warning` says that the job waits because no worker is alive: after 10 seconds, and then once a minute.
    A comment every 15 seconds keeps the connection open.
    """
    if wants_head(request):
        return
    job_store = parts_of(request).jobs.job_store
    version, number = _cursor(last_event_id)
    waiting = _Waiting(time.monotonic)
    while await _is_key_still_valid(request):
        current = await state_call(request, job_store.show, job.id)
        lines = await state_call(request, job_store.lines, job.id, number)
        for line in lines:
            number = line.number
            for visible_line in visible_lines(request, [line]):
                yield _log_event(visible_line, version)
        if current.version != version and len(lines) < LONGEST_LIST:
            version = current.version
            data = job_info(visible_job(request, current), now_of(request)).model_dump()
            yield ServerSentEvent(event="job", id=f"{version}.{number}", data=data)
        elif current.state.ended and not lines:
            return
        elif current.state is JobState.QUEUED and waiting.is_due():
            warning = await state_call(request, parts_of(request).workers.warning)
            if warning is not None:
                yield ServerSentEvent(event="warning", data={"message": warning, "waited_s": waiting.waited_s()})
        await asyncio.sleep(_POLL_INTERVAL_S)


class _Waiting:
    """When a stream looks for workers: after 10 seconds, and then every minute. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began_at = clock()
        self._due_at = self._began_at + _WORKERLESS_AFTER_S

    def waited_s(self) -> int:
        return int(self._clock() - self._began_at)

    def is_due(self) -> bool:
        """Whether it is time; the next time is a minute later."""
        if self._clock() < self._due_at:
            return False
        self._due_at = self._clock() + _WORKERLESS_AGAIN_S
        return True


async def _is_key_still_valid(request: Request) -> bool:
    """Whether the key of an open stream is still valid. While it cannot be checked, it counts as valid."""
    try:
        await authenticate(request)
    except (Unauthorized, TooManyFailedTries):
        return False
    except RetryLater:
        return True
    return True


def _log_event(line: LogLine, version: int) -> ServerSentEvent:
    return ServerSentEvent(event="log", id=f"{version}.{line.number}", data=line_info(line).model_dump())


def _cursor(text: str | None) -> tuple[int, int]:
    """Version and line number of an event's id. The version is -1 before the first `job` event.

    Any other text starts at the beginning.
    """
    match = _EVENT_ID.fullmatch(text or "")
    return (int(match[1]), int(match[2])) if match else (-1, 0)
