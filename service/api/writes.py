"""What one write may cost: a slot, so much time and memory, and no more work once its client has left."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import Request

from service.api.slots import give_back, share_of_key
from service.errors import ClientDisconnected, TooManyWrites, WriteTimeout

SMALL_BODY_BYTES = 64 * 1024
"""A plain body up to this length costs too little to need a slot."""
_WAIT_S = 5.0
_ASK_EVERY_S = 0.02
_BODIES_PER_WRITE = 4
"""Bodies on their way for each write at one time: a slow body keeps no write waiting."""


class WriteSlots:
    """Bodies on their way and writes under way in this process, all and of one key. To be used from one event loop.

    `most`: writes that are parsed and stored at one time. `most_body_bytes`: of one body, unpacked; `most` times as much may be in memory.
    """

    def __init__(self, most: int, most_body_bytes: int, wait_s: float = _WAIT_S) -> None:
        self._most = most
        self._most_bytes = most * most_body_bytes
        self._most_bytes_of_key = share_of_key(most) * most_body_bytes
        self._wait_s = wait_s
        self._of_key: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._of_key.total()

    @property
    def body_bytes(self) -> int:
        """Bytes of all bodies that are not small, from their arrival to the end of their writes."""
        return self._bytes.total()

    @asynccontextmanager
    async def body(self, request: Request, key_id: str) -> AsyncIterator[Callable[[int], None]]:
        """Count a body, unless it is small, until its write has ended; what is given counts its bytes. Both raise TooManyWrites."""
        if _is_small(request):
            yield lambda _size: None
            return
        most = _BODIES_PER_WRITE * self._most
        if self._bodies.total() >= most:
            raise _refusal(f"The bodies of {most} writes are on their way to this gateway (four times MAX_WRITES).")
        if self._bodies[key_id] >= most // 2:
            raise _refusal(f"The bodies of {most // 2} writes of this key are on their way, its share of {most} (four times MAX_WRITES).")
        self._bodies[key_id] += 1
        size = 0

        def charge(more: int) -> None:
            nonlocal size
            self._allow_bytes(key_id, more)
            self._bytes[key_id] += more
            size += more

        try:
            yield charge
        finally:
            give_back(self._bytes, key_id, size)
            give_back(self._bodies, key_id, 1)

    def _allow_bytes(self, key_id: str, more: int) -> None:
        if self.body_bytes + more > self._most_bytes:
            raise _refusal(f"The bodies of all writes have {self._most_bytes} bytes, which is all this gateway holds (MAX_WRITES, MAX_UNPACKED_MB).")
        if self._bytes[key_id] + more > self._most_bytes_of_key:
            raise _refusal(f"The bodies of this key's writes have {self._most_bytes_of_key} bytes, its share (MAX_WRITES, MAX_UNPACKED_MB).")

    @asynccontextmanager
    async def slot(self, request: Request, key_id: str) -> AsyncIterator[None]:
        """Hold a slot for a body that has arrived, unless it is small; wait a few seconds for one. Raises TooManyWrites."""
        if _is_small(request):
            yield
            return
        with anyio.move_on_after(self._wait_s):
            while self._busy(key_id):
                await anyio.sleep(_ASK_EVERY_S)
        if why := self._busy(key_id):
            raise _refusal(why)
        self._of_key[key_id] += 1
        try:
            yield
        finally:
            give_back(self._of_key, key_id, 1)

    def _busy(self, key_id: str) -> str:
        """Why there is no slot for a key; empty when there is one."""
        if self.taken >= self._most:
            return f"All {self._most} writes of this gateway (MAX_WRITES) are under way."
        share = share_of_key(self._most)
        return f"{share} writes of this key are under way, its share of {self._most} (MAX_WRITES)." if self._of_key[key_id] >= share else ""


def _refusal(why: str) -> TooManyWrites:
    return TooManyWrites(f"{why} Send the points again in a moment.", 1.0)


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
