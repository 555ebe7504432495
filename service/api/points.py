"""Writing points: parsed here, stored whole, and every line that was not stored named."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.auth import allow_bucket, requires
from service.api.bodies import points_bound, read_body
from service.api.deps import Parts, parts_of
from service.api.names import decode_segment
from service.api.reading import unknown_parameter
from service.api.schemas import PROBLEM, LineProblem, Stored
from service.api.upstream import sees_upstream
from service.api.waiting import seen
from service.domain.access import Principal, Scope
from service.errors import InvalidParameter, PointsRefused
from service.frames.jsonpoints import points_to_lines, read_points
from service.frames.lineprotocol import parse_lines
from service.stores.protocol import Refusal

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
    allow_bucket(principal, bucket)
    body = await read_body(request, points_bound(parts.limits))
    parts.metrics.bytes_in.inc(len(body))
    is_json = request.headers.get("Content-Type", "").split(";")[0].strip().lower() == "application/json"
    lines = await parts.pools.parsing.run(_lines_of_json, body, precision) if is_json else body
    store = partial(_store, parts, bucket, lines, precision, partial_ == "true", sees_upstream(request))
    return await seen(parts.pools.writes, principal, store)


def _lines_of_json(body: bytes, precision: str) -> bytes:
    return points_to_lines(read_points(body), precision)


def _store(parts: Parts, bucket: str, body: bytes, precision: str, partial_allowed: bool, upstream_shown: bool) -> Stored:
    parts.store.bucket(bucket)
    parsed = parse_lines(body, precision, parts.clock_ns())
    bad = [LineProblem(line=one.line, code="bad_line", reason=f"{one.reason}: {one.text}") for one in parsed.bad[:_MOST_NAMED]]
    if bad and not partial_allowed:
        raise PointsRefused(
            f"{len(parsed.bad)} of {len(parsed.bad) + len(parsed.points)} lines do not parse, so nothing was stored."
            f" Line {bad[0].line}: {bad[0].reason}. Mend them, or send partial=true to store the others.",
            stored=0, bad=[one.model_dump() for one in bad], refused=[],
        )  # fmt: skip
    try:
        outcome = parts.store.write(bucket, parsed.points)
    finally:
        parts.answers.touch(bucket)
    parts.metrics.points_in.inc(outcome.stored)
    refused = [LineProblem(line=one.line, code=one.code, reason=_reason(one, upstream_shown)) for one in outcome.refused[:_MOST_NAMED]]
    if refused and not partial_allowed:
        raise PointsRefused(
            f"The store refused {len(outcome.refused)} points; {outcome.stored} were stored. Line {refused[0].line}: {refused[0].reason}",
            stored=outcome.stored, bad=[], refused=[one.model_dump() for one in refused],
        )  # fmt: skip
    return Stored(stored=outcome.stored, bad=bad, refused=refused)


def _reason(refusal: Refusal, upstream_shown: bool) -> str:
    return f"{refusal.reason} It says: {refusal.upstream}" if refusal.upstream and upstream_shown else refusal.reason
