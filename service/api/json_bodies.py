"""JSON documents in bodies: configuration, lists of buckets, orders. Read behind the door, parsed off the event loop.

FastAPI's own `Body` reads before it asks for a key, so no route uses it: `json_body` takes its place as a dependency,
and `request_body` says in the OpenAPI document what `Body` would have said.
"""

import copy
import email.message
from typing import Any

import orjson
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from service.api.auth import requires
from service.api.bodies import document_bound, read_body
from service.api.deps import parts_of
from service.api.problem_schema import SCHEMAS
from service.domain.access import Principal, Scope
from service.errors import BodyTooLarge

MOST_VALUES = 20_000
"""Values in one document, members of members counted: what validation may have to look at and to complain of."""
DEEPEST = 50
_MOST_TOLD = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REFERENCES = "#/components/schemas/{model}"


def json_body(model: Any, scope: Scope, required: bool = True) -> Any:  # noqa: ANN401  (FastAPI's Depends has no public type)
    """A dependency that gives the body as `model`, once the key has `scope`; without a body None, unless `required`."""
    adapter = TypeAdapter(model)

    async def read(request: Request, _: Principal = requires(scope)) -> object:
        body = await read_body(request, document_bound(parts_of(request).limits))
        if not body and not required:
            return None
        return await parts_of(request).pools.parsing.run(parse, adapter, body, _is_json(request))

    return Depends(read)


def parse(adapter: TypeAdapter[Any], body: bytes, is_json: bool) -> object:
    """The value of `body`. Raises RequestValidationError with the first twenty complaints; BodyTooLarge."""
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    value = _loaded(body) if is_json else body
    try:
        return adapter.validate_python(value)
    except ValidationError as wrong:
        told = wrong.errors(include_url=False, include_context=False, include_input=False)[:_MOST_TOLD]
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in told]) from None


def _loaded(body: bytes) -> object:
    try:
        value = orjson.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as broken:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body", broken.pos), "msg": "JSON decode error", "input": None}]) from None
    _check_size(value)
    return value


def _check_size(value: object) -> None:
    """Raises BodyTooLarge for more values, or deeper ones, than any document needs."""
    level, depth, seen = [value], 0, 0
    while level:
        depth, seen = depth + 1, seen + len(level)
        if seen + sum(len(one) for one in level if isinstance(one, dict | list)) > MOST_VALUES or depth > DEEPEST:
            raise BodyTooLarge(f"The document has more than {MOST_VALUES} values, or is nested deeper than {DEEPEST}. Send it in smaller parts.")
        level = [child for one in level if isinstance(one, dict | list) for child in (one.values() if isinstance(one, dict) else one)]


def _is_json(request: Request) -> bool:
    message = email.message.Message()
    message["content-type"] = request.headers.get("Content-Type") or "text/plain"
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def request_body(model: Any, title: str, required: bool = True, **shown: object) -> dict[str, Any]:  # noqa: ANN401
    """As `openapi_extra` of a route that takes `model`; `examples` in the schema or beside it, as FastAPI's Body has them."""
    schema = TypeAdapter(model).json_schema(ref_template=_REFERENCES)
    examples = {"examples": shown["examples"]} if "examples" in shown else {}
    content = {"schema": {**schema, **examples, "title": title}}
    if "openapi_examples" in shown:
        content["examples"] = shown["openapi_examples"]  # type: ignore[assignment]
    return {"requestBody": {"content": {"application/json": content}, **({"required": True} if required else {})}}


def with_schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi` with the types of problems, and the models of request bodies, where their references look for them."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(SCHEMAS)
    for operation in (operation for path in openapi["paths"].values() for operation in path.values()):
        if "requestBody" in operation:
            operation["requestBody"] = body = copy.deepcopy(operation["requestBody"])  # the route's own, which other applications share
            for content in body["content"].values():
                schemas.update(content["schema"].pop("$defs", {}))
    return openapi
