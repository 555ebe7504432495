"""Event streams: bounded in all, and one key leaves room for the others."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from service.api.jobs import EventStreams
from service.domain.access import Principal, Scope
from service.errors import RetryLater

OWNER, OTHER = (Principal(name, name, frozenset({Scope.MIRROR})) for name in ("owner", "other"))


def test_one_key_has_at_most_half_of_the_streams_and_they_come_back() -> None:
    streams = EventStreams(4)
    held = asynccontextmanager(streams.hold)

    async def open_and_close() -> None:
        async with AsyncExitStack() as stack:
            for principal in (OWNER, OWNER, OTHER):
                await stack.enter_async_context(held(principal))
            with pytest.raises(RetryLater, match="Too many event streams"):
                await stack.enter_async_context(held(OWNER))
            await stack.enter_async_context(held(OTHER))
            with pytest.raises(RetryLater):
                await stack.enter_async_context(held(Principal("third", "third", frozenset())))

    for _ in range(2):
        asyncio.run(open_and_close())
