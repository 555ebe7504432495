"""Both transports against a real server that answers as it is told: one list of promises, kept twice."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from fluxgate_client import (
    AnswerBroken,
    GatewayUnreachable,
    GatewayWarning,
    InvalidRequest,
    NotFound,
    PointsRefused,
    RateLimited,
    Retry,
    Unavailable,
    connect,
    connect_async,
)
from tests.support.servers import free_port

UNKNOWN = {"X-Fluxgate-Warning": "unknown field Power%20A (near: power)"}
EMPTY = {"X-Fluxgate-Newest-Point": "2026-01-01T11:59:00Z"}
CALM = Retry(random=lambda: 0.0)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b'{"buckets": []}'
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Promised, where it is another than that of the body."""


def problem(status: int, code: str, retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(status, json.dumps({"code": code, "detail": "Wait."}).encode(), headers)


DROPPED = None
"""The connection ends without an answer."""
CUT = Reply(length=1000)


class Scripted:
    """A server that gives its replies one after the other; `requests` are the lines and headers that came."""

    def __init__(self, replies: Sequence[Reply | None]) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        left = iter(replies)
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                requests.append((self.requestline, {name.lower(): value for name, value in self.headers.items()}))
                reply = next(left)
                self.close_connection = True
                if reply is None:
                    return
                self.send_response(reply.status)
                self.send_header("Content-Length", str(reply.length or len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


Start = Callable[..., Scripted]


@pytest.fixture
def scripted() -> Iterator[Start]:
    running: list[Scripted] = []

    def start(*replies: Reply | None) -> Scripted:
        running.append(Scripted(replies))
        return running[-1]

    yield start
    for server in running:
        server.close()


Act = Callable[[Any], Any]
"""What is asked of a gateway of either kind; an awaitable for the asynchronous one."""


def sync_outcome(url: str, act: Act, retry: Retry) -> tuple[Any, list[float]]:
    pauses: list[float] = []
    with connect(url, "key", retry=retry, sleep=pauses.append) as gateway:
        return _caught(lambda: act(gateway)), pauses


def async_outcome(url: str, act: Act, retry: Retry) -> tuple[Any, list[float]]:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    async def run() -> Any:
        async with connect_async(url, "key", retry=retry, sleep=sleep) as gateway:
            return await act(gateway)

    return _caught(lambda: asyncio.run(run())), pauses


def _caught(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as error:  # noqa: BLE001  (the error is the outcome)
        return error


Outcome = Callable[[str, Act, Retry], tuple[Any, list[float]]]


@pytest.fixture(params=[sync_outcome, async_outcome], ids=["sync", "async"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return request.param


def buckets(gateway: Any) -> Any:
    return gateway.buckets()


def test_a_busy_gateway_is_asked_again_when_it_says(outcome: Outcome, scripted: Start) -> None:
    server = scripted(problem(429, "too_many_reads", "2"), problem(503, "not_ready", "5"), Reply())
    assert outcome(server.url, buckets, CALM) == ([], [2.0, 5.0])
    assert [line for line, _ in server.requests] == ["GET /buckets HTTP/1.1"] * 3
    assert server.requests[0][1]["x-api-key"] == "key"
    assert server.requests[0][1]["user-agent"] == "fluxgate-client/0.1.0"


def test_a_connection_that_breaks_is_made_again(outcome: Outcome, scripted: Start) -> None:
    server = scripted(DROPPED, CUT, Reply())
    assert outcome(server.url, buckets, CALM) == ([], [0.125, 0.25])


def test_after_the_last_try_the_error_says_what_it_was(outcome: Outcome, scripted: Start) -> None:
    server = scripted(*[problem(503, "store_busy", "1")] * 4)
    error, pauses = outcome(server.url, buckets, CALM)
    assert isinstance(error, Unavailable) and error.retry_after_s == 1.0
    assert (len(server.requests), pauses) == (4, [1.0, 1.0, 1.0])
    cut = scripted(*[CUT] * 4)
    assert isinstance(outcome(cut.url, buckets, CALM)[0], AnswerBroken)


def test_no_gateway_at_all_is_said_after_the_last_try(outcome: Outcome) -> None:
    error, pauses = outcome(f"http://127.0.0.1:{free_port()}", buckets, CALM)
    assert isinstance(error, GatewayUnreachable) and "Is the gateway running there?" in str(error)
    assert pauses == [0.125, 0.25, 0.5]


def test_a_refusal_is_final(outcome: Outcome, scripted: Start) -> None:
    server = scripted(problem(404, "unknown_bucket"))
    error, pauses = outcome(server.url, lambda gateway: gateway.schema("Wether"), CALM)
    assert (type(error), error.code, pauses) == (NotFound, "unknown_bucket", [])
    plain = scripted(Reply(429, b"<html>", {"Content-Type": "text/html"}))
    error, _ = outcome(plain.url, buckets, CALM)
    assert type(error) is RateLimited and "answered 429 without a reason" in str(error)


def test_a_write_without_an_answer_is_repeated_if_every_line_has_a_time(outcome: Outcome, scripted: Start) -> None:
    stored = Reply(body=b'{"stored": 1}')
    timed = scripted(DROPPED, stored)
    assert outcome(timed.url, lambda gateway: gateway.write("b", "m f=1 1"), CALM)[0] == {"stored": 1}
    untimed = scripted(DROPPED, stored)
    error, _ = outcome(untimed.url, lambda gateway: gateway.write("b", "m f=1"), CALM)
    assert isinstance(error, GatewayUnreachable) and error.may_have_arrived
    assert len(untimed.requests) == 1
    busy = scripted(problem(429, "too_many_writes", "1"), stored)
    assert outcome(busy.url, lambda gateway: gateway.write("b", "m f=1"), CALM) == ({"stored": 1}, [1.0])


def test_refused_points_are_listed(outcome: Outcome, scripted: Start) -> None:
    bad = [{"line": 1, "code": "bad_line", "reason": "x"}]
    body = {"code": "points_refused", "detail": "Bad.", "stored": 0, "bad": bad}
    server = scripted(Reply(422, json.dumps(body).encode()))
    error, _ = outcome(server.url, lambda gateway: gateway.write("b", "m"), CALM)
    assert isinstance(error, PointsRefused)
    assert (error.stored, error.bad[0]["line"]) == (0, 1)


def test_a_file_is_whole_or_as_it_was(outcome: Outcome, scripted: Start, tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("before")
    cut = scripted(Reply(body=b"_time,_value\n", length=1000))
    error, pauses = outcome(cut.url, lambda gateway: gateway.read("b").save(target), CALM)
    assert isinstance(error, AnswerBroken) and pauses == []
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("rows.csv", "before")]
    whole = scripted(problem(503, "store_busy", "1"), Reply(body=b"_time,_value\n"))
    sizes: list[int] = []
    saved, _ = outcome(whole.url, lambda gateway: gateway.read("b").save(target, progress=sizes.append), CALM)
    assert (saved, target.read_text(), sizes) == (target, "_time,_value\n", [13])


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "ftp://host", "http://host:port", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    for make in (connect, connect_async):
        with pytest.raises(InvalidRequest, match="no address of a gateway"):
            make(url)
    with pytest.raises(InvalidRequest, match="Copy it again"):
        connect("http://host", "clé")


def test_a_path_before_the_gateway_and_a_transport_of_ones_own_are_used() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json={"bucket": "a/b"})

    with connect("https://proxy.example.org/gate/", http_transport=httpx.MockTransport(answer)) as gateway:
        gateway.schema("a/b ä")
    assert seen == ["/gate/buckets/a%2Fb%20%C3%A4/schema"]


@pytest.mark.parametrize("outcome", [sync_outcome, async_outcome])
@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (UNKNOWN, "unknown field Power A (near: power)"),
        (EMPTY, "no rows; the newest point of the bucket is at 2026-01-01T11:59:00Z"),
        ({"X-Fluxgate-Newest-Point": "none"}, "no rows; the bucket has no points"),
    ],
)
def test_what_the_gateway_warns_of_is_a_warning_of_python(
    scripted: Start, outcome: Callable[..., tuple[Any, list[float]]], headers: dict[str, str], says: str
) -> None:
    with pytest.warns(GatewayWarning) as caught:
        result, _ = outcome(scripted(Reply(headers=headers)).url, lambda gateway: gateway.buckets(), CALM)
    assert result == []
    assert [says in str(warning.message) for warning in caught] == [True]
