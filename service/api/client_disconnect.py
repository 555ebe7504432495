"""Notices clients that disconnect, and cancels the work for them at once.

Reading the next piece of an answer and cancelling an answer have separate threads.
So neither waits for the other, or for the threads of other routes.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from starlette.types import Receive

_MOST_ANSWER_THREADS, _MOST_CANCEL_THREADS = 128, 16
_answer_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("threads_for_answers")
_cancel_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("threads_for_cancelling")
Result = TypeVar("Result")


def answer_threads() -> anyio.CapacityLimiter:
    """The limiter of threads that wait for the next piece of an answer."""
    return _limiter_of_loop(_answer_limiter, _MOST_ANSWER_THREADS)


async def cancel_in_thread(cancel: Callable[[], None]) -> None:
    """Call `cancel` in a thread, because it may wait for a lock or the cache."""
    await anyio.to_thread.run_sync(cancel, limiter=_limiter_of_loop(_cancel_limiter, _MOST_CANCEL_THREADS))


def _limiter_of_loop(variable: anyio.lowlevel.RunVar[anyio.CapacityLimiter], most: int) -> anyio.CapacityLimiter:
    try:
        return variable.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(most)
        variable.set(limiter)
        return limiter


async def run_until_disconnect(
    receive: Receive,
    cancel: Callable[[], None],
    act: Callable[[anyio.Event], Awaitable[Result]],
) -> Result:
    """Return what `act` returns, and raise what it raises.

    When the client disconnects meanwhile, the event that `act` got is set, and `cancel` is called in a thread.
    """
    disconnected = anyio.Event()
    failure: Exception | None = None
    results: list[Result] = []
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            disconnected.set()
            await cancel_in_thread(cancel)

        group.start_soon(watch)
        try:
            results.append(await act(disconnected))
        except Exception as error:  # noqa: BLE001  (raised again below, outside the group, which would wrap it)
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            failure = None  # its traceback refers to this frame, which would keep what was being sent
    return results[0]
