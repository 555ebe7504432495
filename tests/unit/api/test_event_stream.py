"""A stream of events says something now and then, and ends for each of its reasons."""

from collections.abc import Callable
from typing import Any

import anyio
import orjson
import pytest

from service.api.event_stream import EventStream
from service.api.telemetry_listeners import Listener, Topic
from service.domain.access import Principal, Scope
from service.errors import NotReady, Unauthorized
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_changes import Snapshot

pytestmark = pytest.mark.anyio
PRINCIPAL = Principal("k", "k", frozenset({Scope.READ}))
DOCUMENT = orjson.dumps({"ts": 1, "values": {"real_x": {"a": 1.0}}})


class Connection:
    """A client with a connection: what it was sent, and when it leaves."""

    def __init__(self, most_bytes: int = 10**9) -> None:
        self.sent = b""
        self.pieces: list[int] = []
        self.ended = False
        self.left = anyio.Event()
        self.server_ends = anyio.Event()
        self.was_reset = False
        self._most_bytes = most_bytes

    @property
    def scope(self) -> dict[str, Any]:
        ends, reset = {"wait": self.server_ends.wait}, {"act": self.reset}
        return {"extensions": {"fluxgate.server_ends": ends, "fluxgate.reset_connection": reset}}

    def reset(self) -> None:
        self.was_reset = True

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            if len(self.sent) >= self._most_bytes:
                await anyio.sleep_forever()
            self.sent += message["body"]
            self.pieces.append(len(message["body"]))
            self.ended = not message["more_body"]


async def is_valid() -> None:
    """The key is valid."""


def answered_topic(document: bytes = DOCUMENT) -> Topic:
    topic = Topic(Snapshot(LatestQuestion((), (), 1)), PRINCIPAL)
    topic.answered(topic.snapshot.followed_by(document, 0), b"{}")
    return topic


async def until(is_true: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not is_true():
            await anyio.sleep(0.002)


async def test_a_silent_stream_says_that_it_lives_and_ends_with_its_client() -> None:
    connection = Connection()
    stream = EventStream(Listener(answered_topic(), PRINCIPAL, None), is_valid, 5, heartbeat_s=0.01)
    async with anyio.create_task_group() as group:
        group.start_soon(stream, connection.scope, connection.receive, connection.send)
        await until(lambda: connection.sent.count(b": heartbeat\n\n") >= 3)
        connection.left.set()
    assert connection.sent.startswith(b"retry: 3000\n\nevent: state\nid: ")
    assert connection.sent.count(b"event:") == 1
    assert not connection.was_reset


@pytest.mark.parametrize("error", [Unauthorized("refused"), NotReady("the state database is away for too long")])
async def test_a_key_that_is_no_longer_valid_ends_the_stream_before_the_next_event(error: Exception) -> None:
    async def is_refused() -> None:
        raise error

    connection = Connection()
    stream = EventStream(Listener(answered_topic(), PRINCIPAL, None), is_refused, 5)
    with anyio.fail_after(10):
        await stream(connection.scope, connection.receive, connection.send)
    assert connection.ended
    assert b"event: state" not in connection.sent
    assert b'event: end\ndata: {"code":"' in connection.sent


async def test_a_server_that_ends_says_so() -> None:
    connection = Connection()
    connection.server_ends.set()
    stream = EventStream(Listener(answered_topic(), PRINCIPAL, None), is_valid, 5)
    with anyio.fail_after(10):
        await stream(connection.scope, connection.receive, connection.send)
    assert connection.ended
    assert b'event: end\ndata: {"code":"server_ends"' in connection.sent


async def test_a_client_that_takes_its_events_too_slowly_is_reset() -> None:
    connection = Connection(most_bytes=1)
    stream = EventStream(Listener(answered_topic(), PRINCIPAL, None), is_valid, most_s=0.02)
    with anyio.fail_after(10):
        await stream(connection.scope, connection.receive, connection.send)
    assert (connection.was_reset, connection.ended) == (True, False)


async def test_a_client_that_does_not_take_the_last_event_is_reset() -> None:
    connection = Connection(most_bytes=1)
    connection.server_ends.set()
    stream = EventStream(
        Listener(Topic(Snapshot(LatestQuestion((), (), 1)), PRINCIPAL), PRINCIPAL, None), is_valid, most_s=0.02
    )
    with anyio.fail_after(10):
        await stream(connection.scope, connection.receive, connection.send)
    assert connection.sent == b"retry: 3000\n\n"
    assert (connection.was_reset, connection.ended) == (True, False)


async def test_a_large_event_is_handed_out_in_pieces() -> None:
    document = orjson.dumps({"ts": 1, "values": {"real_x": {"n" * 200_000: 1.0}}})
    connection = Connection()
    stream = EventStream(Listener(answered_topic(document), PRINCIPAL, None), is_valid, 5)
    async with anyio.create_task_group() as group:
        group.start_soon(stream, connection.scope, connection.receive, connection.send)
        await until(lambda: document + b"\n\n" in connection.sent)
        connection.left.set()
    assert max(connection.pieces) <= 64 * 1024
