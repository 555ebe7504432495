"""Connections that are opened and left: the gateway stays in reach of its health check and of others."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.attacks import connection, head, measured, received, send_all, status_of
from tests.support.gateways import Gateway

Start = Callable[..., Gateway]
BODY_TO_COME = head("POST", "/buckets", "Content-Type: application/json", "Content-Length: 100")
HALF = {"nothing": b"", "half a head": b"GET /buckets HTTP/1.1\r\nHost", "a head without its body": BODY_TO_COME}


@contextmanager
def many(gateway: Gateway, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    address = urlsplit(gateway.url)
    with ExitStack() as stack:
        links = []
        for _ in range(count):
            link = stack.enter_context(
                socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10)
            )
            send_all(link, [sent])
            links.append(link)
        yield links


@pytest.mark.parametrize("count", [150, 1000])
@pytest.mark.parametrize("name", HALF)
def test_half_open_requests_leave_room_for_others(start_gateway: Start, name: str, count: int) -> None:
    gateway = start_gateway()
    with measured(gateway) as cost, many(gateway, count, HALF[name]):
        time.sleep(0.3)
        with gateway.http() as http:
            assert http.get("/health/live").status_code == 200
            assert http.get("/buckets").json() == {"buckets": []}
    assert cost.rss_growth_mb < 50
    assert cost.descriptors_peak < 400


def test_connections_that_are_done_give_way(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_CONNECTIONS="4", KEEP_ALIVE_S="60")
    with many(gateway, 4, head("GET", "/jobs/none/events")) as links, gateway.http() as http:
        assert [status_of(received(link, 1)) for link in links] == [404] * 4
        assert http.get("/buckets").status_code == 200


def test_when_all_connections_are_at_work_health_is_still_answered(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_CONNECTIONS="3", MAX_READS="8", FLUXGATE_DEMO="1")
    ask = head("GET", "/buckets/Power%20Consumption?window=30d&every=raw", "Connection: close")
    with many(gateway, 3, ask) as links:
        assert [status_of(received(link, 1)) for link in links] == [200] * 3
        with gateway.http() as http:
            assert http.get("/health/live").status_code == 200
            full = http.get("/buckets")
        assert (full.status_code, full.json()["code"], full.headers["Retry-After"]) == (
            503,
            "too_many_connections",
            "1",
        )


def test_idle_connections_end_after_keep_alive(start_gateway: Start) -> None:
    gateway = start_gateway(KEEP_ALIVE_S="1")
    with connection(gateway, 10) as link:
        link.sendall(head("GET", "/buckets"))
        answer = received(link)
    assert answer.count(b"HTTP/1.1") == 1


def test_the_bound_on_an_address_does_not_hold_for_a_trusted_proxy(start_gateway: Start) -> None:
    gateway = start_gateway(MAX_CONNECTIONS_PER_ADDRESS="2", TRUSTED_PROXIES="127.0.0.1")
    with many(gateway, 10, b"") as links:
        time.sleep(0.3)
        for link in links:
            link.sendall(head("GET", "/buckets"))
        assert [status_of(received(link, 1)) for link in links] == [200] * 10
    strict = start_gateway(MAX_CONNECTIONS_PER_ADDRESS="2")
    with many(strict, 10, b"") as links:
        time.sleep(0.3)
        send_all(links[0], [head("GET", "/buckets")])
        assert status_of(received(links[0], 1)) in (0, 503)
        send_all(links[9], [head("GET", "/buckets")])
        assert status_of(received(links[9], 1)) == 200


def test_14000_requests_in_a_row_cost_no_more_than_their_bytes(start_gateway: Start) -> None:
    """They used to be parsed at once: 20 connections took 600 MB, and /health/live did not answer."""
    gateway = start_gateway()
    with measured(gateway) as cost, many(gateway, 20, b"GET / HTTP/1.1\r\n\r\n" * 14_000):
        time.sleep(3)
    assert cost.rss_growth_mb < 100
    assert cost.longest_health_wait_s < 5


def test_a_length_of_5000_zeros_is_none(start_gateway: Start) -> None:
    """Python reads no number of more than 4300 digits: it was 500."""
    gateway = start_gateway()
    with connection(gateway, 10) as link:
        link.sendall(head("GET", "/buckets", "Content-Length: " + "0" * 5000, "Connection: close"))
        assert status_of(received(link)) == 200
