"""Bodies that nobody asked for, that are too large, or that do not come.

They are refused before they are read, and at little cost.
"""

import gzip
import time
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from service.app import create_app
from service.settings import Settings
from service.wiring import assemble
from tests.support.attacks import MB, chunked, connection, head, measured, received, send_all, status_of, whole_answer
from tests.support.gateways import KEY, Gateway, running_gateway

DOCUMENTS = [("PUT", "/config/mirrors"), ("POST", "/buckets"), ("POST", "/mirror/trigger")]
PIECE = b"x" * 65536
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
HUGE = f"Content-Length: {300 * MB}"
AT_ONCE_S = 5.0
STREAMED = {"/backups/upload"}  # a backup may be larger than HUGE: it goes to its place piece by piece
Start = Callable[..., Gateway]


def answer_to(gateway: Gateway, *pieces: bytes, timeout_s: float = 10.0) -> bytes:
    """The first piece of the answer to exactly these bytes; none when the gateway waits for more."""
    with connection(gateway, timeout_s) as link:
        send_all(link, pieces)
        return received(link, 1)


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, bool, bool]]:
    """Method, path, whether it is open, and whether it takes a body, of every route that the document names."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, bool(operation.get("x-open")), "requestBody" in operation


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One for all that need no settings of their own."""
    with running_gateway(tmp_path_factory.mktemp("gateway"), {"MAX_FAILED_TRIES": "1000"}) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("routes")
    parts = assemble(Settings(_env_file=None, data_dir=folder, api_key=KEY))  # type: ignore[call-arg]
    yield create_app(parts)
    parts.close()


@pytest.mark.parametrize(("method", "path"), DOCUMENTS)
def test_300_mb_without_a_key_are_refused_before_they_are_read(gateway: Gateway, method: str, path: str) -> None:
    """Each used to be kept and parsed: 422, and 600 MB of memory for good."""
    begun = time.monotonic()
    with measured(gateway) as cost, connection(gateway) as link:
        send_all(link, [head(method, path, JSON, CHUNKED, key=None)])
        assert status_of(received(link, 1)) == 401
        assert send_all(link, chunked(PIECE for _ in range(4800))) < 50 * MB
    assert time.monotonic() - begun < AT_ONCE_S
    assert cost.rss_growth_mb < 30
    assert cost.longest_health_wait_s < 1.5


def test_no_route_reads_a_byte_before_the_key_is_accepted(gateway: Gateway, app: FastAPI) -> None:
    """The head alone is sent: a route that waits for the body does not answer."""
    for method, path, is_open, takes_body in routes_of(app):
        for announced in (CHUNKED, HUGE):
            status = status_of(answer_to(gateway, head(method, path, JSON, announced, key=None)))
            assert status == 401 or (is_open and status == 200), (method, path, announced, status)
            invited = answer_to(gateway, head(method, path, JSON, announced, "Expect: 100-continue", key=None))
            assert b"100 Continue" not in invited, (method, path)
        if not is_open and path not in STREAMED:
            status = status_of(answer_to(gateway, head(method, path, JSON, HUGE)))
            assert status == 413 or (takes_body and status == 404), (method, path, status)


def test_no_route_lets_the_framework_read_its_body(app: FastAPI) -> None:
    """A `Body` parameter is read before dependencies ask for the key; `service.api.json_bodies.json_body` is not."""
    assert [route.path for route in app.routes if isinstance(route, APIRoute) and route.body_field] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/nothing", 404), ("DELETE", "/buckets", 405), ("GET", "/health/live", 200), ("GET", "/docs", 200)],
)
def test_a_body_for_nobody_is_answered_and_never_kept(gateway: Gateway, method: str, path: str, status: int) -> None:
    with measured(gateway) as cost, connection(gateway) as link:
        send_all(link, [head(method, path, CHUNKED, key=None)])
        assert status_of(received(link, 1)) == status
        send_all(link, chunked(PIECE for _ in range(4800)))
    assert cost.rss_growth_mb < 30


def test_an_unknown_section_and_a_wrong_key_are_told_before_the_body_is_read(gateway: Gateway) -> None:
    assert status_of(answer_to(gateway, head("PUT", "/config/nothing", JSON, f"Content-Length: {2 * MB}"))) == 413
    assert status_of(answer_to(gateway, head("PUT", "/config/nothing", JSON, CHUNKED, key="wrong"))) == 401


def test_a_large_document_with_a_key_is_refused_by_its_length_and_as_it_comes(gateway: Gateway) -> None:
    """21 MB of `{},{},…` used to take more than a minute and 6.5 GB."""
    empties = b"{}," * 21_000
    with measured(gateway) as cost:
        assert status_of(answer_to(gateway, head("POST", "/buckets", JSON, f"Content-Length: {21 * MB}"))) == 413
        with connection(gateway) as link:
            send_all(link, [head("POST", "/buckets", JSON, CHUNKED), *chunked(empties for _ in range(330))])
            assert status_of(received(link, 1)) == 413
    assert cost.rss_growth_mb < 30
    assert cost.longest_health_wait_s < 1.5


WORST = {
    "objects": b"[" + b"{}," * 333_000 + b"{}]",
    "openings": b"[" * 1_000_000,
    "nested": b"[" * 900 + b"]" * 900,
    "members": b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    "few members": b"{" + b",".join(b'"%d":0' % number for number in range(9_900)) + b"}",
    "few objects": b"[" + b"{}," * 900 + b"{}]",
    "one text": b'"' + b"x" * 1_000_000 + b'"',
}


@pytest.mark.parametrize("name", WORST)
def test_a_document_of_1_mb_does_not_hold_the_others(gateway: Gateway, name: str) -> None:
    """It used to hold /health/live for 1.7 s."""
    with measured(gateway) as cost, gateway.http() as http:
        for method, path in DOCUMENTS:
            answer = http.request(method, path, content=WORST[name], headers={"Content-Type": "application/json"})
            assert answer.status_code in (413, 422), (name, path, answer.status_code)
    assert cost.longest_health_wait_s < 1.5
    assert cost.cpu_s < 3
    assert cost.rss_growth_mb < 100


def test_at_most_a_thousand_buckets_are_made_at_once(gateway: Gateway) -> None:
    with gateway.http() as http:
        refused = http.post("/buckets", json=[{"name": f"b{number}"} for number in range(1001)])
        assert (refused.status_code, "1000" in refused.json()["detail"]) == (422, True)
        assert http.get("/buckets").json() == {"buckets": []}


def test_a_body_that_stops_coming_is_given_up(start_gateway: Start) -> None:
    gateway = start_gateway(BODY_SILENCE_S="0.5")
    for path, sent in (("/buckets", b""), ("/buckets", b"[{"), ("/buckets/b/points", b"m f=1")):
        answer = answer_to(gateway, head("POST", path, JSON, "Content-Length: 100"), sent)
        assert (status_of(answer), b"connection: close" in answer) == (408, True), (path, sent)


def test_a_body_in_drops_is_given_up(start_gateway: Start) -> None:
    gateway = start_gateway(BODY_SILENCE_S="5", BODY_TIMEOUT_S="1")
    with connection(gateway, 0.2) as link:
        link.sendall(head("POST", "/buckets", JSON, "Content-Length: 1000"))
        begun, answer = time.monotonic(), b""
        while not answer and time.monotonic() - begun < 20:
            link.sendall(b" ")
            answer = received(link, 1)
    assert status_of(answer) == 408


def test_a_packed_body_unfolds_beside_the_event_loop(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_UNPACKED_MB="50")
    bomb = gzip.compress(bytes(100 * MB))
    with measured(gateway) as cost, gateway.http() as http:
        assert http.post("/buckets/b/points", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
        assert (
            http.post(
                "/buckets", content=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
            ).status_code
            == 413
        )
    assert cost.longest_health_wait_s < 1.5
    assert cost.cpu_s < 3


def test_an_invited_body_is_taken_and_a_small_idle_one_costs_no_connection(gateway: Gateway) -> None:
    with connection(gateway, 10) as link:
        link.sendall(head("POST", "/buckets", JSON, "Content-Length: 14", "Expect: 100-continue"))
        assert received(link, 1) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b'{"name": "ab"}')
        assert whole_answer(link) == 200
        link.sendall(head("GET", "/buckets", "Content-Length: 2") + b"{}")
        assert whole_answer(link) == 200
        link.sendall(head("GET", "/health/live", "Connection: close"))
        assert status_of(received(link)) == 200


def test_a_client_that_sends_before_it_reads_still_gets_its_answer(gateway: Gateway) -> None:
    """The connection ends only after the answer: a reset used to be able to overtake it."""
    for size in (100_000, 3 * MB, 24 * MB):
        with gateway.http() as http:
            answer = http.post("/buckets/b/points", content=bytes(size), headers={"X-API-Key": "wrong"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), size
