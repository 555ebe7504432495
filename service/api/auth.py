"""Authentication by a key that `service.api.presented_key` finds, and authorization by a scope for every route.

A route declares `requires(Scope.…)` or `OPEN`. A test walks all routes and fails for one that declares neither.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import structlog
from fastapi import Depends, Request

from service.api.body_gate import accept
from service.api.deps import parts_of
from service.api.failed_tries import check_key
from service.api.name_encoding import check_address
from service.api.presented_key import presented_key
from service.api.upstream_visibility import remember_principal
from service.domain.access import Principal, Scope
from service.domain.origins import origin_of
from service.errors import DependencyBusy, Forbidden, UnknownBucket


async def authenticate(request: Request) -> Principal:
    """The principal of the request's key. Every later log line of the request carries its id.

    Raises Unauthorized, TooManyFailedTries.
    """
    principal = await _principal(request)
    structlog.contextvars.bind_contextvars(key=principal.id)
    remember_principal(request, principal)
    return principal


async def _principal(request: Request) -> Principal:
    parts, presented = parts_of(request), presented_key(request)
    remembered = parts.keys.known_without_query(presented)
    if remembered is not None:
        return remembered
    if presented is None:
        return parts.keys.check(None)
    origin = origin_of(request.client.host if request.client else "")
    try:
        return await check_key(parts.keys, presented, parts.failed_tries, origin, parts.pools.keys)
    except DependencyBusy:
        trusted = parts.keys.trusted(presented)
        if trusted is None:
            raise
        return trusted


def requires(scope: Scope) -> Any:  # noqa: ANN401  (FastAPI's Depends has no public type)
    """A dependency that gives the principal when its key has `scope`. It is one dependency, because each costs time."""
    return Depends(_check(scope))


@cache
def _check(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """The check for `scope`, always the same object, so that FastAPI runs it once per request."""

    async def check(request: Request) -> Principal:
        principal = await authenticate(request)
        if not principal.may(scope):
            raise Forbidden(missing_scope(principal, scope))
        check_address(request.scope)
        accept(request)
        return principal

    return check


def missing_scope(principal: Principal, scope: Scope) -> str:
    """The sentence that says why `principal` may not use `scope`, and what to do."""
    if scope in principal.scopes:
        return (
            f"The key {principal.name!r} is limited to some buckets, and the scope {scope.value!r} reaches past them. "
            "Use a key without that limit: `fluxgate keys create` without --bucket."
        )
    lack = f"The key {principal.name!r} lacks the scope {scope.value!r}."
    return f"{lack} Make one that has it with `fluxgate keys create`."


SCHEMES = {
    "APIKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key from `fluxgate keys create`, or API_KEY.",
    },
    "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "The same key as a bearer token."},
    "HTTPBasic": {"type": "http", "scheme": "basic", "description": "The same key as the password of any user name."},
}
"""The ways to present a key, as OpenAPI security schemes."""


def with_security(document: dict[str, Any]) -> dict[str, Any]:
    """Add the security schemes to `document`, and the need for a key to every operation that is not open."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for operations in document["paths"].values():
        for operation in operations.values():
            if not operation.get("x-open"):
                operation["security"] = [{name: []} for name in SCHEMES]
    return document


OPEN = {"x-open": True}
"""Marks a route that needs no key; passed as `openapi_extra`."""


def require_bucket(principal: Principal, bucket: str) -> None:
    """Raises UnknownBucket for a bucket that the key may not see, as for one that does not exist."""
    if not principal.may_see(bucket):
        raise UnknownBucket(bucket)
