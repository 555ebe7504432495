"""Who asks, and whether they may: a key in X-API-Key or as Bearer, a scope for every route.

A route says `requires(Scope.…)` or `OPEN`; a test walks all routes and fails for one that says neither.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.api.deps import Parts, parts_of
from service.api.door import accept
from service.api.upstream import note_principal
from service.domain.access import Principal, Scope
from service.errors import DependencyBusy, Forbidden, TooManyFailedTries, Unauthorized, UnknownBucket
from service.state.keys import could_be_key


class FailedTries:
    """Counts wrong keys by client address, in this process. `most` in a minute, then the address waits."""

    def __init__(self, most: int) -> None:
        self._limit = RateLimitItemPerMinute(most)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check(self, address: str) -> None:
        if not self._limiter.test(self._limit, address):
            raise TooManyFailedTries("Too many wrong keys from this address. Wait a minute, then use a valid one.", 60)

    def note(self, address: str) -> None:
        self._limiter.hit(self._limit, address)


async def authenticate(request: Request) -> Principal:
    """The principal of the request's key, which the request's state keeps. Raises Unauthorized, TooManyFailedTries."""
    principal = await _principal(request)
    note_principal(request, principal)
    return principal


async def _principal(request: Request) -> Principal:
    parts = parts_of(request)
    address = request.client.host if request.client else "unknown"
    parts.failed_tries.check(address)
    presented = _presented(request)
    known = parts.keys.at_hand(presented)
    if known is not None:
        return known
    try:
        return await _checked(parts, presented)
    except Unauthorized:
        if presented:
            parts.failed_tries.note(address)
        raise


async def _checked(parts: Parts, presented: str | None) -> Principal:
    """As `KeyRing.check`. What cannot be a key needs no thread, and one that was good lately none of a pool that is full."""
    if not could_be_key(presented):
        return parts.keys.check(presented)
    try:
        return await parts.pools.keys.run(parts.keys.check, presented)
    except DependencyBusy:
        trusted = parts.keys.trusted(presented)
        if trusted is None:
            raise
        return trusted


def _presented(request: Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("X-API-Key") or (token.strip() if kind.lower() == "bearer" and token else None)


def requires(scope: Scope) -> Any:  # noqa: ANN401  (FastAPI's Depends has no public type)
    """A dependency that gives the principal when its key has `scope`. One step, because FastAPI pays for each."""
    return Depends(_check(scope))


@cache
def _check(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """One for each scope: what depends on it again has its answer without asking twice."""

    async def check(request: Request) -> Principal:
        principal = await authenticate(request)
        if not principal.may(scope):
            raise Forbidden(f"The key {principal.name!r} lacks the scope {scope.value!r}. Make one that has it with `fluxgate keys create`.")
        accept(request)
        return principal

    return check


SCHEMES = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key from `fluxgate keys create`, or API_KEY."},
    "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "The same key as a bearer token."},
}
"""How a key is presented, in OpenAPI."""


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the schemes, and with the need for a key on every operation that is not open."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    for operations in document["paths"].values():
        for operation in operations.values():
            if not operation.get("x-open"):
                operation["security"] = [{name: []} for name in SCHEMES]
    return document


OPEN = {"x-open": True}
"""As `openapi_extra` of a route that needs no key."""


def allow_bucket(principal: Principal, bucket: str) -> None:
    """A bucket outside the key's list is not there."""
    if not principal.may_see(bucket):
        raise UnknownBucket(bucket)
