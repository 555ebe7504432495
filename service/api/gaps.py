"""The route that says where the series of a bucket have no points."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.auth import require_bucket, requires
from service.api.deps import parts_of
from service.api.kept_answers import bypasses_cache
from service.api.name_encoding import decode_segment
from service.api.openapi_parameters import GAP_PARAMETERS
from service.api.problem_schema import PROBLEM
from service.api.questions import parsed
from service.api.read_headers import gap_headers
from service.api.read_parameters import Pairs, asked_range, split_parameters, tag_filters, zone_named
from service.api.streaming import AnswerResponse, read_in_thread, wants_gzip
from service.domain.access import Principal, Scope
from service.domain.durations import parse_duration
from service.errors import InvalidParameter
from service.reads.gaps import GapQuestion
from service.reads.question import AskedRead

router = APIRouter(tags=["buckets"], responses={"default": PROBLEM})
SIMPLE = ("window", "start", "stop", "tz", "expect", "known", "gaps")
DEFAULT_GAPS = 100
_MOST_GAPS = 10_000
_EXAMPLE = {
    "bucket": "Power",
    "start": "2026-01-24T12:00:00Z",
    "stop": "2026-01-31T12:00:00Z",
    "expect_s": 60.0,
    "store": "influx",
    "silent": 1,
    "series": [
        {
            "measurement": "site",
            "tags": {"meter": "m1"},
            "field": "power",
            "points": 10061,
            "first": "2026-01-24T12:00:00Z",
            "last": "2026-01-31T11:41:00Z",
            "expect_s": 60.0,
            "covered": 0.9981,
            "silent": True,
            "gap_count": 1,
            "gaps": [{"start": "2026-01-31T11:41:00Z", "stop": None, "seconds": 1140.0}],
        }
    ],
}
_ANSWER = {
    "description": "Each series with its gaps.",
    "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}},
}


@router.get(
    "/buckets/{name}/gaps",
    summary="Find gaps",
    response_class=Response,
    responses={200: _ANSWER},
    openapi_extra={"parameters": GAP_PARAMETERS},
)
async def list_gaps(request: Request, name: str, principal: Principal = requires(Scope.READ)) -> Response:
    """Each series with the stretches without points, the share of time that points cover, and whether it is silent now.

    Every point of the range is read for it. `expect` says how far apart points may be; without it, three times the
    usual distance of each series is taken.
    """
    parts, bucket = parts_of(request), decode_segment(name)
    require_bucket(principal, bucket)
    pairs = request.query_params.multi_items()
    parse = partial(parse_gap_question, bucket, pairs, parts.clock_ns())
    question = await parsed(parts, principal, pairs, parse)
    read = partial(parts.gaps.gaps, question, principal.id, bypasses_cache(request))
    answer = await read_in_thread(request, principal, read)
    gzip = wants_gzip(request.headers.get("Accept-Encoding"))
    return AnswerResponse(answer.served, gap_headers(answer, parts.clock_ns()), gzip, parts.reads.limits.timeout_s)


def parse_gap_question(bucket: str, pairs: Pairs, now_ns: int) -> GapQuestion:
    """The question that the parameters ask. Raises InvalidParameter."""
    simple, filters = split_parameters(pairs, SIMPLE)
    points = AskedRead(
        bucket,
        asked_range(simple, zone_named(simple.get("tz", ""))),
        measurements=tuple(filters.get("measurement", ())),
        fields=tuple(filters.get("field", ())),
        tags=tag_filters(filters),
    ).at(now_ns, max_windows=0)
    expect_ns = parse_duration(simple["expect"], "expect") if "expect" in simple else None
    known_ns = parse_duration(simple["known"], "known") if "known" in simple else points.selection.span.length_ns
    return GapQuestion(points, expect_ns, known_ns, _most_gaps(simple.get("gaps")))


def _most_gaps(text: str | None) -> int:
    if text is None:
        return DEFAULT_GAPS
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= _MOST_GAPS):
        reason = f"gaps={text[:100]!r} is not a number of gaps. Write a whole number from 1 to {_MOST_GAPS}."
        raise InvalidParameter("gaps", reason)
    return int(text)
