"""Heads of requests that are too large, too slow or malformed.

The server refuses them before the application sees them.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.support.attacks import MB, connection, head, measured, received, send_all, status_of
from tests.support.gateways import Gateway, running_gateway

Start = Callable[..., Gateway]
START = b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n"
LARGE = {
    "one header of 80 MB": (431, START + b"X-A: " + b"a" * (80 * MB) + b"\r\n\r\n"),
    "a header's name of 80 MB": (431, START + b"a" * (80 * MB) + b": 1\r\n\r\n"),
    "spaces before a value": (431, START + b"X-A: " + b" " * MB + b"1\r\n\r\n"),
    "a header of 20 kB": (431, START + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n"),
    "101 headers": (431, START + b"X-A: 1\r\n" * 100 + b"\r\n"),
    "headers of 80 kB": (431, START + (b"X-A: " + b"a" * 8000 + b"\r\n") * 10 + b"\r\n"),
    "a path of 80 MB": (414, b"GET /" + b"a" * (80 * MB) + b" HTTP/1.1\r\n\r\n"),
    "a path of 20 kB": (414, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"),
}
MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "two lengths": START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths, turned": START + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two content lengths": START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a length with a sign": START + b"Content-Length: +5\r\n\r\nabcde",
    "chunked not last": START + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a space before the colon": START + b"Content-Length : 5\r\n\r\nabcde",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("gateway"), {}) as running:
        yield running


def answer_to(gateway: Gateway, sent: bytes, timeout_s: float = 15.0) -> bytes:
    with connection(gateway, timeout_s) as link:
        send_all(link, [sent])
        return received(link)


@pytest.mark.parametrize("name", LARGE)
def test_a_large_head_is_refused_before_it_is_kept(gateway: Gateway, name: str) -> None:
    """One header of 80 MB used to be taken whole, and held /health/live for seconds."""
    status, sent = LARGE[name]
    with measured(gateway) as cost:
        answer = answer_to(gateway, sent)
    assert status_of(answer) == status
    assert b"content-type: application/problem+json" in answer
    assert cost.rss_growth_mb < 20
    assert cost.longest_health_wait_s < 1.5


def test_heads_within_the_limits_are_answered(gateway: Gateway) -> None:
    sent = START + b"X-A: " + b"a" * 16_000 + b"\r\n" + b"X-B: 1\r\n" * 90 + b"Connection: close\r\n\r\n"
    assert status_of(answer_to(gateway, sent)) == 200
    assert status_of(answer_to(gateway, head("GET", "/buckets?x=" + "a" * 16_000, "Connection: close"))) in (200, 422)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_head_is_refused_and_the_connection_ends(gateway: Gateway, name: str) -> None:
    answer = answer_to(gateway, MALFORMED[name] + START + b"\r\n")
    assert (status_of(answer), answer.count(b"x-request-id: ")) == (400, 1), answer
    assert b'"code":"malformed_request"' in answer


def test_the_limits_are_settings(start_gateway: Start) -> None:
    gateway = start_gateway(
        MAX_HEADER_BYTES="1024", MAX_HEADERS="10", MAX_REQUEST_LINE_BYTES="1024", HEAD_TIMEOUT_S="0.5"
    )
    assert status_of(answer_to(gateway, START + b"X-A: " + b"a" * 1100 + b"\r\n\r\n")) == 431
    assert status_of(answer_to(gateway, START + b"X-A: 1\r\n" * 10 + b"\r\n")) == 431
    assert status_of(answer_to(gateway, b"GET /" + b"a" * 1100 + b" HTTP/1.1\r\n\r\n")) == 414
    slow = answer_to(gateway, START)
    assert (status_of(slow), b'"code":"head_timeout"' in slow) == (408, True)
    assert answer_to(gateway, b"") == b"", "a connection that says nothing is ended without a word"


def test_a_head_in_drops_is_given_up(start_gateway: Start) -> None:
    gateway = start_gateway(HEAD_TIMEOUT_S="1")
    answer = b""
    with connection(gateway, 0.2) as link:
        link.sendall(START + b"X-A: ")
        for _ in range(50):
            send_all(link, [b"a"])
            if answer := received(link, 1):
                break
    assert status_of(answer) == 408


def test_requests_in_a_row_on_one_connection_are_all_answered(gateway: Gateway) -> None:
    answer = answer_to(gateway, START + b"\r\n" + START + b"\r\n" + START + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 3


def test_a_large_head_behind_a_good_request_does_not_spoil_its_answer(gateway: Gateway) -> None:
    answer = answer_to(gateway, head("GET", "/buckets") + START + b"X-A: " + b"a" * 100_000)
    assert (status_of(answer), b'{"buckets":[]}' in answer) == (200, True)


def test_a_large_trailer_ends_the_connection(gateway: Gateway) -> None:
    trailer = START + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + b"a" * MB + b"\r\n\r\n"
    with measured(gateway) as cost:
        answer = answer_to(gateway, trailer + START + b"\r\n")
    assert (status_of(answer) in (200, 431), answer.count(b"x-request-id: ") < 3) == (True, True), answer
    assert cost.rss_growth_mb < 20


def test_a_malformed_piece_of_a_body_is_refused_at_once(gateway: Gateway) -> None:
    sent = head("POST", "/buckets/b/points", "Transfer-Encoding: chunked") + b"5\r\nm f=1\r\nzz\r\n"
    with connection(gateway, 10) as link:
        send_all(link, [sent])
        answer = received(link, 1)
    assert (status_of(answer), b'"code":"malformed_request"' in answer) == (400, True)


def test_half_a_head_behind_a_request_leaves_its_answer_alone(gateway: Gateway) -> None:
    answer = answer_to(gateway, head("GET", "/buckets") + b"GET /buckets HTTP/1.1\r\nBad Header\r\n\r\n")
    assert status_of(answer) == 200
