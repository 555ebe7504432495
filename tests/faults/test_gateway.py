"""What a client of the whole gateway sees when the store, the link, the cache or the client itself goes away."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.gateways import KEY, Gateway, environment, running_gateway
from tests.support.proxy import End, Proxy, Toxic, bad_link
from tests.support.servers import InfluxServer, Server, free_port

RANGE = {"start": "2024-01-01T00:00:00Z", "stop": "2024-01-21T00:00:00Z", "every": "raw"}
NO_CACHE = {"Cache-Control": "no-cache"}
FORMATS = ("csv", "json", "ndjson", "parquet", "arrow")


@pytest.fixture(scope="module")
def link(influx: InfluxServer) -> Iterator[Proxy]:
    with bad_link(influx.server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def gateway(influx: InfluxServer, link: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "INFLUXDB_URL": link.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "INFLUXDB_SILENCE_TIMEOUT_S": "2",
        "INFLUXDB_CONNECT_TIMEOUT_S": "1",
        "MAX_READS": "1",
    }
    with running_gateway(tmp_path_factory.mktemp("gateway"), settings) as running:
        yield running


@pytest.fixture(autouse=True)
def clean_link(link: Proxy) -> None:
    link.become(Toxic())


def ask(gateway: Gateway, bucket: str, **parameters: str) -> httpx.Response:
    with gateway.http() as http:
        return http.get(f"/buckets/{quote(bucket, safe='')}", params={**RANGE, **parameters}, headers=NO_CACHE)


def looks_complete(body: bytes, format: str) -> bool:
    """Whether a reader of `format` that trusts the connection would take `body` for the whole answer."""
    try:
        if format == "json":
            json.loads(body)
        elif format == "parquet":
            pq.read_table(io.BytesIO(body))
        elif format == "arrow":
            pa.ipc.open_stream(body).read_all()
    except (ValueError, pa.ArrowException, OSError):
        return False
    return True


@pytest.mark.parametrize("format", FORMATS)
def test_a_read_that_breaks_never_looks_complete(gateway: Gateway, link: Proxy, filled: str, format: str) -> None:
    whole = ask(gateway, filled, format=format)
    assert whole.status_code == 200
    assert looks_complete(whole.content, format)
    whole_bytes = link.passed_bytes
    broken = 0
    for share in (0.2, 0.5, 0.8, 0.95):
        link.become(Toxic(pass_bytes=int(whole_bytes * share), end=End.RESET))
        try:
            answer = ask(gateway, filled, format=format)
        except httpx.RemoteProtocolError:
            broken += 1
            continue
        assert answer.status_code in (502, 503, 504), (
            f"{len(answer.content)} bytes and a clean end for a cut at {share}"
        )
        assert answer.headers["Content-Type"] == "application/problem+json"
        broken += 1
    assert broken == 4
    link.become(Toxic())
    assert len(ask(gateway, filled, format=format).content) == len(whole.content)


def test_the_log_says_why_a_read_broke_and_names_no_key(gateway: Gateway, link: Proxy, filled: str) -> None:
    ask(gateway, filled)
    link.become(Toxic(pass_bytes=int(link.passed_bytes * 0.9), end=End.RESET))
    with pytest.raises(httpx.RemoteProtocolError):
        ask(gateway, filled)
    time.sleep(0.2)
    log = gateway.log.read_text()
    assert "store_broken" in log
    assert "cut off" in log
    assert KEY not in log


def test_silence_of_the_store_is_504_with_what_to_do(gateway: Gateway, link: Proxy, filled: str) -> None:
    link.become(Toxic(pass_bytes=0, end=End.HANG))
    began = time.monotonic()
    answer = ask(gateway, filled)
    assert time.monotonic() - began < 10
    assert answer.status_code == 504
    assert answer.json()["code"] == "store_timeout"


def test_a_client_that_goes_away_frees_its_slot_and_its_upstream_query(
    gateway: Gateway, link: Proxy, filled: str
) -> None:
    link.become(Toxic(bytes_per_s=20_000))
    path = f"/buckets/{quote(filled, safe='')}"
    with gateway.http() as leaving, leaving.stream("GET", path, params=RANGE, headers=NO_CACHE) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw(1024)  # kept: httpx closes the connection with the iterator
        next(pieces)
        assert ask(gateway, filled, every="7h").status_code == 429
    left = time.monotonic()
    while ask(gateway, "no such bucket").status_code == 429:
        assert time.monotonic() - left < 8
        time.sleep(0.05)
    passed_bytes = link.passed_bytes
    time.sleep(0.5)
    assert link.passed_bytes == passed_bytes, "the query at the store goes on"
    link.become(Toxic())
    assert ask(gateway, filled, every="7h").status_code == 200


def test_a_client_that_leaves_before_the_first_byte_frees_its_slot_too(
    gateway: Gateway, link: Proxy, filled: str
) -> None:
    link.become(Toxic(bytes_per_s=8_000))
    with gateway.http(timeout_s=1.0) as leaving, pytest.raises(httpx.ReadTimeout):
        leaving.get(f"/buckets/{quote(filled, safe='')}", params=RANGE, headers=NO_CACHE)
    left = asked = time.monotonic()
    while ask(gateway, filled, every="30d", field="f").status_code == 429:
        time.sleep(0.05)
        asked = time.monotonic()
        assert asked - left < 8


def test_a_store_that_is_down_is_said_on_every_road_and_the_process_lives(influx: InfluxServer, tmp_path: Path) -> None:
    settings = {
        "INFLUXDB_URL": f"http://127.0.0.1:{free_port()}",
        "INFLUXDB_TOKEN": "none-of-yours",
        "INFLUXDB_ORG": "o",
    }
    with running_gateway(tmp_path, settings) as gateway, gateway.http() as http:
        for path in ("/buckets", "/buckets/x?window=1h", "/buckets/x/schema", "/telemetry/latest"):
            answer = http.get(path)
            assert answer.status_code in (502, 503), path
            assert answer.json()["code"] == "store_unavailable", path
            assert "none-of-yours" not in answer.text
        written = http.post(
            "/buckets/x/points", content="m f=1 1", headers={"Content-Type": "text/plain; charset=utf-8"}
        )
        assert written.status_code in (502, 503)
        assert http.get("/health/ready").status_code == 503
        assert http.get("/health/live").status_code == 200


def test_a_hanging_redis_changes_no_answer(
    influx: InfluxServer, filled: str, redis_server: Server, redis_url: str, tmp_path: Path
) -> None:
    settings = {
        "INFLUXDB_URL": influx.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "REDIS_URL": redis_url,
    }
    with running_gateway(tmp_path, settings) as gateway, gateway.http() as http:
        path, means = f"/buckets/{quote(filled, safe='')}", {**RANGE, "every": "1h"}
        first = http.get(path, params=means)
        assert http.get(path, params=means).content == first.content
        redis_server.freeze()
        try:
            began = time.monotonic()
            hung = http.get(path, params=means)
            assert (hung.status_code, hung.content) == (200, first.content)
            assert time.monotonic() - began < 8
        finally:
            redis_server.thaw()
        assert http.get(path, params=means).content == first.content


def test_a_second_process_on_the_embedded_store_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with running_gateway(tmp_path, {}):
        command = [sys.executable, "-m", "service", "serve", "--host", "127.0.0.1", "--port", str(free_port())]
        second = subprocess.run(
            command,
            env=environment({}, tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode != 0
    said = second.stdout + second.stderr
    assert "Traceback" not in said
    assert "process" in said


def test_an_unprotected_service_refuses_a_public_address(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "serve", "--host", "0.0.0.0", "--port", str(free_port())]
    without_key = {name: value for name, value in environment({}, tmp_path).items() if name != "API_KEY"}
    refused = subprocess.run(
        command, env=without_key, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode != 0
    assert "key" in (refused.stdout + refused.stderr).lower()
    assert "Traceback" not in refused.stdout + refused.stderr
