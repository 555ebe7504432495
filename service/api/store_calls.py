"""Calls the store in a thread, on behalf of a key that may not see every bucket."""

from collections.abc import Callable
from typing import TypeVar

from service.api.thread_pools import ThreadPool
from service.domain.access import Principal
from service.errors import UnknownBucket

Result = TypeVar("Result")


async def call_store(pool: ThreadPool, principal: Principal, act: Callable[[], Result]) -> Result:
    """Call `act` in a thread of the key's share of `pool`.

    UnknownBucket names only similar buckets that the key may see.
    """
    try:
        return await pool.run(act, key=principal.id)
    except UnknownBucket as unknown:
        near = [name for name in unknown.near if principal.may_see(name)]
        raise UnknownBucket(unknown.bucket, near) from None
