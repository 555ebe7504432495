"""Answers on their way to a client: awaited, then sent chunk by chunk from a thread, ended when the client leaves.

The first chunk is there before the status is sent, so whatever fails before it has a status of its
own. What fails later is raised: the server then drops the connection without the end of the body, and
no client can take the answer for a whole one. A client that takes too long for the whole answer has its
connection reset.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.client_disconnect import cancel_in_thread, run_until_disconnect, threads
from service.api.deps import parts_of
from service.api.store_calls import call_store
from service.cache.answers import CancelToken, Served
from service.domain.access import Principal
from service.errors import ClientStalled, FluxgateError
from service.reads.streams import Chunk, gzipped

_log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


async def read_in_thread(request: Request, principal: Principal, read: Callable[[CancelToken], Answer]) -> Answer:
    """What `read` gives once its first bytes are there. When the client leaves before, the read is ended at once."""
    cancel_token, pool = CancelToken(), parts_of(request).pools.reads
    act = partial(read, cancel_token)
    return await run_until_disconnect(request.receive, cancel_token.cancel, lambda _gone: call_store(pool, principal, act))


def wants_gzip(accept_encoding: str | None) -> bool:
    for part in (accept_encoding or "").split(","):
        coding, _, quality = part.strip().lower().partition(";")
        if coding.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class AnswerResponse(Response):
    """Sends a served answer, packed when the client wants it so, within `most_s` seconds."""

    def __init__(self, served: Served, headers: Mapping[str, str], gzip: bool, most_s: float) -> None:
        self._served = served
        self._most_s = most_s
        self._until = math.inf
        self._at_hand = served.size_bytes is not None and not gzip
        self._chunks: Iterator[Chunk] = gzipped(served.chunks) if gzip else served.chunks
        self.status_code = 200
        self.background = None
        self.body = b""
        extra = {"Content-Encoding": "gzip"} if gzip else {}
        self.init_headers({**headers, **extra})
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        if self._at_hand:
            self.raw_headers.append((b"content-length", str(served.size_bytes).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._until = anyio.current_time() + self._most_s
        try:
            if self._at_hand:
                await self._send_at_once(send)
            else:
                await run_until_disconnect(receive, self._served.close, lambda gone: self._send_all(send, gone))
        except Exception as failure:
            if isinstance(failure, FluxgateError):
                _log.error("answer broken off", code=failure.code, detail=failure.message, upstream=failure.upstream)
            if isinstance(failure, ClientStalled):
                _break_off(scope)
            raise StreamBroken from failure
        finally:
            if not self._at_hand:
                with anyio.CancelScope(shield=True):
                    await cancel_in_thread(self._served.close)

    async def _send_at_once(self, send: Send) -> None:
        await self._sent(send, self._start())
        left = self._served.size_bytes or 0
        for chunk in self._chunks:
            left -= len(chunk)
            await self._sent(send, {"type": "http.response.body", "body": chunk, "more_body": left > 0})
        if not self._served.size_bytes:
            await self._sent(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send, gone: anyio.Event) -> None:
        """Until the end, or until the client is gone: then what fails is of no matter."""
        try:
            await self._sent(send, self._start())
            while (chunk := await self._next()) is not None and not gone.is_set():
                await self._sent(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            if not gone.is_set():
                await self._sent(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except Exception:
            if not gone.is_set():
                raise

    def _start(self) -> Message:
        return {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}

    async def _sent(self, send: Send, message: Message) -> None:
        """Send one piece, which waits for the client. Raises ClientStalled at the deadline of the whole answer."""
        with anyio.move_on_at(self._until) as deadline:
            await send(message)
        if deadline.cancelled_caught:
            raise ClientStalled(f"The client did not take the answer within {self._most_s:g} s (READ_TIMEOUT_S).")

    async def _next(self) -> Chunk | None:
        return await anyio.to_thread.run_sync(next, self._chunks, None, limiter=threads())


def _break_off(scope: Scope) -> None:
    """Reset the connection of a request, by our server's extension (`service.server.send_deadline`).

    Other servers drop it when the application raises.
    """
    extension = scope.get("extensions", {}).get("fluxgate.reset_connection")
    if extension is not None:
        extension["act"]()


class StreamBroken(Exception):
    """An answer that failed after its first byte: raised so that the server drops the connection."""
