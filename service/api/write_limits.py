"""Limits of writes: slots, bytes in memory and time. A write whose client disconnects is ended."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from fastapi import Request

from service.errors import ClientDisconnected, TooManyWrites, WriteTimeout
from service.shares import Full, Reserve, Shares, share_of_key

SMALL_BODY_BYTES = 64 * 1024
"""A plain body up to this length costs too little to need a slot."""
_WAIT_S = 5.0
_POLL_INTERVAL_S = 0.02
_BODIES_PER_WRITE = 4
"""Arriving bodies per write slot, so that bodies that arrive slowly delay no writes."""


class WriteSlots:
    """Bounds the arriving bodies and the running writes of this process, in all and by one key.

    It may only be used from one event loop. `most` is the number of writes that are parsed and stored at one time.
    `most_body_bytes` bounds one unpacked body; `most` times as much may be in memory.
    """

    def __init__(self, most: int, most_body_bytes: int, wait_s: float = _WAIT_S) -> None:
        self._wait_s = wait_s
        share, bodies = share_of_key(most, Reserve.QUARTER), _BODIES_PER_WRITE * most
        self._writes = Shares(most, share)
        self._bodies = Shares(bodies, share_of_key(bodies, Reserve.HALF))
        self._bytes = Shares(most * most_body_bytes, share * most_body_bytes)

    @property
    def taken(self) -> int:
        """How many writes hold a slot."""
        return self._writes.taken

    @property
    def body_bytes(self) -> int:
        """The bytes of all bodies that are not small, counted from arrival to the end of the write."""
        return self._bytes.taken

    @asynccontextmanager
    async def body(self, request: Request, key_id: str) -> AsyncIterator[Callable[[int], None]]:
        """Count a body until its write has ended, unless it is small.

        The yielded function counts the bytes of a piece. Both raise TooManyWrites.
        """
        if _is_small(request):
            yield lambda _size: None
            return
        self._take_body(key_id)
        size = 0

        def charge(more: int) -> None:
            nonlocal size
            self._take_bytes(key_id, more)
            size += more

        try:
            yield charge
        finally:
            self._bytes.give_back(key_id, size)
            self._bodies.give_back(key_id)

    def _take_body(self, key_id: str) -> None:
        most, of_key = self._bodies.most, self._bodies.of_key
        match self._bodies.take(key_id):
            case Full.ALL:
                raise _refusal(f"The bodies of {most} writes are on their way to this gateway (four times MAX_WRITES).")
            case Full.KEY:
                share = f"its share of {most} (four times MAX_WRITES)"
                raise _refusal(f"The bodies of {of_key} writes of this key are on their way, {share}.")

    def _take_bytes(self, key_id: str, more: int) -> None:
        most, of_key = self._bytes.most, self._bytes.of_key
        match self._bytes.take(key_id, more):
            case Full.ALL:
                bound = "which is all this gateway holds (MAX_WRITES, MAX_UNPACKED_MB)"
                raise _refusal(f"The bodies of all writes have {most} bytes, {bound}.")
            case Full.KEY:
                share = "its share (MAX_WRITES, MAX_UNPACKED_MB)"
                raise _refusal(f"The bodies of this key's writes have {of_key} bytes, {share}.")

    @asynccontextmanager
    async def slot(self, request: Request, key_id: str) -> AsyncIterator[None]:
        """Hold a slot for a body that has arrived, unless it is small. Raises TooManyWrites after five seconds."""
        if _is_small(request):
            yield
            return
        with anyio.move_on_after(self._wait_s):
            while self._writes.full(key_id):
                await anyio.sleep(_POLL_INTERVAL_S)
        self._take_slot(key_id)
        try:
            yield
        finally:
            self._writes.give_back(key_id)

    def _take_slot(self, key_id: str) -> None:
        most, of_key = self._writes.most, self._writes.of_key
        match self._writes.take(key_id):
            case Full.ALL:
                raise _refusal(f"All {most} writes of this gateway (MAX_WRITES) are under way.")
            case Full.KEY:
                raise _refusal(f"{of_key} writes of this key are under way, its share of {most} (MAX_WRITES).")


def _refusal(finding: str) -> TooManyWrites:
    return TooManyWrites(f"{finding} Send the points again in a moment.", 1.0)


def _is_small(request: Request) -> bool:
    length = request.headers.get("Content-Length", "")
    plain = "Content-Encoding" not in request.headers
    return plain and length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= SMALL_BODY_BYTES


class WriteBudget:
    """The time of one write. `check` raises when the time is over or the client has disconnected."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._deadline_s = clock() + timeout_s
        self._is_cancelled = False

    def cancel(self) -> None:
        """End the write at its next check, because the client has disconnected."""
        self._is_cancelled = True

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline_s - self._clock())

    def check(self) -> None:
        """Raises WriteTimeout, ClientDisconnected."""
        if self._is_cancelled:
            raise ClientDisconnected("The client left before its points were stored, so the write was ended.")
        if self._clock() > self._deadline_s:
            raise self.timeout()

    def timeout(self) -> WriteTimeout:
        """The error for a write that took too long."""
        finding = f"The write took longer than {self._timeout_s:g} seconds (WRITE_TIMEOUT_S), so it was ended."
        return WriteTimeout(f"{finding} Send the points in smaller parts.")
