"""Sends server-sent events until the client leaves, its key ends, or the server ends.

Nothing is queued: the next events are made when the client has taken the last ones. A client that takes them too slowly
is dropped, and so is one that takes nothing (`server/send_deadline`); the log says so.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.streaming import reset_connection
from service.api.telemetry_listeners import Listener, event
from service.errors import FluxgateError

HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache keeps events, and no proxy holds them back. They are never compressed, which would hold them back too."""
HEARTBEAT_S = 15.0
KEY_CHECK_S = 5.0
"""How often the key of an open stream is checked, besides before each event."""
_SERVER_ENDS = "fluxgate.server_ends"
"""The extension of `service.server.protocol` that waits until the server ends. Other servers cut the connection."""
_PIECE_BYTES = 64 * 1024
"""The most that is handed to a connection at one time, because the connection copies what it cannot send."""
_OPENING = b"retry: 3000\n\n"
_HEARTBEAT = b": heartbeat\n\n"
_log = structlog.get_logger(__name__)


class EventStream(Response):
    """The events of a listener. `check_key` raises when its key is no longer valid.

    `most_s`: the longest time in which a client takes the events that are due. `heartbeat_s`: the longest silence.
    """

    def __init__(
        self,
        listener: Listener,
        check_key: Callable[[], Awaitable[object]],
        most_s: float,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._listener = listener
        self._check_key = check_key
        self._most_s = most_s
        self._heartbeat_s = heartbeat_s
        self._server_ends = False
        self.status_code = 200
        self.background = None
        self.body = b""
        self.init_headers(HEADERS)
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:

            async def leave_with_client() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            async def notice_end() -> None:
                await scope["extensions"][_SERVER_ENDS]["wait"]()
                self._server_ends = True
                self._listener.woken.set()

            group.start_soon(leave_with_client)
            if _SERVER_ENDS in scope.get("extensions", {}):
                group.start_soon(notice_end)
            if not await self._send_all(send):
                reset_connection(scope)
            group.cancel_scope.cancel()

    async def _send_all(self, send: Send) -> bool:
        """Send events until the end; False when the client took them too slowly."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pending, quiet_since = [_OPENING], anyio.current_time()
        while True:
            if pending:
                if not await self._send(send, pending):
                    return False
                quiet_since = anyio.current_time()
            heartbeat_in_s = quiet_since + self._heartbeat_s - anyio.current_time()
            with anyio.move_on_after(min(heartbeat_in_s, KEY_CHECK_S)):
                await self._listener.woken.wait()
            ending = await self._ending()
            if ending is not None:
                if not await self._send(send, [ending]):
                    return False
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return True
            self._listener.woken.clear()
            pending = self._listener.due()
            if not pending and anyio.current_time() - quiet_since >= self._heartbeat_s:
                pending = [_HEARTBEAT]

    async def _ending(self) -> bytes | None:
        """The last event, when the stream ends now."""
        if self._server_ends:
            return _end("server_ends", "The gateway ends. Connect again; another process may answer.")
        try:
            await self._check_key()
        except FluxgateError as error:
            _log.info("telemetry listener ended", code=error.code)
            return _end(error.code, error.message)
        return None

    async def _send(self, send: Send, events: Sequence[bytes]) -> bool:
        """Send events piece by piece; False when the client does not take them in time."""
        with anyio.move_on_after(self._most_s) as timeout:
            for event_bytes in events:
                for start in range(0, len(event_bytes), _PIECE_BYTES):
                    piece = event_bytes[start : start + _PIECE_BYTES]
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        if timeout.cancelled_caught:
            reason = f"it did not take its events within {self._most_s:g} s (READ_TIMEOUT_S)"
            _log.warning("telemetry listener dropped", reason=reason, event_bytes=sum(map(len, events)))
        return not timeout.cancelled_caught


def _end(code: str, detail: str) -> bytes:
    return event("end", orjson.dumps({"code": code, "detail": detail}))
