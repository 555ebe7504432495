"""Routes of connectors: ask for a range, list, show, set the bookmark, resume, and dead letters.

`/config/connectors` configures them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from service.api.auth import requires
from service.api.deps import Parts, parts_of
from service.api.job_schemas import JobInfo
from service.api.jobs import now_of, state_call, submit_job
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.api.upstream_visibility import sees_upstream
from service.domain.access import Principal, Scope
from service.domain.job import UPSTREAM, Job
from service.domain.moments import parse_moment
from service.errors import InvalidParameter, NotFound
from service.features.connector.schemas import (
    BookmarkOrder,
    ConnectorInfo,
    ConnectorList,
    ConnectorRequest,
    RemovedLetters,
    connector_info,
)
from service.jobs.forward.bookmarks import Bookmarks
from service.jobs.forward.dead_letter_table import StoredLetter
from service.jobs.forward.definitions import KIND, SCHEDULE_PREFIX
from service.jobs.forward.orders import Lane, lane_of
from service.jobs.forward.runnable import ForwardRunnable
from service.jobs.forward.views import ConnectorView, view_of, views
from service.state.schedules import ScheduleState

router = APIRouter(tags=["connector"], responses={"default": PROBLEM})
Name = Annotated[str, Path(description="The connector, as `GET /connector` names it.", examples=["cloud"])]
_NDJSON = "application/x-ndjson"
_LETTERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object per line.",
        "content": {_NDJSON: {"schema": {"type": "string"}}},
    }
}
_NO_TIME = "now"


def connectors_of(request: Request) -> ForwardRunnable:
    """What runs connectors."""
    return parts_of(request).kinds.runnable(KIND, ForwardRunnable)


@router.post(
    "/connector/requests",
    summary="Send a range to the upstream now",
    status_code=202,
    openapi_extra=request_body(ConnectorRequest, "Request"),
)
async def request_range(
    request: Request,
    response: Response,
    order: Annotated[ConnectorRequest, json_body(ConnectorRequest, Scope.CONNECTOR)],
    principal: Principal = requires(Scope.CONNECTOR),
) -> JobInfo:
    """Order a job that sends every value of a range to the upstream, window by window.

    The bookmark of the schedule stays: what is asked for here is sent again when the schedule comes to it.
    """
    name = await state_call(request, connectors_of(request).registry.name_of, order.connector)
    members = order.model_dump(exclude={"connector"})
    parameters = {"connector": name, **{member: value for member, value in members.items() if value is not False}}
    return await submit_job(request, response, principal, KIND, parameters)


@router.get("/connector", summary="List connectors")
async def list_connectors(request: Request, principal: Principal = requires(Scope.CONNECTOR)) -> ConnectorList:
    """Every connector with its bookmark, its lag, what it sent, and why it is stopped."""
    return await state_call(request, _listing, parts_of(request), connectors_of(request))


@router.get("/connector/{name}", summary="See a connector")
async def show_connector(
    request: Request, name: Name, principal: Principal = requires(Scope.CONNECTOR)
) -> ConnectorInfo:
    """One connector: bookmark, lag, counts, dead letters, next run."""
    return await state_call(request, _shown, parts_of(request), connectors_of(request), name)


@router.post("/connector/{name}/run", summary="Run a connector now", status_code=202)
async def run_connector(
    request: Request,
    response: Response,
    name: Name,
    principal: Principal = requires(Scope.CONNECTOR),
) -> JobInfo:
    """Order the job that the schedule would order: it sends the windows after the bookmark, the newest first."""
    await state_call(request, _known, connectors_of(request), name)
    return await submit_job(request, response, principal, KIND, {"connector": name})


@router.put(
    "/connector/{name}/bookmark",
    summary="Set a connector's bookmark",
    openapi_extra=request_body(BookmarkOrder, "Bookmark"),
)
async def set_bookmark(
    request: Request,
    name: Name,
    order: Annotated[BookmarkOrder, json_body(BookmarkOrder, Scope.CONNECTOR)],
    principal: Principal = requires(Scope.CONNECTOR),
) -> ConnectorInfo:
    """Go on at another time: an earlier one sends values again, a later one leaves values out. Both are on purpose.

    A run that is under way ends without moving the bookmark.
    """
    time_ns = _time_ns(order.bookmark, now_of(request))
    return await _changed(request, name, lambda bookmarks: bookmarks.set(name, time_ns, principal.name))


@router.post("/connector/{name}/resume", summary="Let a stopped connector run again")
async def resume_connector(
    request: Request, name: Name, principal: Principal = requires(Scope.CONNECTOR)
) -> ConnectorInfo:
    """Let a connector run by itself again whose upstream wanted a human. It goes on at its bookmark."""
    return await _changed(request, name, lambda bookmarks: bookmarks.resume(name))


@router.get("/connector/{name}/dead-letters", summary="See refused values", response_class=Response, responses=_LETTERS)
async def list_dead_letters(
    request: Request,
    name: Name,
    after: Annotated[int, Query(ge=0, le=2**62, description="Only letters with a greater `number`.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Most letters in the answer.")] = 1000,
    principal: Principal = requires(Scope.CONNECTOR),
) -> Response:
    """The values that the upstream refused, with the reason, as NDJSON, in the order in which they were refused.

    The text of the upstream (`upstream`) is only for keys with `admin`.
    """
    connectors, hidden = connectors_of(request), () if sees_upstream(request) else (UPSTREAM,)

    def lines() -> bytes:
        _known(connectors, name)
        letters = connectors.bookmarks.letters.page(name, after, limit)
        return b"".join(_line(stored, hidden) for stored in letters)

    return Response(await state_call(request, lines), media_type=_NDJSON)


@router.delete("/connector/{name}/dead-letters", summary="Remove refused values")
async def remove_dead_letters(
    request: Request, name: Name, principal: Principal = requires(Scope.CONNECTOR)
) -> RemovedLetters:
    """Remove all dead letters of a connector. They are gone: look at them before."""
    connectors = connectors_of(request)

    def clear() -> RemovedLetters:
        _known(connectors, name)
        return RemovedLetters(removed=connectors.bookmarks.letters.clear(name))

    return await state_call(request, clear)


@router.post("/connector/{name}/dead-letters/replay", summary="Send refused values again", status_code=202)
async def replay_dead_letters(
    request: Request,
    response: Response,
    name: Name,
    principal: Principal = requires(Scope.CONNECTOR),
) -> JobInfo:
    """Order a job that sends every dead letter again, and removes those that the upstream accepts now."""
    await state_call(request, _known, connectors_of(request), name)
    parameters = {"connector": name, "lane": Lane.REPLAY.value}
    return await submit_job(request, response, principal, KIND, parameters)


async def _changed(request: Request, name: str, change: Callable[[Bookmarks], object]) -> ConnectorInfo:
    """The connector `name` after `change`. Raises NotFound, and then nothing is changed."""
    connectors, parts = connectors_of(request), parts_of(request)

    def act() -> ConnectorInfo:
        _known(connectors, name)
        change(connectors.bookmarks)
        return _shown(parts, connectors, name)

    return await state_call(request, act)


def _line(stored: StoredLetter, hidden: Collection[str]) -> bytes:
    members = {member: value for member, value in stored.letter.items() if member not in hidden}
    return orjson.dumps({"number": stored.number, **members}) + b"\n"


def _time_ns(text: str | None, now: float) -> int | None:
    if text is None:
        return None
    now_ns = int(now * 1e9)
    time_ns = now_ns if text == _NO_TIME else parse_moment(text, "bookmark", None, None)
    if time_ns > now_ns:
        reason = "is in the future: nothing would be sent until then. Write `now` to leave out all that is old."
        raise InvalidParameter("bookmark", f"bookmark={text!r} {reason}")
    return time_ns


def _known(connectors: ForwardRunnable, name: str) -> None:
    """Raises NotFound for a connector that there is not."""
    try:
        connectors.registry.text(name)
    except InvalidParameter as unknown:
        raise NotFound(unknown.message) from None


def _shown(parts: Parts, connectors: ForwardRunnable, name: str) -> ConnectorInfo:
    _known(connectors, name)
    return _info(view_of(connectors, name), _activity(parts))


def _listing(parts: Parts, connectors: ForwardRunnable) -> ConnectorList:
    activity = _activity(parts)
    return ConnectorList(connectors=[_info(view, activity) for view in views(connectors)])


@dataclass(frozen=True)
class _Activity:
    """The schedules and newest jobs of all connectors."""

    schedules: Mapping[str, ScheduleState]
    jobs: Sequence[Job]


def _activity(parts: Parts) -> _Activity:
    return _Activity(parts.schedules.states(), parts.jobs.job_store.list([KIND], limit=200))


def _info(view: ConnectorView, activity: _Activity) -> ConnectorInfo:
    scheduled = activity.schedules.get(f"{SCHEDULE_PREFIX}{view.name}")
    jobs = (job for job in activity.jobs if job.parameters.get("connector") == view.name)
    last = next((job for job in jobs if not lane_of(job.parameters).by_hand), None)
    return connector_info(view, None if scheduled is None else scheduled.next_run, last)
