"""The two routes that existing callers use, with their own words: order a range, and ask how far it is."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.jobs import state_call, submit_job
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.domain.access import Principal, Scope
from service.domain.job import Job, JobState
from service.domain.moments import parse_moment
from service.domain.timerange import format_time
from service.errors import NotFound
from service.features.connector.routes import connectors_of
from service.features.connector.schemas import LegacyRequest, LegacyTask, LegacyTicket
from service.jobs.forward.definitions import KIND

router = APIRouter(tags=["connector"], responses={"default": PROBLEM})
_ZONE = "UTC"
"""Of times without an offset, which these callers send."""


@router.post(
    "/api/v1/raise-request",
    summary="Send a range to the upstream now (as before)",
    openapi_extra=request_body(LegacyRequest, "Request"),
)
async def raise_request(
    request: Request,
    response: Response,
    order: Annotated[LegacyRequest, json_body(LegacyRequest, Scope.CONNECTOR)],
    principal: Principal = requires(Scope.CONNECTOR),
) -> LegacyTicket:
    """`POST /connector/requests` in the words of existing callers, for `default` or the only connector."""
    name = await state_call(request, connectors_of(request).registry.name_of, None)
    times = {
        member: format_time(parse_moment(text, member, _ZONE))
        for member, text in (("start_time", order.start_time), ("end_time", order.end_time))
    }
    job = await submit_job(request, response, principal, KIND, {"connector": name, **times})
    response.status_code = 200
    return LegacyTicket(task_id=job.id, status="PENDING")


@router.get("/api/v1/tasks/{task_id}", summary="See how far a range is (as before)")
async def show_task(
    request: Request,
    task_id: Annotated[str, Path(description="The `task_id`.", examples=["019b78f1a2c04be11f2e"])],
    principal: Principal = requires(Scope.CONNECTOR),
) -> LegacyTask:
    """`GET /jobs/{id}` in the words of existing callers."""
    if not (task_id.isascii() and task_id.isalnum() and len(task_id) <= 32):
        raise _no_task(task_id)
    try:
        job = await state_call(request, parts_of(request).jobs.job_store.show, task_id)
    except NotFound:
        raise _no_task(task_id) from None
    if job.kind != KIND:
        raise _no_task(task_id)
    return task_of(job)


def task_of(job: Job) -> LegacyTask:
    """The job in the words of existing callers."""
    done, total = (0, 0) if job.progress is None else (job.progress.done, job.progress.total or 0)
    return LegacyTask(state=_state(job), current=done, total=total, status=_sentence(job), result=job.result)


def _state(job: Job) -> str:
    if job.state is JobState.SUCCEEDED:
        return "SUCCESS"
    if job.state.ended:
        return "FAILURE"
    if job.progress is not None:
        return "PROGRESS"
    return "STARTED" if job.state is JobState.RUNNING else "PENDING"


def _sentence(job: Job) -> str:
    if job.error is not None:
        return str(job.error["message"])
    if job.progress is not None and not job.state.ended:
        total = "" if job.progress.total is None else f" of {job.progress.total}"
        return f"{job.progress.done}{total} {job.progress.unit}"
    return job.state.value


def _no_task(task_id: str) -> NotFound:
    return NotFound(f"There is no task {task_id[:50]!r}. POST /api/v1/raise-request makes one.")
