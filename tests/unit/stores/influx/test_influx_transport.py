"""The wire under a server that misbehaves: aborting ends a call at once, and no end is taken for a whole answer."""

import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest

from service.errors import FluxgateError, StoreBroken, StoreCancelled, StoreTimeout
from service.frames.frame import Block
from service.stores.influx.read_ahead import ReadAhead
from service.stores.influx.transport import Call, Transport

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


class Speaker:
    """A server that says one thing on each connection, then lets `go_on` speak, and never closes by itself."""

    def __init__(self, said: bytes, go_on: Callable[[socket.socket], None] = lambda link: None) -> None:
        self._said, self._go_on = said, go_on
        self._links: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.gone = threading.Event()
        """The client has ended its connection."""
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        try:
            while True:
                link, _ = self._listener.accept()
                self._links.append(link)
                threading.Thread(target=self._speak, args=(link,), daemon=True).start()
        except OSError:
            return

    def _speak(self, link: socket.socket) -> None:
        try:
            link.recv(65536)
            link.sendall(self._said)
            threading.Thread(target=self._go_on, args=(link,), daemon=True).start()
            while link.recv(65536):
                pass
        except OSError:
            pass
        self.gone.set()

    def close(self) -> None:
        for one in (self._listener, *self._links):
            one.close()


@pytest.fixture
def speaking() -> Iterator[Callable[..., Speaker]]:
    speakers: list[Speaker] = []

    def speak(*arguments: object) -> Speaker:
        speakers.append(Speaker(*arguments))  # type: ignore[arg-type]
        return speakers[-1]

    yield speak
    for one in speakers:
        one.close()


def ask(speaker: Speaker, call: Call) -> bytes:
    transport = Transport(speaker.url, "token", "org", connect_timeout_s=1, silence_timeout_s=20)
    return b"".join(transport.send("POST", "/query", None, b"x", None, call).chunks())


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        CHUNKED,
        CHUNKED + b"3\r\nabc\r\n",
        UNTIL_CLOSED,
        UNTIL_CLOSED + b"abc",
        CHUNKED + b"ffff\r\n" + b"x" * 1000,
    ],
    ids=["no answer", "half a head", "no chunk", "a chunk", "an open end", "an open end after bytes", "half a chunk"],
)
def test_aborting_ends_a_waiting_call_at_once_and_its_connection(speaking: Callable[..., Speaker], said: bytes) -> None:
    speaker, call = speaking(said), Call(60)
    threading.Timer(0.2, call.abort).start()
    began = time.monotonic()
    with pytest.raises(StoreCancelled):
        ask(speaker, call)
    assert time.monotonic() - began < 15
    assert speaker.gone.wait(15), "InfluxDB ends a query when its connection ends"


@pytest.mark.parametrize(
    "said", [CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"ffff\r\nabc", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_body_that_is_cut_is_broken(speaking: Callable[..., Speaker], said: bytes) -> None:
    speaker = speaking(said, lambda link: link.shutdown(socket.SHUT_RDWR))
    with pytest.raises(StoreBroken, match="cut off"):
        ask(speaker, Call(60))


def dripping(link: socket.socket) -> None:
    try:
        while True:
            link.sendall(b"1\r\nx\r\n")
            time.sleep(0.02)
    except OSError:
        return


def test_a_server_that_drips_is_given_up_when_the_time_of_the_read_is_over(speaking: Callable[..., Speaker]) -> None:
    """Each byte comes before the silence is too long, and a piece of 64 kB never fills."""
    speaker, call = speaking(CHUNKED + b"20000\r\n" + b"x" * 0x20000 + b"\r\n", dripping), Call(0.5)
    transport = Transport(speaker.url, "token", "org", connect_timeout_s=1, silence_timeout_s=20)

    def blocks() -> Generator[Block, None, None]:
        for _ in transport.send("POST", "/query", None, b"x", None, call).chunks():
            yield ()

    began = time.monotonic()
    with pytest.raises(StoreTimeout, match="READ_TIMEOUT_S"):
        list(ReadAhead(blocks(), call))
    assert time.monotonic() - began < 15
    assert speaker.gone.wait(15)


def test_aborting_a_finished_call_leaves_the_next_one_on_its_connection_alone(speaking: Callable[..., Speaker]) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"

    def answer_again(link: socket.socket) -> None:
        time.sleep(0.3)
        link.sendall(answer)

    speaker = speaking(answer, answer_again)
    transport = Transport(speaker.url, "token", "org", connect_timeout_s=1, silence_timeout_s=5)
    first, second = Call(60), Call(60)
    assert b"".join(transport.send("POST", "/query", None, b"x", None, first).chunks()) == b"abc"
    threading.Timer(0.1, first.abort).start()
    assert b"".join(transport.send("POST", "/query", None, b"x", None, second).chunks()) == b"abc"


def test_an_aborted_call_asks_nothing(speaking: Callable[..., Speaker]) -> None:
    call = Call(60)
    call.abort()
    with pytest.raises(StoreCancelled):
        ask(speaking(CHUNKED), call)


def test_an_error_never_shows_the_token(speaking: Callable[..., Speaker]) -> None:
    speaker = speaking(b"", lambda link: link.shutdown(socket.SHUT_RDWR))
    transport = Transport(speaker.url, "secret-token", "org", connect_timeout_s=1, silence_timeout_s=5)
    with pytest.raises(FluxgateError) as refused:
        transport.open("GET", "/api/v2/buckets", {"org": "o"})
    assert "secret-token" not in repr(refused.value) + refused.value.message
