"""Reads that are begun and not taken, or left: their slots come back in time, and so does their memory."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from service.domain.access import Scope
from tests.support.attacks import MB, connection, head, received, status_of
from tests.support.gateways import Gateway
from tests.support.other_keys import key_of_another
from tests.support.servers import InfluxServer

POINTS = 300_000
READ = "/buckets/big?start=2024-01-01T00:00:00Z&stop=2024-01-20T00:00:0{}Z&every=raw&format={}"
STORES = ("embedded", "influx")


def filled(gateway: Gateway) -> None:
    """The bucket `big`: raw rows of about 50 MB as CSV, far more than any buffer on the way."""
    with gateway.http(120) as http:
        http.post("/buckets", json={"name": "big"}).raise_for_status()
        for part in range(10):
            first = part * POINTS // 10
            lines = (
                f'm,host=h{n % 20} f={n / 4},g={n / 3},s="text {n}" {1704067200 + first + n}'
                for n in range(POINTS // 10)
            )
            sent = http.post(
                "/buckets/big/points",
                params={"precision": "s"},
                content="\n".join(lines),
                headers={"Content-Type": "text/plain"},
            )
            sent.raise_for_status()


def settings_of(store: str, request: pytest.FixtureRequest) -> dict[str, str]:
    if store == "embedded":
        return {}
    influx: InfluxServer = request.getfixturevalue("influx")
    return {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}


@contextmanager
def unread(gateway: Gateway, path: str, *headers: str) -> Iterator[socket.socket]:
    """A connection that asked and takes nothing of the answer.

    Its receive buffer is small, so that the gateway notices soon."""
    parts = urlsplit(gateway.url)
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        link.settimeout(20)
        link.connect((parts.hostname, parts.port))
        link.sendall(head("GET", path, *headers))
        yield link


def seconds_until_a_read_is_answered(http: httpx.Client, most_s: float) -> float:
    begun = time.monotonic()
    while http.get("/buckets/big?start=2024-01-01T00:00:00Z&stop=2024-01-01T01:00:00Z&every=raw").status_code == 429:
        assert time.monotonic() - begun < most_s, "no slot came back"
        time.sleep(0.1)
    return time.monotonic() - begun


def ended_without_an_end(link: socket.socket) -> bool:
    """The connection is closed or reset, and the answer has no last chunk."""
    link.settimeout(5)
    answer = b""
    try:
        while piece := link.recv(65536):
            answer += piece
    except ConnectionError:
        return True
    return not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("deadlines", "setting"), [(("600", "2"), "SEND_TIMEOUT_S"), (("4", "600"), "READ_TIMEOUT_S")])
def test_two_clients_that_take_nothing_give_both_slots_back(
    start_gateway: Callable[..., Gateway],
    request: pytest.FixtureRequest,
    store: str,
    deadlines: tuple[str, str],
    setting: str,
) -> None:
    slots = {"MAX_READS": "2", "CACHE_ANSWER_MB": "1", "READ_TIMEOUT_S": deadlines[0], "SEND_TIMEOUT_S": deadlines[1]}
    gateway = start_gateway(**slots, **settings_of(store, request))
    filled(gateway)
    with ExitStack() as links, gateway.http() as http:
        stalled = [links.enter_context(unread(gateway, READ.format(number, "csv"))) for number in (1, 2)]
        time.sleep(1)
        assert http.get(READ.format(3, "csv")).status_code == 429
        assert seconds_until_a_read_is_answered(http, 15) < 15
        deadline = time.monotonic() + 15
        while (
            "fluxgate_reads_running 0.0" not in http.get("/metrics").text
        ):  # a client that began to take again would be waited for
            assert time.monotonic() < deadline, "one slot did not come back"
            time.sleep(0.1)
        assert [ended_without_an_end(link) for link in stalled] == [True, True]
    log = gateway.log.read_text()
    assert setting in log


def test_a_cached_answer_that_nobody_takes_does_not_keep_its_connection(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(SEND_TIMEOUT_S="1", CACHE_ANSWER_MB="64")
    filled(gateway)
    process = psutil.Process(gateway.process.pid)
    with ExitStack() as links, gateway.http(60) as http:
        assert http.get(READ.format(1, "csv")).status_code == 200
        assert http.get(READ.format(1, "csv")).headers["X-Fluxgate-Cache"].startswith("hit")
        quiet = process.num_fds()
        stalled = [links.enter_context(unread(gateway, READ.format(1, "csv"))) for _ in range(10)]
        time.sleep(0.5)
        assert process.num_fds() >= quiet + 10
        deadline = time.monotonic() + 10
        while process.num_fds() > quiet and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.num_fds() <= quiet
        assert all(ended_without_an_end(link) for link in stalled)


def test_a_client_that_reads_slowly_but_steadily_gets_its_whole_answer(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(SEND_TIMEOUT_S="1", CACHE_ANSWER_MB="1")
    filled(gateway)
    with unread(gateway, READ.format(1, "parquet"), "Connection: close") as link:
        answer, begun = bytearray(), time.monotonic()
        while piece := link.recv(65536):
            answer += piece
            if time.monotonic() - begun < 4:
                time.sleep(0.02)
    assert time.monotonic() - begun > 3
    assert status_of(bytes(answer)) == 200
    assert answer.endswith(b"0\r\n\r\n")


def test_memory_after_four_hundred_aborted_reads_is_where_it_was_after_one_hundred(
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway()
    filled(gateway)
    process = psutil.Process(gateway.process.pid)

    def abort(count: int) -> float:
        for number in range(count):
            with connection(gateway) as link:
                link.sendall(
                    head(
                        "GET",
                        READ.format(number % 10, ("csv", "json", "parquet")[number % 3]),
                        "Cache-Control: no-cache",
                    )
                )
                assert status_of(received(link, most_bytes=1024)) == 200
        time.sleep(3)
        return process.memory_info().rss / MB

    after_100_mb = abort(100)
    threads = process.num_threads()
    assert abort(300) - after_100_mb < 60  # 160 when answers waited for the collector
    assert process.num_threads() <= threads + 5


def test_one_key_that_takes_all_it_can_leaves_a_read_to_another(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_READS="4", CACHE_ANSWER_MB="1")
    filled(gateway)
    with ExitStack() as links, gateway.http() as http:
        for number in range(1, 4):
            links.enter_context(unread(gateway, READ.format(number, "csv")))
        time.sleep(1)
        refused = http.get(READ.format(4, "csv"))
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_reads")
        assert (
            "This key has 3 reads under way, its share of the 4 of this gateway (MAX_READS)" in refused.json()["detail"]
        )
        path = "/buckets/big?start=2024-01-01T00:00:00Z&stop=2024-01-01T01:00:00Z&every=raw"
        assert http.get(path, headers={"X-API-Key": key_of_another(gateway, Scope.READ)}).status_code == 200
