"""What one request may cost: whatever a body holds, time and memory stay bounded, and others are answered meanwhile."""

import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from service.domain.access import Scope
from tests.support.attacks import connection, head, measured, send_all
from tests.support.gateways import Gateway, running_gateway
from tests.support.other_keys import key_of_another
from tests.support.worst_bodies import LINES, POINTS

BODY_BYTES = 5_000_000
MOST_GROWTH_MB = 1_000
MOST_CPU_S = 30.0
LONGEST_HEALTH_WAIT_S = 5.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("costs")
    with running_gateway(folder, {"MAX_WRITE_MEMORY_MB": "200"}) as running:
        with running.http() as http:
            assert http.post("/buckets", json={"name": "b"}).is_success
        yield running


def write(gateway: Gateway, body: bytes, media_type: str = "text/plain", query: str = "") -> httpx.Response:
    with gateway.http(timeout_s=120) as http:
        packed = gzip.compress(body, 1)
        return http.post(
            f"/buckets/b/points{query}",
            content=packed,
            headers={"Content-Type": media_type, "Content-Encoding": "gzip"},
        )


@pytest.mark.parametrize("query", ["", "?partial=true"])
def test_twenty_million_bad_lines_in_forty_kilobytes_are_refused_at_once(gateway: Gateway, query: str) -> None:
    with measured(gateway) as cost:
        answer = write(gateway, b"x\n" * 20_000_000, query=query)
    problem = answer.json()
    assert (answer.status_code, problem["code"], len(problem["bad"])) == (422, "points_refused", 1000)
    assert problem["detail"].startswith(
        "At least 10000 lines do not parse, and after 10000 of them the rest was not looked at: nothing was stored"
    )
    assert cost.cpu_s < 10
    assert cost.rss_growth_mb < 500


@pytest.mark.parametrize("name", LINES)
def test_no_line_protocol_costs_more_than_a_write_may(gateway: Gateway, name: str) -> None:
    with measured(gateway) as cost:
        answer = write(gateway, LINES[name](BODY_BYTES))
    assert answer.status_code in (200, 413, 422), answer.text[:500]
    assert len(answer.content) < 1_000_000
    assert cost.cpu_s < MOST_CPU_S
    assert cost.rss_growth_mb < MOST_GROWTH_MB
    assert cost.longest_health_wait_s < LONGEST_HEALTH_WAIT_S


@pytest.mark.parametrize("name", POINTS)
def test_no_json_costs_more_than_a_write_may(gateway: Gateway, name: str) -> None:
    with measured(gateway) as cost:
        answer = write(gateway, POINTS[name](BODY_BYTES), "application/json")
    assert answer.status_code in (200, 400, 413, 422), answer.text[:500]
    assert len(answer.content) < 1_000_000
    assert cost.cpu_s < MOST_CPU_S
    assert cost.rss_growth_mb < MOST_GROWTH_MB
    assert cost.longest_health_wait_s < LONGEST_HEALTH_WAIT_S


def test_gzip_in_gzip_is_unpacked_once(gateway: Gateway) -> None:
    with measured(gateway) as cost:
        answer = write(gateway, gzip.compress(b"x\n" * 20_000_000))
    assert answer.status_code == 422
    assert cost.rss_growth_mb < 100


def test_a_body_of_nuls_is_named_and_not_taken_as_empty(gateway: Gateway) -> None:
    answer = write(gateway, b"\0" * 1_000_000)
    [bad] = answer.json()["bad"]
    assert (answer.status_code, bad["line"]) == (422, 1)
    assert "NUL bytes" in bad["reason"]


def test_work_for_a_client_that_left_ends(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(MAX_WRITES="1", MAX_WRITE_MEMORY_MB="4000")
    body = LINES["alternating shapes"](24_000_000)
    with gateway.http() as http:
        assert http.post("/buckets", json={"name": "b"}).is_success
    with connection(gateway) as link:
        send_all(link, [head("POST", "/buckets/b/points", f"Content-Length: {len(body)}"), body])
    process = psutil.Process(gateway.process.pid)
    deadline = time.monotonic() + 15
    while process.cpu_percent(0.5) > 20 and time.monotonic() < deadline:
        pass
    assert time.monotonic() < deadline
    with gateway.http() as http:
        assert http.get("/buckets").json()["buckets"][0]["last_point"] is None
        assert http.post("/buckets/b/points", content=b"m f=1 1\n" * 20_000).json()["stored"] == 20_000


def test_a_write_ends_when_its_time_is_over(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(WRITE_TIMEOUT_S="0.5")
    with gateway.http() as http:
        assert http.post("/buckets", json={"name": "b"}).is_success
    answer = write(gateway, LINES["alternating shapes"](20_000_000))
    assert (answer.status_code, answer.json()["code"], "Retry-After" in answer.headers) == (503, "write_timeout", True)
    assert "took longer than 0.5 seconds (WRITE_TIMEOUT_S)" in answer.json()["detail"]


def test_bodies_that_dribble_hold_up_no_writes_and_have_a_bound(start_gateway: Callable[..., Gateway]) -> None:
    """A slot was taken before the first byte: with MAX_WRITES=1 one slow body kept all large writes out."""
    gateway = start_gateway(MAX_WRITES="1")
    large = b"m f=1 1\n" * 20_000
    with gateway.http() as http, connection(gateway) as first, connection(gateway) as second:
        assert http.post("/buckets", json={"name": "b"}).is_success
        beginning = [head("POST", "/buckets/b/points", "Content-Length: 100000"), b"m f=1 1\n"]
        send_all(first, beginning)
        assert http.post("/buckets/b/points", content=large).json()["stored"] == 20_000
        send_all(second, beginning)
        time.sleep(0.5)
        refused = http.post("/buckets/b/points", content=large)
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (
            429,
            "too_many_writes",
            "1",
        )
        assert "2 writes of this key are on their way, its share of 4" in refused.json()["detail"]
        assert http.post("/buckets/b/points", content=b"m f=1 1\n").status_code == 200
        other = http.post(
            "/buckets/b/points", content=large, headers={"X-API-Key": key_of_another(gateway, Scope.WRITE)}
        )
        assert other.status_code == 200


def test_a_thousand_names_are_too_many_for_the_latest_telemetry(gateway: Gateway) -> None:
    with gateway.http() as http:
        for parameter in ("measurement", "bucket"):
            answer = http.get("/telemetry/latest", params=[(parameter, f"m{number}") for number in range(101)])
            assert (answer.status_code, answer.json()["parameter"]) == (422, parameter)


def test_a_hundred_measurements_are_one_question(gateway: Gateway) -> None:
    with gateway.http() as http, measured(gateway) as cost:
        assert (
            http.get("/telemetry/latest", params=[("measurement", f"m{number}") for number in range(100)]).status_code
            == 200
        )
    assert cost.cpu_s < 10
