"""Sends bytes whose number is known, piece by piece from a thread, to a client that may leave at any moment.

What fails on the way is raised, so that the server drops the connection before all announced bytes were sent.
No deadline is set for the whole; SEND_TIMEOUT_S resets the connection of a client that reads nothing.
"""

from collections.abc import Callable, Generator, Mapping

import anyio
import anyio.to_thread
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.client_disconnect import answer_threads, run_until_disconnect
from service.api.streaming import StreamBroken
from service.errors import FluxgateError

_log = structlog.get_logger(__name__)


class FileResponse(Response):
    """Sends `first` and then `pieces`. `cancel` is called when the client leaves; `ended` once, in every case."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        first: bytes,
        pieces: Generator[bytes],
        cancel: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._first = first
        self._pieces = pieces
        self._cancel = cancel
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await run_until_disconnect(receive, self._cancel, lambda disconnected: self._send(send, disconnected))
        except Exception as failure:
            if isinstance(failure, FluxgateError):
                _log.error("answer broken off", code=failure.code, detail=failure.message)
            raise StreamBroken from failure
        finally:
            self._pieces.close()
            self._ended()

    async def _send(self, send: Send, disconnected: anyio.Event) -> None:
        """Send until the end, or until the client disconnects. Errors after that are ignored."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            piece: bytes | None = self._first
            while piece is not None and not disconnected.is_set():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anyio.to_thread.run_sync(next, self._pieces, None, limiter=answer_threads())
            if not disconnected.is_set():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception:
            if not disconnected.is_set():
                raise
