"""Who asks, and whether they may: a key in X-API-Key or as Bearer, a scope for every route.

A route says `requires(Scope.…)` or `OPEN`; a test walks all routes and fails for one that says neither.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio.to_thread
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.api.deps import parts_of
from service.domain.access import Principal, Scope
from service.errors import Forbidden, TooManyFailedTries, Unauthorized, UnknownBucket

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="A key from `fluxgate keys create`, or API_KEY.")
_bearer = HTTPBearer(auto_error=False, description="The same key as a bearer token.")

Authenticate = Callable[..., Coroutine[Any, Any, Principal]]


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


async def authenticate(
    request: Request,
    key: str | None = Security(_header),
    bearer: HTTPAuthorizationCredentials | None = Security(_bearer),
) -> Principal:
    """The principal of the request's key. Raises Unauthorized, TooManyFailedTries."""
    parts = parts_of(request)
    address = request.client.host if request.client else "unknown"
    parts.failed_tries.check(address)
    presented = key or (bearer.credentials if bearer else None)
    known = parts.keys.at_hand(presented)
    if known is not None:
        return known
    try:
        return await anyio.to_thread.run_sync(parts.keys.check, presented)
    except Unauthorized:
        if presented:
            parts.failed_tries.note(address)
        raise


def requires(scope: Scope) -> Any:  # noqa: ANN401  (FastAPI's Depends has no public type)
    """A dependency that gives the principal when its key has `scope`."""

    async def check(principal: Principal = Depends(authenticate)) -> Principal:
        if not principal.may(scope):
            raise Forbidden(f"The key {principal.name!r} lacks the scope {scope.value!r}. Make one that has it with `fluxgate keys create`.")
        return principal

    check.scope = scope  # type: ignore[attr-defined]
    return Depends(check)


OPEN = {"x-open": True}
"""As `openapi_extra` of a route that needs no key."""


def allow_bucket(principal: Principal, bucket: str) -> None:
    """A bucket outside the key's list is not there."""
    if not principal.may_see(bucket):
        raise UnknownBucket(bucket)
