"""How a gateway ends: it first says that it is no longer ready, then finishes what runs, then goes."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.gateways import running_gateway
from tests.support.waiting import until

pytestmark = pytest.mark.live


def ready(http: httpx.Client) -> tuple[int, str]:
    answer = http.get("/health/ready")
    return answer.status_code, answer.json()["status"]


def test_a_gateway_that_drains_is_not_ready_and_still_serves_until_its_time_is_over(tmp_path: Path) -> None:
    with running_gateway(tmp_path, {"DRAIN_S": "3"}) as gateway, gateway.http() as http:
        assert ready(http) == (200, "ready")
        began_s = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: ready(http) == (503, "draining"))
        with gateway.http() as newcomer:
            assert newcomer.get("/buckets").status_code == 200, "a new connection"
        gateway.process.wait(20)
        assert time.monotonic() - began_s >= 3
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{gateway.url}/health/live", timeout=2)


def test_a_second_signal_ends_the_draining(tmp_path: Path) -> None:
    with running_gateway(tmp_path, {"DRAIN_S": "600"}) as gateway, gateway.http() as http:
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: ready(http) == (503, "draining"))
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(20)


def test_a_running_request_has_the_grace_that_was_set_and_no_more(tmp_path: Path) -> None:
    """A body that never ends holds its request for ever."""
    began, ended, outcomes = threading.Event(), threading.Event(), []

    def endless() -> Iterator[bytes]:
        yield b"m v=1 1700000000000000000\n"
        began.set()
        ended.wait(60)

    with running_gateway(tmp_path, {"SHUTDOWN_GRACE_S": "1"}) as gateway, gateway.http() as http:
        http.post("/buckets", json=[{"name": "b"}]).raise_for_status()

        def write() -> None:
            try:
                outcomes.append(http.post("/buckets/b/points", content=endless()).is_success)
            except httpx.TransportError:
                outcomes.append(False)

        writer = threading.Thread(target=write)
        writer.start()
        assert began.wait(20)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(15)
        ended.set()
        writer.join(20)
    assert outcomes == [False]
