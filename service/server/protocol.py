"""HTTP/1.1 connections with bounds: uvicorn's protocol over httptools, which by itself takes heads of any size for any time.

The parser is fed in pieces, and each of its callbacks shows progress: bytes that lead to none are what it keeps.
Which connections there may be, `connections` decides.
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
"""The ASGI extension by which a client's leaving is seen without `receive`, which would invite a body that is expected to be."""


class BoundedProtocol(SendDeadlineProtocol):
    """One connection. `partial(BoundedProtocol, bounds=…, register=…)` is uvicorn's `http`."""

    def __init__(  # uvicorn's own arguments, and ours by name
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
        self._running: RequestResponseCycle | None = None
        self._ignores = False
        self._in_head, self._begun = True, False
        self._unshown = self._head_bytes = self._header_count = 0
        self.address, self.since, self.only_health = "", 0.0, False

    @property
    def waits_for_client(self) -> bool:
        """Nothing is under way here but the client's sending, so the connection may be ended for another."""
        return self.transport.is_closing() or self._is_idle or self._takes_body

    @property
    def _is_idle(self) -> bool:
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline and not self.transport.is_closing()

    @property
    def _takes_body(self) -> bool:
        """A body is on its way to the application, which has not answered yet."""
        return self._begun and not self._in_head and not self.pipeline and not self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gentle = LingeringTransport(transport, self.loop, lambda: self._begun or bool(self._unparsed), self.watch_closing)
        super().connection_made(cast(asyncio.Transport, self._gentle))
        self.flow = PipelineFlow(self.transport, self._unparsed)
        self.address = self.client[0] if self.client else ""
        self.since = self.loop.time()
        room = self._register.add(self, self._bounds)
        if room is Admission.NONE:
            self._end(refusals.FULL)
            return
        self.only_health = room is Admission.HEALTH
        self._arm(RESERVED_HEAD_TIMEOUT_S if self.only_health else self._bounds.head_timeout_s)

    def evict(self) -> None:
        """End at once, for another connection: with a reset when closing would wait for a client that does not take the rest."""
        self._ignores = True
        self._disarm()
        if self.transport.get_write_buffer_size():
            self.reset_connection()
            return
        if self._begun and not self._waiting_bytes():
            self.transport.write(as_bytes(refusals.FULL))
        self._gentle.close_now()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._register.discard(self)
        self._unparsed.clear()
        self.pipeline.clear()
        self._disconnected.set()
        self._tell_running()
        super().connection_lost(exc)

    def _tell_running(self) -> None:
        """The client has gone. uvicorn tells only the last request that was parsed, which may wait behind the running one."""
        if self._running is not None:
            self._running.disconnected = not self._running.response_complete
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._gentle.is_lingering:
            self._gentle.drop(len(data))
        self.since = self.loop.time()
        if self._timer is None and self._in_head and not self._ignores:
            self._arm(self._bounds.head_timeout_s)
        self._unparsed.append(data)
        self._parse()

    def _parse(self) -> None:
        """Feed the parser until a request waits behind the running one. The rest follows when that has been answered."""
        while self._unparsed and not self.pipeline and not self._is_done:
            self._feed(self._unparsed.next_piece())
        if self._is_done:
            self._unparsed.clear()
        if self.pipeline and not self.transport.is_closing():
            self.flow.resume_reading()  # so that a client's leaving is seen
            if self._unparsed.is_full:
                self.flow.pause_reading()

    @property
    def _is_done(self) -> bool:
        return self._ignores or self.transport.is_closing()

    def _feed(self, piece: bytes) -> None:
        self._unshown += len(piece)
        super().data_received(piece)
        if self._unshown > self._bounds.header and not self._ignores:
            self._end(refusals.HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """What the parser refused, or we inside it."""
        self._end(self._refusal or refusals.MALFORMED)

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is not taken: the request is answered as it is, and what follows is in a language that we do not speak."""
        self._ignores = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        self._unshown = self._head_bytes = self._header_count = 0
        self._in_head = self._begun = True
        super().on_message_begin()
        self.scope["extensions"][CLIENT_DISCONNECT] = {"wait": self._disconnected.wait}

    def on_url(self, url: bytes) -> None:
        self._unshown = 0
        super().on_url(url)
        if len(self.url) > self._bounds.request_line:
            self._refuse(refusals.LINE_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unshown = 0
        size = len(name) + len(value) + 4
        self._head_bytes, self._header_count = self._head_bytes + size, self._header_count + 1
        bounds = self._bounds
        if size > bounds.header or self._head_bytes + len(self.url) > bounds.head or self._header_count > bounds.headers:
            self._refuse(refusals.HEAD_TOO_LARGE)
        if self._in_head:  # else it is a trailer, which may not change the head
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unshown, self._in_head = 0, False
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
        self._unshown = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unshown, self._in_head, self._begun = 0, True, False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Times and ends

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._parse()
        if self._begun and not self.transport.is_closing():  # the rest of a small body that nobody read
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
            self._arm(self._bounds.head_timeout_s)  # a part of the next request, while an answer goes out

    def _refuse(self, refusal: Refusal) -> None:
        """Stops the parser, which then calls `send_400_response`."""
        self._refusal = refusal
        raise ValueError(refusal.code)

    def _end(self, refusal: Refusal) -> None:
        """Answer and close; behind an answer that is under way just close; and say nothing to a connection that said nothing."""
        self._ignores = True
        self._disarm()
        if not (self._is_idle or self._takes_body):
            if self.cycle is not None:
                self.cycle.keep_alive = False
            return
        if self._begun or refusal is not refusals.HEAD_TOO_SLOW:
            self.transport.write(as_bytes(refusal))
        self.transport.close()
