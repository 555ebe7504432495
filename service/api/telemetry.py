"""The routes of the latest telemetry of all buckets, in the JSON shape that cloud platforms accept."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import anyio
from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from service.api.auth import authenticate, require_bucket, requires
from service.api.deps import parts_of
from service.api.event_stream import HEADERS, EventStream
from service.api.head_requests import head_answer, wants_head
from service.api.problem_schema import PROBLEM
from service.api.read_headers import latest_headers
from service.api.streaming import AnswerResponse, read_in_thread
from service.api.telemetry_listeners import Listener
from service.api.telemetry_parameters import LatestParameters
from service.domain.access import Principal, Scope
from service.errors import CallerError

router = APIRouter(tags=["telemetry"], responses={"default": PROBLEM})
_EXAMPLE = {"ts": 1767225600000, "values": {"real_power": {"watts": 412.5}, "latitude": 52.5, "longitude": 13.4}}
_JSON = {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}
_ANSWER = {"description": "The newest values.", "content": _JSON}
_EVENT = 'event: change\nid: 8d1c03fe.7\ndata: {"ts":1767225600000,"values":{"real_power":{"watts":412.5}}}\n\n'
_EVENTS = {
    "description": "Server-sent events without end.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENT}},
}
_LAST_EVENT_ID = Header(description="The id of the last received event: what changed since is sent, not everything.")
_FIRST_WITHIN_S = 2.0
"""How long an answer waits for the first look-up in the store, so that a question that it refuses has its status."""
Parameters = Annotated[LatestParameters, Depends()]


@router.get("/telemetry/latest", summary="The latest telemetry", response_class=Response, responses={200: _ANSWER})
async def read_latest_telemetry(
    request: Request,
    parameters: Parameters,
    principal: Principal = requires(Scope.READ),
) -> Response:
    """The newest value of each field of the measurements whose name contains TELEMETRY_WORD; see docs/telemetry.md."""
    question, parts = parameters.question(), parts_of(request)
    answer = await read_in_thread(request, principal, partial(parts.telemetry.latest, question, principal))
    headers = latest_headers(answer, parts.clock_ns())
    return AnswerResponse(answer.served, headers, gzip=False, most_s=parts.reads.limits.timeout_s)


async def _listen(
    request: Request,
    parameters: Parameters,
    principal: Principal = requires(Scope.READ),
    last_event_id: Annotated[str | None, _LAST_EVENT_ID] = None,
) -> AsyncIterator[Listener | None]:
    """A listener while the stream is open; None for a request that wants no events."""
    question, topics = parameters.question(), parts_of(request).telemetry_topics
    for bucket in question.buckets:
        require_bucket(principal, bucket)
    if wants_head(request):
        yield None
        return
    listener = topics.join(question, principal, last_event_id)
    try:
        with anyio.move_on_after(_FIRST_WITHIN_S):
            await listener.woken.wait()
        if isinstance(listener.topic.failure, CallerError):
            raise listener.topic.failure.with_traceback(None)  # it is raised for each listener
        yield listener
    finally:
        topics.leave(listener)


@router.get(
    "/telemetry/stream",
    summary="Follow the latest telemetry",
    response_class=Response,
    responses={200: _EVENTS},
)
async def follow_telemetry(request: Request, listener: Annotated[Listener | None, Depends(_listen)]) -> Response:
    """Server-sent events: `state` with all that GET /telemetry/latest answers, then `change` with what differs.

    The parameters are those of GET /telemetry/latest. See docs/telemetry.md for the events.
    """
    if listener is None:
        return head_answer(HEADERS)
    return EventStream(listener, partial(authenticate, request), parts_of(request).reads.limits.timeout_s)
