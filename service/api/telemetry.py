"""The latest telemetry of all buckets, in the shape that cloud platforms take."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.auth import allow_bucket, requires
from service.api.buckets import cache_header
from service.api.deps import Parts, parts_of
from service.api.problem_schema import PROBLEM
from service.api.read_parameters import unknown_parameter
from service.api.store_calls import awaited
from service.api.streaming import AnswerResponse
from service.api.telemetry_answers import LatestQuestion, produce_latest
from service.cache.answers import EVERY_BUCKET, CancelToken, Served
from service.cache.single_flight import Produced
from service.domain.access import Principal, Scope
from service.domain.durations import parse_duration
from service.errors import InvalidParameter

router = APIRouter(tags=["telemetry"], responses={"default": PROBLEM})
FORMATS = ("thingsboard", "flat", "rows")
_MOST_NAMES = 100
"""Names of buckets and of measurements in one question: each measurement is looked up in each bucket."""
PARAMETERS = ("bucket", "measurement", "lookback", "format")
_EXAMPLE = {"ts": 1767225600000, "values": {"real_power": {"watts": 412.5}, "latitude": 52.5, "longitude": 13.4}}
_ANSWER = {"description": "The newest values.", "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}


@router.get("/telemetry/latest", summary="The latest telemetry", response_class=Response, responses={200: _ANSWER})
async def read_latest_telemetry(
    request: Request,
    bucket: Annotated[list[str] | None, Query(description="Only these buckets; repeatable.")] = None,
    measurement: Annotated[list[str] | None, Query(description="Only these measurements, whatever their name; repeatable.")] = None,
    lookback: Annotated[str | None, Query(description="How far back a value may be, like 30s.", examples=["30s"])] = None,
    format: Annotated[str, Query(description="thingsboard (default), flat or rows.", examples=["thingsboard"])] = "thingsboard",
    principal: Principal = requires(Scope.READ),
) -> Response:
    """The newest value of each field of the measurements whose name says that they are real; see docs/telemetry.md."""
    for name in request.query_params:
        if name not in PARAMETERS:
            raise unknown_parameter(name, PARAMETERS)
    if format not in FORMATS:
        raise InvalidParameter("format", f"format={format[:100]!r} is unknown. Allowed: {', '.join(FORMATS)}.", allowed=list(FORMATS))
    for parameter, given in (("bucket", bucket), ("measurement", measurement)):
        if len(given or ()) > _MOST_NAMES:
            raise InvalidParameter(parameter, f"More than {_MOST_NAMES} times {parameter}. Ask for fewer at a time, or leave it out.")
    parts = parts_of(request)
    lookback_ns = parse_duration(lookback or parts.limits.telemetry_lookback, "lookback")
    names = (tuple(sorted(set(bucket or ()))), tuple(sorted(set(measurement or ()))))
    served = await awaited(request, principal, partial(_serve, parts, principal, *names, lookback_ns, format))
    return AnswerResponse(
        served, {"X-Fluxgate-Cache": cache_header(served), "Cache-Control": "private"}, gzip=False, most_s=parts.limits.read_timeout_s
    )


def _serve(
    parts: Parts,
    principal: Principal,
    buckets: tuple[str, ...],
    measurements: tuple[str, ...],
    lookback_ns: int,
    form: str,
    cancel_token: CancelToken,
) -> Served:
    for bucket in buckets:
        allow_bucket(principal, bucket)
    version = parts.config.get_or_last_known("coordinates").version
    scope = "all" if principal.buckets is None else repr(sorted(principal.buckets))
    key = repr((parts.limits.store_identity, "latest", scope, buckets, measurements, lookback_ns, form, version))

    def produce() -> Produced:
        seen_buckets = buckets or tuple(one.name for one in parts.store.buckets() if principal.may_see(one.name))
        give_back = parts.slots.take(principal.id)
        try:
            return produce_latest(parts, LatestQuestion(seen_buckets, measurements, lookback_ns, form, named=bool(buckets)))
        finally:
            give_back()

    return parts.answers.serve(key, [EVERY_BUCKET], parts.limits.cache_telemetry_s, produce, cancel_token=cancel_token)
