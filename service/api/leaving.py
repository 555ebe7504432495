"""Clients that leave: noticed while something is done for them, and told at once to whoever does it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.types import Receive

_MOST_THREADS = 128
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("threads_for_reads")
Result = TypeVar("Result")


def threads() -> anyio.CapacityLimiter:
    """Threads for reads, apart from those of the other routes: one bounded set for each event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_MOST_THREADS)
        _limiter.set(limiter)
        return limiter


async def watched(receive: Receive, leave: Callable[[], None], act: Callable[[anyio.Event], Awaitable[Result]]) -> Result:
    """What `act` gives, or raises, as itself. When the client goes meanwhile, its event is set and `leave` is called in a thread."""
    gone = anyio.Event()
    failure: Exception | None = None
    results: list[Result] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            await anyio.to_thread.run_sync(leave)

        group.start_soon(watch)
        try:
            results.append(await act(gone))
        except Exception as error:  # noqa: BLE001  (raised again below, outside the group, as itself)
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return results[0]
