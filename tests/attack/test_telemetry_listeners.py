"""Listeners of telemetry that read nothing, slowly, or for too long: what they cost, and how they end."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.support.attacks import MB, head, measured, received
from tests.support.gateways import Gateway
from tests.support.telemetry_client import events_of
from tests.support.waiting import until

Start = Callable[..., Gateway]
STREAM = "/telemetry/stream"
LISTENERS = 60
NAME_BYTES, FIELDS = 60_000, 150
DOCUMENT_MB = NAME_BYTES * FIELDS / MB


def fill(gateway: Gateway, value: float) -> None:
    """Write a newest value of each of some fields with very long names, so that the answer has nine megabytes."""
    with gateway.http() as http:
        for first in range(0, FIELDS, 50):
            fields = ",".join(f"{number:03}{'n' * (NAME_BYTES - 3)}={value}" for number in range(first, first + 50))
            http.post("/buckets/a/points", content=f"real_x {fields}").raise_for_status()


def listeners(gateway: Gateway, count: int, stack: ExitStack) -> Iterator[socket.socket]:
    """Connections that asked for the stream and read nothing of it, with the least room that a kernel gives them."""
    for _ in range(count):
        link = stack.enter_context(socket.socket())
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(30)
        address = urlsplit(gateway.url)
        link.connect((str(address.hostname), int(address.port or 0)))
        link.sendall(head("GET", f"{STREAM}?lookback=1h"))
        yield link


def test_clients_that_never_read_are_dropped_and_cost_no_copy_of_their_events(start_gateway: Start) -> None:
    gateway = start_gateway(SEND_TIMEOUT_S="2", TELEMETRY_STREAM_KB="20000")
    with gateway.http() as http:
        http.post("/buckets", json=[{"name": "a"}]).raise_for_status()
        fill(gateway, 1.0)
        http.get("/telemetry/latest?lookback=1h").raise_for_status()
        with ExitStack() as stack, http.stream("GET", f"{STREAM}?lookback=1h") as reading:
            events = events_of(reading.iter_lines())
            assert next(events).name == "state"
            with measured(gateway) as cost:
                links = list(listeners(gateway, LISTENERS, stack))
                dropped = "reason='the client read nothing within SEND_TIMEOUT_S'"
                until(lambda: gateway.log.read_text(errors="replace").count(dropped) == LISTENERS, 60)
            assert len(links) == LISTENERS
            fill(gateway, 2.0)
            assert next(event for event in events if event.name == "change"), "others are served meanwhile"
            assert http.get("/health/live").status_code == 200
    assert cost.rss_growth_mb < LISTENERS * DOCUMENT_MB / 2
    with gateway.http() as http:
        until(lambda: "fluxgate_telemetry_stream_listeners 0.0" in http.get("/metrics").text)


def test_a_client_that_reads_by_drops_is_dropped_too(start_gateway: Start) -> None:
    gateway = start_gateway(READ_TIMEOUT_S="3", TELEMETRY_STREAM_KB="20000")
    with gateway.http() as http, ExitStack() as stack:
        http.post("/buckets", json=[{"name": "a"}]).raise_for_status()
        fill(gateway, 1.0)
        [link] = listeners(gateway, 1, stack)
        deadline_s = time.monotonic() + 60
        while "telemetry listener dropped" not in gateway.log.read_text(errors="replace"):
            assert time.monotonic() < deadline_s
            assert received(link, 1024)
            time.sleep(0.05)
        assert "READ_TIMEOUT_S" in gateway.log.read_text(errors="replace")


def test_a_gateway_that_drains_goes_on_and_says_goodbye_when_it_ends(start_gateway: Start) -> None:
    gateway = start_gateway(DRAIN_S="1.5", SHUTDOWN_GRACE_S="60", TELEMETRY_STREAM_S="0.2")
    with gateway.http() as http, http.stream("GET", STREAM) as answer:
        events = events_of(answer.iter_lines())
        next(events)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: http.get("/health/ready").status_code == 503)
        http.put("/config/coordinates", json={"latitude": 1.5}).raise_for_status()
        assert next(events).data["values"] == {"latitude": 1.5}
        assert [(event.name, event.data["code"]) for event in events] == [("end", "server_ends")]
    gateway.process.wait(30)  # and not for the minute that it would wait for a running request
