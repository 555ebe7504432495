"""Waiting for the store in a thread, for a client that may leave meanwhile, or that may not see every bucket."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from fastapi import Request

from service.api.client_disconnect import watched
from service.api.deps import parts_of
from service.api.thread_pools import ThreadPool
from service.cache.answers import CancelToken, Served
from service.domain.access import Principal
from service.errors import UnknownBucket

Result = TypeVar("Result")


async def seen(pool: ThreadPool, principal: Principal, act: Callable[[], Result]) -> Result:
    """Run `act` in a thread of the key's share of `pool`; near names of an unknown bucket are only those that the key may see."""
    try:
        return await pool.run(act, key=principal.id)
    except UnknownBucket as unknown:
        near = [name for name in unknown.near if principal.may_see(name)]
        raise UnknownBucket(unknown.bucket, near) from None


async def awaited(request: Request, principal: Principal, serve: Callable[[CancelToken], Served]) -> Served:
    """What `serve` gives. When the client leaves before that, the read is ended at once, and its slot is free."""
    cancel_token, pool = CancelToken(), parts_of(request).pools.reads
    return await watched(request.receive, cancel_token.cancel, lambda _gone: seen(pool, principal, partial(serve, cancel_token)))
