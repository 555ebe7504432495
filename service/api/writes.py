"""What one write may cost: a slot, so much time and memory, and no more work once its client has left."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import Request

from service.errors import ClientDisconnected, TooManyWrites, WriteTimeout

SMALL_BODY_BYTES = 64 * 1024
"""A plain body up to this length costs too little to need a slot."""
_WAIT_S = 5.0
_ASK_EVERY_S = 0.02


class WriteSlots:
    """How many writes are read and parsed at one time in this process. To be used from one event loop."""

    def __init__(self, most: int, wait_s: float = _WAIT_S) -> None:
        self._most = most
        self._wait_s = wait_s
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    @asynccontextmanager
    async def slot(self, request: Request) -> AsyncIterator[None]:
        """Hold a slot, unless the body is small; wait a few seconds for one. Raises TooManyWrites."""
        if _is_small(request):
            yield
            return
        with anyio.move_on_after(self._wait_s):
            while self._taken >= self._most:
                await anyio.sleep(_ASK_EVERY_S)
        if self._taken >= self._most:
            raise TooManyWrites(f"All {self._most} writes of this gateway (MAX_WRITES) are under way. Send the points again in a moment.", 1.0)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def _is_small(request: Request) -> bool:
    length = request.headers.get("Content-Length", "")
    plain = "Content-Encoding" not in request.headers
    return plain and length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= SMALL_BODY_BYTES


class WriteBudget:
    """Ends a write from outside: `check` raises once its time is over, or its client has left."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._ends_s = clock() + timeout_s
        self._left = False

    def leave(self) -> None:
        self._left = True

    @property
    def rest_s(self) -> float:
        return max(0.0, self._ends_s - self._clock())

    def check(self) -> None:
        """Raises WriteTimeout, ClientDisconnected."""
        if self._left:
            raise ClientDisconnected("The client left before its points were stored, so the write was ended.")
        if self._clock() > self._ends_s:
            raise self.timeout()

    def timeout(self) -> WriteTimeout:
        return WriteTimeout(
            f"The write took longer than {self._timeout_s:g} seconds (WRITE_TIMEOUT_S), so it was ended. Send the points in smaller parts."
        )
