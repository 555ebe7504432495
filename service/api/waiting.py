"""Waiting for the store in a thread, for a client that may leave meanwhile, or that may not see every bucket."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread
from fastapi import Request

from service.api.leaving import threads, watched
from service.cache.answers import Departure, Served
from service.domain.access import Principal
from service.errors import UnknownBucket

Result = TypeVar("Result")


async def seen(principal: Principal, act: Callable[[], Result]) -> Result:
    """Run `act` in a thread; near names of an unknown bucket are only those that the key may see."""
    try:
        return await anyio.to_thread.run_sync(act, limiter=threads())
    except UnknownBucket as unknown:
        near = [name for name in unknown.extra["near"] if principal.may_see(name)]  # type: ignore[attr-defined]
        raise UnknownBucket(unknown.bucket, near) from None


async def awaited(request: Request, principal: Principal, serve: Callable[[Departure], Served]) -> Served:
    """What `serve` gives. When the client leaves before that, the read is ended at once, and its slot is free."""
    departure = Departure()
    return await watched(request.receive, departure.leave, lambda _gone: seen(principal, partial(serve, departure)))
