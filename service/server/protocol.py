"""HTTP/1.1 connections with bounds on request heads. uvicorn's own protocol accepts heads of any size, at any speed.

The parser is fed in pieces, and each of its callbacks shows progress. Bytes since the last callback are bytes that the
parser keeps, so their number is bounded. `connections` decides which connections are accepted.
"""

import asyncio
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from service.server import refusals
from service.server.bounds import RESERVED_HEAD_TIMEOUT_S, ConnectionBounds
from service.server.connections import Admission, Connections
from service.server.lingering import LingeringTransport
from service.server.pipelining import PipelineFlow, UnparsedBytes
from service.server.refusals import Refusal, as_bytes
from service.server.send_deadline import SendDeadlineProtocol

_HEALTH = b"/health/"
CLIENT_DISCONNECT = "fluxgate.client_disconnect"
"""The ASGI extension that waits until the client disconnects. `receive` would answer `Expect: 100-continue`."""
SERVER_ENDS = "fluxgate.server_ends"
"""The ASGI extension that waits until the server ends, so that an answer without an end can say goodbye."""


class BoundedProtocol(SendDeadlineProtocol):
    """One connection. `partial(BoundedProtocol, bounds=…, register=…)` is passed to uvicorn as `http`."""

    def __init__(  # uvicorn's arguments, then ours by name
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: ConnectionBounds,
        register: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, send_timeout_s=bounds.send_timeout_s)
        self._bounds = bounds
        self._register = register
        self._refusal: Refusal | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unparsed = UnparsedBytes()
        self._disconnected = asyncio.Event()
        self._server_ends = asyncio.Event()
        self._running: RequestResponseCycle | None = None
        self._is_refusing = False
        self._in_head, self._in_request = True, False
        self._kept_bytes = self._head_bytes = self._header_count = 0
        self.address, self.since, self.only_health = "", 0.0, False

    @property
    def waits_for_client(self) -> bool:
        """Whether the server only waits for the client here, so that the connection may be evicted."""
        return self.transport.is_closing() or self._is_idle or self._takes_body

    @property
    def _is_idle(self) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and not self.pipeline and not self.transport.is_closing()

    @property
    def _takes_body(self) -> bool:
        """Whether a body is arriving and the application has not answered yet."""
        return self._in_request and not self._in_head and not self.pipeline and not self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = LingeringTransport(
            transport,
            self.loop,
            lambda: self._in_request or bool(self._unparsed),
            self.watch_closing,
        )
        super().connection_made(cast(asyncio.Transport, self._lingering))
        self.flow = PipelineFlow(self.transport, self._unparsed)
        self.address = self.client[0] if self.client else ""
        self.since = self.loop.time()
        admission = self._register.add(self, self._bounds)
        if admission is Admission.NONE:
            self._end(refusals.FULL)
            return
        self.only_health = admission is Admission.HEALTH
        self._arm(RESERVED_HEAD_TIMEOUT_S if self.only_health else self._bounds.head_timeout_s)

    def evict(self) -> None:
        """End the connection at once to make room. It is reset when its client does not read what is unsent."""
        self._is_refusing = True
        self._disarm()
        if self.transport.get_write_buffer_size():
            self.reset_connection()
            return
        if self._in_request and not self._unsent_bytes():
            self.transport.write(as_bytes(refusals.FULL))
        self._lingering.close_now()

    def shutdown(self) -> None:
        """The server ends: no further request, and an answer without an end is told."""
        self._server_ends.set()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._register.discard(self)
        self._unparsed.clear()
        self.pipeline.clear()
        self._disconnected.set()
        self._disconnect_running()
        super().connection_lost(exc)

    def _disconnect_running(self) -> None:
        """Tell the running request that the client disconnected. uvicorn tells only the last parsed request."""
        if self._running is not None:
            self._running.disconnected = not self._running.response_complete
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._lingering.is_lingering:
            self._lingering.drop(len(data))
        self.since = self.loop.time()
        if self._timer is None and self._in_head and not self._is_refusing:
            self._arm(self._bounds.head_timeout_s)
        self._unparsed.append(data)
        self._parse()

    def _parse(self) -> None:
        """Feed the parser until a request waits behind the running one. The rest is parsed after an answer."""
        while self._unparsed and not self.pipeline and not self._is_done:
            self._feed(self._unparsed.next_piece())
        if self._is_done:
            self._unparsed.clear()
        if self.pipeline and not self.transport.is_closing():
            self.flow.resume_reading()  # to notice that the client disconnects
            if self._unparsed.is_full:
                self.flow.pause_reading()

    @property
    def _is_done(self) -> bool:
        return self._is_refusing or self.transport.is_closing()

    def _feed(self, piece: bytes) -> None:
        self._kept_bytes += len(piece)
        super().data_received(piece)
        if self._kept_bytes > self._bounds.header and not self._is_refusing:
            self._end(refusals.HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser refused, or a callback below."""
        self._end(self._refusal or refusals.MALFORMED)

    def _unsupported_upgrade_warning(self) -> None:
        """Answer a request that asks for an upgrade as a plain one, and ignore the bytes after it."""
        self._is_refusing = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        self._kept_bytes = self._head_bytes = self._header_count = 0
        self._in_head = self._in_request = True
        super().on_message_begin()
        self.scope["extensions"][CLIENT_DISCONNECT] = {"wait": self._disconnected.wait}
        self.scope["extensions"][SERVER_ENDS] = {"wait": self._server_ends.wait}

    def on_url(self, url: bytes) -> None:
        self._kept_bytes = 0
        super().on_url(url)
        if len(self.url) > self._bounds.request_line:
            self._refuse(refusals.LINE_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._kept_bytes = 0
        size = len(name) + len(value) + 4
        self._head_bytes, self._header_count = self._head_bytes + size, self._header_count + 1
        bounds = self._bounds
        head_bytes = self._head_bytes + len(self.url)
        if size > bounds.header or head_bytes > bounds.head or self._header_count > bounds.headers:
            self._refuse(refusals.HEAD_TOO_LARGE)
        if self._in_head:  # otherwise it is a trailer, which must not change the head
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._kept_bytes, self._in_head = 0, False
        self._disarm()
        names = {name for name, _ in self.headers}
        if b"content-length" in names and b"transfer-encoding" in names:
            self._refuse(refusals.TWO_LENGTHS)
        if self.only_health and not self.url.startswith(_HEALTH):
            self._refuse(refusals.FULL)
        super().on_headers_complete()
        if self.only_health:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._kept_bytes, self._in_head, self._in_request = 0, True, False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Times and ends

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._parse()
        if self._in_request and not self.transport.is_closing():  # the rest of an unread small body
            self._arm(self._bounds.head_timeout_s)

    def _arm(self, timeout_s: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(timeout_s, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._is_idle:
            self._end(refusals.HEAD_TOO_SLOW)
        elif not self.transport.is_closing():
            self._arm(self._bounds.head_timeout_s)  # a part of the next request, while an answer is sent

    def _refuse(self, refusal: Refusal) -> None:
        """Stop the parser, which then calls `send_400_response`."""
        self._refusal = refusal
        raise ValueError(refusal.code)

    def _end(self, refusal: Refusal) -> None:
        """Answer with `refusal` and close. During another answer, only close after it.

        A connection that has sent nothing gets no answer.
        """
        self._is_refusing = True
        self._disarm()
        if not (self._is_idle or self._takes_body):
            if self.cycle is not None:
                self.cycle.keep_alive = False
            return
        if self._in_request or refusal is not refusals.HEAD_TOO_SLOW:
            self.transport.write(as_bytes(refusal))
        self.transport.close()
