"""Sends answers chunk by chunk from a thread, and cancels them when the client disconnects.

The first chunk exists before the status is sent, so an error before it has its proper status. A later error is raised:
the server then drops the connection without the end of the body, so no client takes the answer for a complete one.
When a client takes too long to read the whole answer, its connection is reset.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.client_disconnect import answer_threads, cancel_in_thread, run_until_disconnect
from service.api.deps import parts_of
from service.api.store_calls import call_store
from service.cache.answers import CancelToken, Served
from service.domain.access import Principal
from service.errors import ClientStalled, FluxgateError
from service.reads.streams import Chunk, gzipped

_log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


async def read_in_thread(request: Request, principal: Principal, read: Callable[[CancelToken], Answer]) -> Answer:
    """Call `read` in a thread; it returns once the first bytes exist. A client that disconnects cancels it at once."""
    cancel_token, pool = CancelToken(), parts_of(request).pools.reads
    act = partial(read, cancel_token)
    return await run_until_disconnect(
        request.receive,
        cancel_token.cancel,
        lambda _disconnected: call_store(pool, principal, act),
    )


def wants_gzip(accept_encoding: str | None) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    for part in (accept_encoding or "").split(","):
        coding, _, quality = part.strip().lower().partition(";")
        if coding.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


_SMALL_BYTES = 64 * 1024
"""A kept answer up to this size is compressed where it stands, as a thread would cost more. To send it, the deadline of
the connection is enough: the kernel takes it at once."""


class AnswerResponse(Response):
    """Sends an answer within `most_s` seconds, compressed if `gzip`. The answer is closed in every case."""

    def __init__(self, served: Served, headers: Mapping[str, str], gzip: bool, most_s: float) -> None:
        self._served = served
        self._most_s = most_s
        self._deadline = math.inf
        self._size_bytes = served.size_bytes if not gzip else None
        self._chunks: Iterator[Chunk] = gzipped(served.chunks) if gzip else served.chunks
        if gzip and served.size_bytes is not None and served.size_bytes <= _SMALL_BYTES:
            packed = b"".join(self._chunks)
            self._chunks, self._size_bytes = iter([packed]), len(packed)
        self.status_code = 200
        self.background = None
        self.body = b""
        extra = {"Content-Encoding": "gzip"} if gzip else {}
        self.init_headers({**headers, **extra})
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        if self._size_bytes is not None:
            self.raw_headers.append((b"content-length", str(self._size_bytes).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._deadline = anyio.current_time() + self._most_s
        try:
            if self._size_bytes is not None:
                await self._send_complete(send, self._size_bytes)
            else:
                await run_until_disconnect(
                    receive,
                    self._served.close,
                    lambda disconnected: self._send_all(send, disconnected),
                )
        except Exception as failure:
            if isinstance(failure, FluxgateError):
                _log.error("answer broken off", code=failure.code, detail=failure.message, upstream=failure.upstream)
            if isinstance(failure, ClientStalled):
                reset_connection(scope)
            raise StreamBroken from failure
        finally:
            if self._size_bytes is None:
                with anyio.CancelScope(shield=True):
                    await cancel_in_thread(self._served.close)

    async def _send_complete(self, send: Send, size_bytes: int) -> None:
        with nullcontext() if size_bytes <= _SMALL_BYTES else self._until_deadline():
            await send(self._start())
            for chunk in self._chunks:
                size_bytes -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": size_bytes > 0})
            if not self._size_bytes:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send, disconnected: anyio.Event) -> None:
        """Send until the end, or until the client disconnects. Errors after that are ignored."""
        try:
            await self._send(send, self._start())
            while (chunk := await self._next()) is not None and not disconnected.is_set():
                await self._send(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            if not disconnected.is_set():
                await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except Exception:
            if not disconnected.is_set():
                raise

    def _start(self) -> Message:
        return {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}

    async def _send(self, send: Send, message: Message) -> None:
        with self._until_deadline():
            await send(message)

    @contextmanager
    def _until_deadline(self) -> Iterator[None]:
        """Wait for the client in it. Raises ClientStalled at the deadline of the whole answer."""
        with anyio.move_on_at(self._deadline) as timeout:
            yield
        if timeout.cancelled_caught:
            raise ClientStalled(f"The client did not take the answer within {self._most_s:g} s (READ_TIMEOUT_S).")

    async def _next(self) -> Chunk | None:
        return await anyio.to_thread.run_sync(next, self._chunks, None, limiter=answer_threads())


def reset_connection(scope: Scope) -> None:
    """Reset the connection of a request through the extension of `service.server.send_deadline`.

    Other servers drop it when the application raises.
    """
    extension = scope.get("extensions", {}).get("fluxgate.reset_connection")
    if extension is not None:
        extension["act"]()


class StreamBroken(Exception):
    """An answer failed after its first byte. It is raised so that the server drops the connection."""
