"""The route of the latest telemetry of all buckets, in the JSON shape that cloud platforms accept."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.auth import requires
from service.api.deps import parts_of
from service.api.problem_schema import PROBLEM
from service.api.read_headers import latest_headers
from service.api.read_parameters import unknown_parameter
from service.api.streaming import AnswerResponse, read_in_thread
from service.domain.access import Principal, Scope
from service.domain.durations import parse_duration
from service.domain.telemetry import Missing
from service.errors import InvalidParameter
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_document import TelemetryForm

router = APIRouter(tags=["telemetry"], responses={"default": PROBLEM})
FORMATS = tuple(form.value for form in TelemetryForm)
MISSING = tuple(missing.value for missing in Missing)
_MOST_NAMES = 100
"""Most buckets and most measurements in one request, because each measurement is looked up in each bucket."""
PARAMETERS = ("bucket", "measurement", "lookback", "format", "by", "missing")
_EXAMPLE = {"ts": 1767225600000, "values": {"real_power": {"watts": 412.5}, "latitude": 52.5, "longitude": 13.4}}
_JSON = {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}
_ANSWER = {"description": "The newest values.", "content": _JSON}
_MEASUREMENT = Query(description="Only these measurements, whatever their names; repeatable.")
_LOOKBACK = Query(description="How old a value may be, like 30s.", examples=["30s"])
_FORMAT = Query(description="thingsboard (default), flat or rows.", examples=["thingsboard"])
_BY = Query(description="The tag that names devices. The answer has one object per device.", examples=["device"])
_SILENT = Query(description="The value of a field without new points: zero (default), null or omit.", examples=["omit"])


@router.get("/telemetry/latest", summary="The latest telemetry", response_class=Response, responses={200: _ANSWER})
async def read_latest_telemetry(
    request: Request,
    bucket: Annotated[list[str] | None, Query(description="Only these buckets; repeatable.")] = None,
    measurement: Annotated[list[str] | None, _MEASUREMENT] = None,
    lookback: Annotated[str | None, _LOOKBACK] = None,
    format: Annotated[str, _FORMAT] = "thingsboard",
    by: Annotated[str | None, _BY] = None,
    missing: Annotated[str | None, _SILENT] = None,
    principal: Principal = requires(Scope.READ),
) -> Response:
    """The newest value of each field of the measurements whose name contains TELEMETRY_WORD; see docs/telemetry.md."""
    for name in request.query_params:
        if name not in PARAMETERS:
            raise unknown_parameter(name, PARAMETERS)
    _check_choice("format", format, FORMATS)
    _check_choice("missing", missing or Missing.ZERO, MISSING)
    _check_devices(format, by, missing)
    for parameter, values in (("bucket", bucket), ("measurement", measurement)):
        if len(values or ()) > _MOST_NAMES:
            reason = f"More than {_MOST_NAMES} times {parameter}. Ask for fewer at a time, or leave it out."
            raise InvalidParameter(parameter, reason)
    parts = parts_of(request)
    lookback_ns = parse_duration(lookback or parts.limits.telemetry_lookback, "lookback")
    names = (tuple(sorted(set(bucket or ()))), tuple(sorted(set(measurement or ()))))
    silent = Missing(missing or Missing.ZERO)
    question = LatestQuestion(*names, lookback_ns, TelemetryForm(format), by, silent)
    answer = await read_in_thread(request, principal, partial(parts.telemetry.latest, question, principal))
    headers = latest_headers(answer, parts.clock_ns())
    return AnswerResponse(answer.served, headers, gzip=False, most_s=parts.reads.limits.timeout_s)


def _check_choice(parameter: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises InvalidParameter for a value that is not allowed."""
    if value not in allowed:
        reason = f"{parameter}={value[:100]!r} is unknown. Allowed: {', '.join(allowed)}."
        raise InvalidParameter(parameter, reason, allowed=list(allowed))


def _check_devices(format: str, by: str | None, missing: str | None) -> None:
    """Raises InvalidParameter for `by` and `missing` with rows, which have all tags and only fields with a value."""
    if by == "":
        raise InvalidParameter("by", "by= names no tag. Write the tag that names the device, like by=device.")
    for parameter, value in (("by", by), ("missing", missing)):
        if value is not None and format == TelemetryForm.ROWS:
            reason = f"{parameter} has no meaning with format=rows, where every series stands alone."
            raise InvalidParameter(parameter, f"{reason} Leave one of them out.")
