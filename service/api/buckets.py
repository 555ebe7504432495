"""Routes of buckets: list, create, show the schema, and read."""

import json
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from service.api.auth import require_bucket, requires
from service.api.bucket_list import bucket_info, serve_bucket_list
from service.api.deps import parts_of
from service.api.head_requests import head_answer, wants_head
from service.api.json_bodies import json_body, request_body
from service.api.kept_answers import QUESTION, bypasses_cache, response_of
from service.api.name_encoding import decode_segment
from service.api.openapi_parameters import PARAMETERS
from service.api.problem_schema import PROBLEM
from service.api.questions import parsed
from service.api.read_headers import facts_headers, read_headers
from service.api.read_parameters import parse_question
from service.api.schemas import (
    BucketInfo,
    BucketList,
    BucketSchema,
    BucketUpdate,
    CreatedBuckets,
    FieldInfo,
    MeasurementInfo,
    NewBucket,
    TagValues,
)
from service.api.store_calls import call_store
from service.api.streaming import AnswerResponse, read_in_thread
from service.domain.access import Principal, Scope
from service.domain.bucket_specs import bucket_spec, distinct, parse_retention
from service.domain.schema import MeasurementSchema
from service.encoding.encoders import Format
from service.pictures.look import Form

router = APIRouter(tags=["buckets"], responses={"default": PROBLEM})
MOST_LISTED_VALUES = 100_000
_EXAMPLE_ROW = {
    "_time": "2026-01-31T12:00:00Z",
    "_value": 412.5,
    "_field": "power",
    "_measurement": "site",
    "meter": "m1",
}
_EXAMPLES = {
    Format.CSV: "_time,_value,_field,_measurement,meter\n2026-01-31T12:00:00Z,412.5,power,site,m1\n",
    Format.JSON: {
        "bucket": "Power",
        "start": "2026-01-31T00:00:00Z",
        "stop": "2026-02-01T00:00:00Z",
        "every": "1h",
        "rows": [_EXAMPLE_ROW],
    },
    Format.NDJSON: json.dumps(_EXAMPLE_ROW, separators=(",", ":")) + "\n",
}
_ROWS_RESPONSE = {
    "description": "The rows, streamed, or a picture of them. "
    "When the connection ends before the body does, the answer is not complete.",
    "content": {
        form.media_type.split(";")[0]: (
            {"schema": {"type": "object" if form is Format.JSON else "string"}, "example": _EXAMPLES[form]}
            if form in _EXAMPLES
            else {"schema": {"type": "string", "format": "binary"}}
        )
        for form in (*Format, *Form)
    },
}


NewBuckets = NewBucket | Annotated[list[NewBucket], Field(max_length=1000)]
_NEW_BUCKETS = request_body(
    NewBuckets,
    "Wanted",
    examples=[[{"name": "Lab 1", "description": "Bench tests", "retention": "30d"}]],
)


@router.get("/buckets", summary="List buckets", response_model=BucketList)
async def list_buckets(request: Request, principal: Principal = requires(Scope.READ)) -> Response:
    """The buckets that the key may see, with their retention and the time of their newest point."""
    parts = parts_of(request)
    served = await call_store(parts.pools.catalogue, principal, partial(serve_bucket_list, parts, principal))
    headers = {"Content-Type": "application/json", "Cache-Control": "private"}
    return AnswerResponse(served, headers, gzip=False, most_s=parts.reads.limits.timeout_s)


@router.post("/buckets", summary="Create buckets", status_code=200, openapi_extra=_NEW_BUCKETS)
async def create_buckets(
    request: Request,
    order: Annotated[NewBucket | list[NewBucket], json_body(NewBuckets, Scope.ADMIN)],
    principal: Principal = requires(Scope.ADMIN),
) -> CreatedBuckets:
    """Create one bucket or many, at most 1000. An existing bucket is not changed; `existing` names it."""
    parts = parts_of(request)
    wanted = order if isinstance(order, list) else [order]
    specs = distinct(bucket_spec(bucket.name, bucket.description, bucket.retention) for bucket in wanted)

    def create() -> CreatedBuckets:
        created = {spec.name: parts.store.create_bucket(spec) for spec in specs}
        return CreatedBuckets(
            created=[name for name, is_new in created.items() if is_new],
            existing=[name for name, is_new in created.items() if not is_new],
        )

    return await parts.pools.catalogue.run(create, key=principal.id)


@router.patch("/buckets/{name}", summary="Change a bucket", openapi_extra=request_body(BucketUpdate, "Change"))
async def update_bucket(
    request: Request,
    name: str,
    change: Annotated[BucketUpdate, json_body(BucketUpdate, Scope.ADMIN)],
    principal: Principal = requires(Scope.ADMIN),
) -> BucketInfo:
    """Change the description, the retention, or both. A shorter retention ends points that are older, for good."""
    parts, bucket_name = parts_of(request), decode_segment(name)

    def update() -> BucketInfo:
        bucket = parts.store.bucket(bucket_name)
        is_set = change.model_fields_set
        description = change.description if "description" in is_set else bucket.description
        retention_ns = parse_retention(change.retention) if "retention" in is_set else bucket.retention_ns
        if (description, retention_ns) != (bucket.description, bucket.retention_ns):
            parts.store.update_bucket(bucket_name, description, retention_ns)
        return bucket_info(parts.store, parts.store.bucket(bucket_name))

    return await call_store(parts.pools.catalogue, principal, update)


@router.get("/buckets/{name}/schema", summary="What a bucket holds")
async def read_bucket_schema(request: Request, name: str, principal: Principal = requires(Scope.READ)) -> BucketSchema:
    """Measurements with their tag keys, and their fields with types."""
    parts, bucket = parts_of(request), decode_segment(name)
    require_bucket(principal, bucket)
    measurements = await call_store(parts.pools.catalogue, principal, partial(parts.store.schema, bucket))
    return BucketSchema(bucket=bucket, measurements=[_measurement_info(measurement) for measurement in measurements])


@router.get("/buckets/{name}/tags/{key}", summary="The values of a tag")
async def list_tag_values(
    request: Request,
    name: str,
    key: str,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED_VALUES, description="How many values are listed.")] = 10_000,
    principal: Principal = requires(Scope.READ),
) -> TagValues:
    """The values that the tag has in any measurement. Values whose points are gone may be among them."""
    parts, bucket, tag = parts_of(request), decode_segment(name), decode_segment(key)
    require_bucket(principal, bucket)
    ask = partial(parts.store.tag_values, bucket, tag, (), limit + 1)
    values = await call_store(parts.pools.catalogue, principal, ask)
    is_complete = values is not None and len(values) <= limit
    return TagValues(bucket=bucket, tag=tag, values=(values or [])[:limit], complete=is_complete)


def _measurement_info(measurement: MeasurementSchema) -> MeasurementInfo:
    fields = {field: [value_type.value for value_type in types] for field, types in measurement.fields.items()}
    return MeasurementInfo(
        name=measurement.name,
        tags=list(measurement.tags),
        fields=[FieldInfo(name=field, types=types) for field, types in fields.items()],
        unreadable=[str(name) for name in measurement.unreadable],
    )


@router.get(
    "/buckets/{name}",
    summary="Read a bucket",
    response_class=Response,
    responses={200: _ROWS_RESPONSE},
    openapi_extra={"parameters": PARAMETERS},
)
async def read_bucket(request: Request, name: str, principal: Principal = requires(Scope.READ)) -> Response:
    """Stream one range of one bucket, in windows or raw. `tag.KEY=VALUE` filters by tags and may be repeated.

    Response headers describe the answer: X-Fluxgate-Start, -Stop, -Every, -Fn, -Stamp, -Align, -Shape, -Row-Order,
    -Skipped-Fields, -Store, -Cache and -As-Of; -Warning names what the filters name and the bucket does not know, and
    an answer without rows has -Newest-Point. A picture (format=svg or png) has -Plot, where its plot is and what its
    edges mean, and -Drawn. A kept answer has an ETag; If-None-Match with it is answered with 304.
    """
    parts, bucket = parts_of(request), decode_segment(name)
    require_bucket(principal, bucket)
    pairs, bounds = request.query_params.multi_items(), (parts.limits.default_every, parts.reads.limits.max_windows)
    parse = partial(parse_question, bucket, pairs, request.headers.get("Accept"), parts.clock_ns(), *bounds)
    question = await parsed(parts, principal, pairs, parse)
    request.scope[QUESTION] = question
    bypass_cache = bypasses_cache(request)
    answer = parts.reads.cached(question, bypass_cache)
    if answer is None and wants_head(request):
        facts = await call_store(parts.pools.catalogue, principal, partial(parts.reads.facts, question, principal.id))
        return head_answer(facts_headers(question, facts))
    if answer is None:
        answer = await read_in_thread(
            request,
            principal,
            partial(parts.reads.read, question, principal.id, bypass_cache),
        )
    return response_of(request, parts, question, answer.served, read_headers(answer, parts.clock_ns()))
