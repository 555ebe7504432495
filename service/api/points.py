"""Writing points: parsed here, stored whole, and every line that was not stored named."""

from collections.abc import Callable
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
_MOST_NAMED = 1000
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {"schema": {"type": "string"}, "example": 'probe,place=oven celsius=181.5,door="shut" 1767225600000000000'},
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [{"measurement": "probe", "tags": {"place": "oven"}, "fields": {"celsius": 181.5}, "time": "2026-01-01T00:00:00Z"}],
            },
        },
    }
}


@router.post("/buckets/{name}/points", summary="Write points", openapi_extra=_BODY)
async def write_points(
    request: Request,
    name: str,
    precision: Annotated[str, Query(description="Unit of the times: ns (default), us, ms or s.", examples=["s"])] = "ns",
    partial_: Annotated[str, Query(alias="partial", description="true: store the good lines when some do not parse.", examples=["false"])] = "false",
    principal: Principal = requires(Scope.WRITE),
) -> Stored:
    """Store line protocol (text/plain) or JSON points (application/json), plain or gzip.

    When a line does not parse, nothing is stored, unless `partial=true`. What the store itself refuses (a second type of a
    field, a time outside the retention) is named line by line; everything else is stored then.
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
        body = await _arrived(request, parts, budget, charge)
        act = partial(_store, parts, bucket, body, is_json, precision, partial_ == "true", budget, sees_upstream(request))
        async with parts.write_slots.slot(request, principal.id):
            return await run_until_disconnect(request.receive, budget.leave, lambda _gone: call_store(parts.pools.writes, principal, act))


async def _arrived(request: Request, parts: Parts, budget: WriteBudget, charge: Callable[[int], None]) -> bytes:
    try:
        with anyio.fail_after(budget.rest_s):
            body = await read_body(request, points_bound(parts.limits), charge)
    except TimeoutError:
        raise budget.timeout() from None
    parts.metrics.bytes_in.inc(len(body))
    return body


def _store(
    parts: Parts, bucket: str, body: bytes, is_json: bool, precision: str, partial_allowed: bool, budget: WriteBudget, upstream_shown: bool
) -> Stored:
    parts.store.bucket(bucket)
    most_bytes = parts.limits.max_write_memory_bytes
    lines = points_to_lines(read_points(body), precision, budget.check) if is_json else body
    parsed = parse_lines(lines, precision, parts.clock_ns(), check=budget.check, max_memory_bytes=most_bytes)
    bad = [LineProblem(line=one.line, code="bad_line", reason=f"{one.reason}: {one.text}") for one in parsed.bad]
    if parsed.ended_early or (bad and not partial_allowed):
        raise PointsRefused(_why_nothing(parsed, bad[0]), stored=0, bad=[one.model_dump() for one in bad], refused=[])
    outcome = parts.store.write(bucket, parsed.points, WriteBounds(budget.check, _MOST_NAMED))
    parts.metrics.points_in.inc(outcome.stored)
    refused = [LineProblem(line=one.line, code=one.code, reason=_reason(one, upstream_shown)) for one in outcome.refused]
    if refused and not partial_allowed:
        raise _refused(outcome, refused)
    return Stored(stored=outcome.stored, bad=bad, bad_count=parsed.bad_count, refused=refused, refused_count=outcome.refused_count)


def _reason(refusal: Refusal, upstream_shown: bool) -> str:
    return f"{refusal.reason} It says: {refusal.upstream}" if refusal.upstream and upstream_shown else refusal.reason


def _why_nothing(parsed: ParsedLines, first: LineProblem) -> str:
    """The sentence of an answer that stores nothing, because of `first` and others."""
    if parsed.ended_early:
        return (
            f"At least {parsed.bad_count} lines do not parse, and {parsed.ended_early}: nothing was stored, and partial=true would not change that."
            f" Line {first.line}: {first.reason}. Mend the lines, or send fewer at a time."
        )
    return (
        f"{parsed.bad_count} of {parsed.bad_count + len(parsed.points)} lines do not parse, so nothing was stored."
        f" Line {first.line}: {first.reason}. Mend them, or send partial=true to store the others."
    )


def _refused(outcome: WriteOutcome, refused: list[LineProblem]) -> PointsRefused:
    return PointsRefused(
        f"The store refused {outcome.refused_count} points; {outcome.stored} were stored. Line {refused[0].line}: {refused[0].reason}",
        stored=outcome.stored, bad=[], refused=[one.model_dump() for one in refused],
    )  # fmt: skip
