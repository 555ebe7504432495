"""One connection of the server over a transport of the test's own.

Requests in a row, a client that leaves, and ends that nobody takes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from service.server.bounds import ConnectionBounds
from service.server.connections import Connections
from service.server.pipelining import MOST_UNPARSED_BYTES
from service.server.protocol import BoundedProtocol

BOUNDS = ConnectionBounds(1024, 1024, 4096, 10, 5.0, connections=3, connections_per_address=2, send_timeout_s=0.1)
pytestmark = pytest.mark.anyio
SHORTEST = b"GET / HTTP/1.1\r\n\r\n"


class Transport:
    """What the server sends, how far it reads, and how it ends. `takes`: the client takes what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.takes = True
        self.untaken = 0
        self.reads = True
        self.ends: list[str] = []

    def write(self, piece: bytes) -> None:
        self.sent += piece
        self.untaken += 0 if self.takes else len(piece)

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)}.get(name)

    def is_closing(self) -> bool:
        return bool(self.ends)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ends.append("eof")

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Application:
    """Answers each request once `gate` is set; notes what it saw."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0
        self.left = 0

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        self.asked += 1
        leaving = asyncio.ensure_future(self._see_leaving(receive))
        await self.gate.wait()
        leaving.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _see_leaving(self, receive: Callable[[], Awaitable[Any]]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1


def opened(register: Connections | None = None) -> tuple[BoundedProtocol, Transport, Application]:
    register = Connections() if register is None else register
    application, transport = Application(), Transport()
    config = Config(app=cast(Any, application), lifespan="off", log_config=None, access_log=False)
    config.load()
    protocol = BoundedProtocol(config, ServerState(), {}, asyncio.get_running_loop(), bounds=BOUNDS, register=register)
    protocol.connection_made(cast(asyncio.Transport, transport))
    return protocol, transport, application


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_3000_requests_at_once_wait_as_bytes_and_are_all_answered() -> None:
    """Each of 14000 requests in one read used to be made an object.

    20 connections took 600 MB, and health stood still."""
    protocol, transport, application = opened()
    protocol.data_received(SHORTEST * 3000)
    await turns()
    assert (application.asked, len(protocol.pipeline) < 60) == (1, True)
    application.gate.set()
    while transport.sent.count(b"HTTP/1.1 200") < 3000:
        await turns()
        assert len(protocol.pipeline) < 60
    assert application.asked == 3000


async def test_reading_stops_while_64_kb_wait_and_goes_on_afterwards() -> None:
    protocol, transport, application = opened()
    protocol.data_received(SHORTEST * 10)
    read_at_first = transport.reads
    protocol.data_received(SHORTEST * (MOST_UNPARSED_BYTES // len(SHORTEST) + 200))
    await turns()
    assert (read_at_first, transport.reads) == (True, False), "a client that leaves behind a few requests is seen"
    application.gate.set()
    while application.asked < 10 + MOST_UNPARSED_BYTES // len(SHORTEST) + 200:
        await turns()
    assert transport.reads


async def test_a_request_in_two_pieces_behind_another_is_answered() -> None:
    protocol, transport, application = opened()
    body = b"x" * 5000
    post = b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n" + body
    protocol.data_received(SHORTEST + post + SHORTEST + SHORTEST[:7])
    protocol.data_received(SHORTEST[7:] + SHORTEST)
    application.gate.set()
    await turns(100)
    assert (application.asked, transport.sent.count(b"HTTP/1.1 200")) == (5, 5)


async def test_the_running_request_sees_its_client_leave_though_another_waits_behind_it() -> None:
    """uvicorn tells only the request that was parsed last."""
    protocol, transport, application = opened()
    protocol.data_received(SHORTEST * 3)
    await turns()
    transport.close()
    protocol.connection_lost(None)
    application_asked = application.asked
    await turns()
    assert (application_asked, application.left, application.asked, len(protocol.pipeline)) == (1, 1, 1, 0)


async def test_a_closing_connection_whose_client_takes_nothing_is_broken_off() -> None:
    """Below 64 kB nothing told the server that its client took nothing: the connection stayed for ever."""
    for request in (
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\n",
    ):
        protocol, transport, application = opened()
        transport.takes = False
        application.gate.set()
        protocol.data_received(request)
        await turns()
        assert (transport.ends in (["close"], ["eof"]), protocol.waits_for_client) == (True, True)
        await asyncio.sleep(0.4)
        assert transport.ends[-1] == "abort"


async def test_a_half_closed_connection_whose_client_takes_nothing_is_broken_off() -> None:
    protocol, transport, _ = opened()
    transport.untaken = 100
    protocol.eof_received()
    transport.close()  # as the event loop does
    await asyncio.sleep(0.4)
    assert transport.ends == ["close", "abort"]


async def test_a_closing_connection_that_is_taken_slowly_has_its_deadline_again() -> None:
    protocol, transport, _ = opened()
    transport.untaken = 100
    protocol.transport.close()
    protocol.pause_writing()
    transport.untaken = 50
    protocol.resume_writing()
    await asyncio.sleep(0.4)
    assert transport.ends == ["close", "abort"], "the rest has one too"


async def test_who_gives_way_leaves_no_descriptor_behind() -> None:
    protocol, transport, _ = opened()
    protocol.data_received(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    protocol.evict()
    assert (transport.ends, b" 503 " in transport.sent) == (["close"], True)
    protocol, transport, _ = opened()
    transport.untaken = 100
    protocol.evict()
    assert transport.ends == ["abort"], "closing would wait for the client"


async def test_a_closing_connection_gives_way() -> None:
    register = Connections()
    protocol, transport, _ = opened(register)
    transport.untaken = 100
    protocol.transport.close()
    opened(register)
    opened(register)
    assert transport.ends == ["close", "abort"]


async def test_a_client_that_leaves_is_seen_without_inviting_its_body() -> None:
    protocol, transport, _ = opened()
    protocol.data_received(b"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    wait = cast(Any, protocol.scope)["extensions"]["fluxgate.client_disconnect"]["wait"]
    seen = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    assert not seen.done()
    transport.close()
    protocol.connection_lost(None)
    await asyncio.wait_for(seen, 5)
