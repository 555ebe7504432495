"""Clients that leave: noticed while something is done for them, and told at once to whoever does it.

Answers under way have threads of their own, and so has leaving them: neither waits for the other, nor for other routes.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.types import Receive

_MOST_THREADS, _MOST_LEAVING = 128, 16
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("threads_for_reads")
_leaving_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("threads_for_leaving")
Result = TypeVar("Result")


def threads() -> anyio.CapacityLimiter:
    """Threads that wait for the next piece of an answer, apart from those of the other routes."""
    return _of_this_loop(_limiter, _MOST_THREADS)


async def cancel_in_thread(leave: Callable[[], None]) -> None:
    """Leave an answer, which may wait a moment for a lock or the cache."""
    await anyio.to_thread.run_sync(leave, limiter=_of_this_loop(_leaving_limiter, _MOST_LEAVING))


def _of_this_loop(variable: anyio.lowlevel.RunVar[anyio.CapacityLimiter], most: int) -> anyio.CapacityLimiter:
    try:
        return variable.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(most)
        variable.set(limiter)
        return limiter


async def run_until_disconnect(receive: Receive, leave: Callable[[], None], act: Callable[[anyio.Event], Awaitable[Result]]) -> Result:
    """What `act` gives, or raises, as itself. When the client goes meanwhile, its event is set and `leave` is called in a thread."""
    gone = anyio.Event()
    failure: Exception | None = None
    results: list[Result] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            await cancel_in_thread(leave)

        group.start_soon(watch)
        try:
            results.append(await act(gone))
        except Exception as error:  # noqa: BLE001  (raised again below, outside the group, as itself)
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            failure = None  # its traceback holds this frame, and with it what was being sent
    return results[0]
