"""The route that writes points. Its answer names every line that was not stored, up to a limit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Request

from service.api.auth import require_bucket, requires
from service.api.bodies import points_bound, read_body
from service.api.client_disconnect import run_until_disconnect
from service.api.deps import Parts, parts_of
from service.api.name_encoding import decode_segment
from service.api.problem_schema import PROBLEM
from service.api.read_parameters import unknown_parameter
from service.api.schemas import LineProblem, Stored
from service.api.store_calls import call_store
from service.api.upstream_visibility import sees_upstream
from service.api.write_limits import WriteBudget
from service.domain.access import Principal, Scope
from service.errors import InvalidParameter, PointsRefused
from service.frames.points import ParsedLines
from service.lineprotocol.json_points import points_to_lines
from service.lineprotocol.json_points_reader import read_points
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Refusal, WriteBounds, WriteOutcome

router = APIRouter(tags=["buckets"], responses={"default": PROBLEM})
_MOST_NAMED_LINES = 1000
_EXAMPLE_POINT = {
    "measurement": "probe",
    "tags": {"place": "oven"},
    "fields": {"celsius": 181.5},
    "time": "2026-01-01T00:00:00Z",
}
_PARTIAL = Query(
    alias="partial",
    description="true: store the valid lines when others do not parse.",
    examples=["false"],
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": 'probe,place=oven celsius=181.5,door="shut" 1767225600000000000',
            },
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [_EXAMPLE_POINT],
            },
        },
    }
}


@router.post("/buckets/{name}/points", summary="Write points", openapi_extra=_BODY)
async def write_points(
    request: Request,
    name: str,
    precision: Annotated[
        str,
        Query(description="Unit of the times: ns (default), us, ms or s.", examples=["s"]),
    ] = "ns",
    partial_: Annotated[str, _PARTIAL] = "false",
    principal: Principal = requires(Scope.WRITE),
) -> Stored:
    """Store line protocol (text/plain) or JSON points (application/json), plain or gzip.

    When a line does not parse, nothing is stored, unless `partial=true`.

    The store itself may refuse points, such as those with another type of a field or a time outside the retention.
    The answer names these lines; all others are stored.
    """
    for parameter in request.query_params:
        if parameter not in ("precision", "partial"):
            raise unknown_parameter(parameter, ["precision", "partial"])
    if partial_ not in ("true", "false"):
        raise InvalidParameter("partial", f"partial={partial_[:50]!r} is neither true nor false.")
    parts, bucket = parts_of(request), decode_segment(name)
    require_bucket(principal, bucket)
    is_json = request.headers.get("Content-Type", "").split(";")[0].strip().lower() == "application/json"
    budget = WriteBudget(parts.limits.write_timeout_s)
    async with parts.write_slots.body(request, principal.id) as charge:
        body = await _read_body(request, parts, budget, charge)
        write = _Write(bucket, body, is_json, precision, partial_ == "true", sees_upstream(request))
        act = partial(_store, parts, write, budget)
        async with parts.write_slots.slot(request, principal.id):
            return await run_until_disconnect(
                request.receive,
                budget.cancel,
                lambda _disconnected: call_store(parts.pools.writes, principal, act),
            )


async def _read_body(request: Request, parts: Parts, budget: WriteBudget, charge: Callable[[int], None]) -> bytes:
    try:
        with anyio.fail_after(budget.remaining_s):
            body = await read_body(request, points_bound(parts.limits), charge)
    except TimeoutError:
        raise budget.timeout() from None
    parts.metrics.bytes_in.inc(len(body))
    return body


@dataclass(frozen=True)
class _Write:
    """What a request wants to have written. `partial`: store the valid lines when others do not parse."""

    bucket: str
    body: bytes
    is_json: bool
    precision: str
    partial: bool
    upstream_visible: bool


def _store(parts: Parts, write: _Write, budget: WriteBudget) -> Stored:
    """Parse and store the points. Raises PointsRefused when lines are refused and the write is not partial."""
    parts.store.bucket(write.bucket)
    most_bytes = parts.limits.max_write_memory_bytes
    lines = points_to_lines(read_points(write.body), write.precision, budget.check) if write.is_json else write.body
    parsed = parse_lines(lines, write.precision, parts.clock_ns(), check=budget.check, max_memory_bytes=most_bytes)
    bad = [LineProblem(line=line.line, code="bad_line", reason=f"{line.reason}: {line.text}") for line in parsed.bad]
    if parsed.ended_early or (bad and not write.partial):
        raise PointsRefused(_why_nothing(parsed, bad[0]), stored=0, bad=[line.model_dump() for line in bad], refused=[])
    outcome = parts.store.write(write.bucket, parsed.points, WriteBounds(budget.check, _MOST_NAMED_LINES))
    parts.metrics.points_in.inc(outcome.stored)
    refused = [_line_problem(refusal, write.upstream_visible) for refusal in outcome.refused]
    if refused and not write.partial:
        raise _refused(outcome, refused)
    return Stored(
        stored=outcome.stored,
        bad=bad,
        bad_count=parsed.bad_count,
        refused=refused,
        refused_count=outcome.refused_count,
    )


def _line_problem(refusal: Refusal, upstream_visible: bool) -> LineProblem:
    upstream = f" It says: {refusal.upstream}" if refusal.upstream and upstream_visible else ""
    return LineProblem(line=refusal.line, code=refusal.code, reason=f"{refusal.reason}{upstream}")


def _why_nothing(parsed: ParsedLines, first: LineProblem) -> str:
    """The message when nothing is stored. `first` is the first line that does not parse."""
    reason = f"Line {first.line}: {first.reason}."
    if parsed.ended_early:
        finding = f"At least {parsed.bad_count} lines do not parse, and {parsed.ended_early}: nothing was stored,"
        advice = "Mend the lines, or send fewer at a time."
        return f"{finding} and partial=true would not change that. {reason} {advice}"
    all_lines = parsed.bad_count + len(parsed.points)
    finding = f"{parsed.bad_count} of {all_lines} lines do not parse, so nothing was stored."
    return f"{finding} {reason} Mend them, or send partial=true to store the others."


def _refused(outcome: WriteOutcome, refused: list[LineProblem]) -> PointsRefused:
    finding = f"The store refused {outcome.refused_count} points; {outcome.stored} were stored."
    return PointsRefused(
        f"{finding} Line {refused[0].line}: {refused[0].reason}",
        stored=outcome.stored,
        bad=[],
        refused=[line.model_dump() for line in refused],
    )
