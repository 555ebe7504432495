"""Reads JSON bodies (configuration, lists of buckets, orders) after the key is accepted, and parses them in a thread.

FastAPI's `Body` reads the body before it checks the key, so no route uses it. `json_body` replaces it as a dependency,
and `request_body` adds to the OpenAPI document what `Body` would add.
"""

import copy
import email.message
from collections.abc import Iterable
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
"""Most values in one document, nested ones included. It bounds the work and the errors of validation."""
MOST_LEVELS = 50
_MOST_ERRORS = 20
_Place = tuple[int | str, ...]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REFERENCES = "#/components/schemas/{model}"


def json_body(model: Any, scope: Scope, required: bool = True) -> Any:  # noqa: ANN401  (Depends has no type)
    """A dependency that gives the body as `model`, after it has checked that the key has `scope`.

    An empty body gives None, unless it is `required`.
    """
    adapter = TypeAdapter(model)

    async def read(request: Request, _: Principal = requires(scope)) -> object:
        body = await read_body(request, document_bound(parts_of(request).limits))
        if not body and not required:
            return None
        return await parts_of(request).pools.parsing.run(parse, adapter, body, _is_json(request))

    return Depends(read)


def parse(adapter: TypeAdapter[Any], body: bytes, is_json: bool) -> object:
    """The value of `body`. Raises BodyTooLarge, and RequestValidationError with the first twenty errors."""
    if not body:
        raise _refusal("json_type", "it is missing; JSON is wanted")
    value = _load_json(body) if is_json else body
    try:
        return adapter.validate_python(value)
    except ValidationError as wrong:
        if not is_json:
            raise _refusal(
                "json_type", "JSON is wanted; say so with the header Content-Type: application/json"
            ) from None
        errors = wrong.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
        places = _places([error["loc"] for error in errors], isinstance(value, list))
        named = zip(errors, places, strict=True)
        wrong_values = [{**error, "loc": ("body", *place)} for error, place in named if place is not None]
        raise RequestValidationError(wrong_values) from None


def _places(places: list[_Place], is_list: bool) -> list[_Place | None]:
    """The places of errors as a caller writes them. None: it is about another form than the body has.

    Of a body that is one object or a list of them, pydantic says what each form lacks, under the name of its type.
    """
    forms = [str(place[0]) if place else "" for place in places]
    if not any(form.startswith("list[") for form in forms):
        return list(places)
    return [
        place[1:] if form.startswith("list[") == is_list else None for place, form in zip(places, forms, strict=True)
    ]


def _refusal(kind: str, reason: str, *place: int) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body", *place), "msg": reason, "input": None}])


def _load_json(body: bytes) -> object:
    try:
        value = orjson.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as broken:
        reason = f"this is no JSON from line {broken.lineno}, column {broken.colno} on"
        raise _refusal("json_invalid", reason, broken.pos) from None
    _check_size(value)
    return value


def _check_size(value: object) -> None:
    """Raises BodyTooLarge for more values, or more levels, than any document needs."""
    level, depth, count = [value], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        containers = [member for member in level if isinstance(member, dict | list)]
        if count + sum(map(len, containers)) > MOST_VALUES or depth > MOST_LEVELS:
            bounds = f"more than {MOST_VALUES} values, or is nested deeper than {MOST_LEVELS}"
            raise BodyTooLarge(f"The document has {bounds}. Send it in smaller parts.")
        level = [child for member in containers for child in _children(member)]


def _children(container: dict[str, object] | list[object]) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container


def _is_json(request: Request) -> bool:
    message = email.message.Message()
    message["content-type"] = request.headers.get("Content-Type") or "text/plain"
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def request_body(model: Any, title: str, required: bool = True, **examples: object) -> dict[str, Any]:  # noqa: ANN401
    """The `openapi_extra` of a route that takes `model`.

    `examples` may have the members `examples` or `openapi_examples`, as `Body` has.
    """
    schema = TypeAdapter(model).json_schema(ref_template=_REFERENCES)
    schema_examples = {"examples": examples["examples"]} if "examples" in examples else {}
    content = {"schema": {**schema, **schema_examples, "title": title}}
    if "openapi_examples" in examples:
        content["examples"] = examples["openapi_examples"]  # type: ignore[assignment]
    return {"requestBody": {"content": {"application/json": content}, **({"required": True} if required else {})}}


def with_schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """Add the problem schemas and the models of request bodies to the schemas of `openapi`."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(SCHEMAS)
    for operation in (operation for path in openapi["paths"].values() for operation in path.values()):
        if "requestBody" in operation:
            # A copy, because other applications in this process share the route's value.
            operation["requestBody"] = body = copy.deepcopy(operation["requestBody"])
            for content in body["content"].values():
                schemas.update(content["schema"].pop("$defs", {}))
    return openapi
