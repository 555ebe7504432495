"""A dependency that hangs (frozen, so that its connections stay and nothing comes) stops its own routes only."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.support import servers
from tests.support.attacks import measured
from tests.support.gateways import Gateway, environment
from tests.support.servers import InfluxServer, Server

MANY = 50
WRONG = {"X-API-Key": "fg_00000000_" + 64 * "0" + "_00000000"}
"""No key: its check is wrong."""
SOON_S = 6.0
"""For an answer that waits for nothing, on a busy machine. The hang that is tested lasts until the server is thawed."""


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@pytest.fixture
def own_influx() -> Iterator[InfluxServer]:
    with servers.running_influx() as running:
        running.write("Weather", "real_air celsius=20.5")
        yield running


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    running = servers.start_postgres()
    yield running
    running.stop()


@pytest.fixture
def own_redis() -> Iterator[Server]:
    running = servers.start_redis()
    yield running
    running.stop()


def influx_settings(influx: InfluxServer) -> dict[str, str]:
    return {
        "INFLUXDB_URL": influx.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "INFLUXDB_SILENCE_TIMEOUT_S": "12",
    }


def postgres_url(server: Server) -> str:
    return f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/postgres"


def answered(gateway: Gateway, path: str, headers: dict[str, str] | None = None) -> tuple[int, float]:
    """Status and seconds of one request."""
    begun = time.monotonic()
    with gateway.http(90) as http:
        status = http.get(path, headers=headers).status_code
    return status, time.monotonic() - begun


@contextmanager
def crowd(gateway: Gateway, path: str, count: int = MANY) -> Iterator[list[tuple[int, float]]]:
    """`count` requests at one time, begun before the block; their statuses and seconds once it has ended."""
    found: list[tuple[int, float]] = []
    with ThreadPoolExecutor(count) as threads:
        asked = [threads.submit(answered, gateway, path) for _ in range(count)]
        time.sleep(1)
        yield found
        found += [one.result() for one in asked]


def test_fifty_lists_of_buckets_over_a_frozen_influxdb_stop_nothing_else(
    own_influx: InfluxServer, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(**influx_settings(own_influx))
    with measured(gateway) as cost, frozen(own_influx.server), crowd(gateway, "/buckets") as crowded:
        for path, status, headers in (
            ("/config/coordinates", 200, None),
            ("/jobs", 200, None),
            ("/metrics", 200, None),
            ("/buckets", 401, WRONG),
            ("/health/live", 200, None),
        ):
            found, seconds = answered(gateway, path, headers)
            assert (found, path) == (status, path)
            assert seconds < SOON_S, path
        assert answered(gateway, "/health/ready")[1] < SOON_S
        with gateway.http() as http:
            ready = http.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["dependencies"]["store"]["state"] in ("slow", "down")
            assert ready.json()["dependencies"]["state"]["state"] == "up"
            busy = http.get("/buckets")
            assert busy.status_code == 503
            assert busy.json()["code"] == "dependency_busy"
            assert busy.json()["dependency"] == "store"
            assert int(busy.headers["Retry-After"]) > 0
    statuses = Counter(status for status, _ in crowded)
    assert statuses[503] >= MANY - 16
    assert cost.longest_health_wait_s < SOON_S
    with gateway.http() as http:
        listed = http.get("/buckets").raise_for_status().json()["buckets"]
        assert "Weather" in [one["name"] for one in listed]


def test_one_key_leaves_half_of_the_store_to_others(
    own_influx: InfluxServer, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(**influx_settings(own_influx))
    other = made_key(gateway, "read")
    with frozen(own_influx.server), crowd(gateway, "/buckets/Weather/schema", 20), gateway.http() as http:
        refused = http.get("/buckets/Weather/schema")
        assert "one key" in refused.json()["detail"]
        waited = http.get("/buckets/Weather/schema", headers={"X-API-Key": other})
        assert waited.json()["code"] != "dependency_busy"


def keys_command(gateway: Gateway, *arguments: str, **settings: str) -> str:
    """What `fluxgate keys` prints, as the operator runs it beside the gateway."""
    folder = gateway.log.parent
    command = [sys.executable, "-m", "service", "keys", *arguments]
    done = subprocess.run(
        command, env=environment(settings, folder), cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def made_key(gateway: Gateway, *scopes: str, **settings: str) -> str:
    return keys_command(
        gateway, "create", "--name", "other", *(part for scope in scopes for part in ("--scope", scope)), **settings
    ).splitlines()[0]


def read_path(every: str) -> str:
    return f"/buckets/Weather?window=1h&every={every}"


@pytest.mark.parametrize("end", ["frozen", "stopped"])
@pytest.mark.parametrize("store", ["influx", "embedded"])
def test_reads_go_on_with_a_known_key_when_postgresql_is_away(
    own_postgres: Server, request: pytest.FixtureRequest, start_gateway: Callable[..., Gateway], store: str, end: str
) -> None:
    state = {"STATE_DATABASE_URL": postgres_url(own_postgres)}
    if store == "influx":
        gateway = start_gateway(**state, **influx_settings(request.getfixturevalue("own_influx")))
    else:
        gateway = start_gateway(**state)
        with gateway.http() as http:
            http.post("/buckets", json={"name": "Weather"}).raise_for_status()
            http.post(
                "/buckets/Weather/points", content="real_air celsius=20.5", headers={"Content-Type": "text/plain"}
            ).raise_for_status()
    known, never_used = made_key(gateway, "read", "admin", "mirror", **state), made_key(gateway, "read", **state)
    with httpx.Client(base_url=gateway.url, headers={"X-API-Key": known}, timeout=60) as http:
        http.put("/config/coordinates", json={"latitude": 52.5, "longitude": 13.4}).raise_for_status()
        assert http.get("/telemetry/latest?lookback=1h").json()["values"]["latitude"] == 52.5
        own_postgres.freeze() if end == "frozen" else own_postgres.stop()
        try:
            time.sleep(6)  # the key is looked up again after five seconds
            begun = time.monotonic()
            for number in range(1, 11):
                assert http.get(read_path(f"{number}m")).status_code == 200
                assert http.get(f"/telemetry/latest?lookback={number}h").json()["values"]["latitude"] == 52.5
            assert time.monotonic() - begun < 25
            jobs = [answered(gateway, "/jobs", {"X-API-Key": known}) for _ in range(5)]
            assert [status for status, _ in jobs] == [503] * 5
            assert sorted(seconds for _, seconds in jobs)[2] < SOON_S
            assert http.get("/buckets/Weather/schema", headers={"X-API-Key": never_used}).status_code == 503
            assert http.get("/buckets/Weather/schema", headers=WRONG).status_code == 401
            ready = http.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["dependencies"]["state"]["state"] in ("slow", "down")
            assert ready.json()["dependencies"]["store"]["state"] == "up"
            assert answered(gateway, "/metrics", {"X-API-Key": known})[1] < 10
        finally:
            own_postgres.thaw()
        if end == "frozen":
            deadline = time.monotonic() + 20
            while http.get("/jobs").status_code != 200:
                assert time.monotonic() < deadline, "the state database is back, and jobs are not"
                time.sleep(0.2)


def test_fifty_reads_of_configuration_over_a_frozen_postgresql_stop_nothing_else(
    own_postgres: Server, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(STATE_DATABASE_URL=postgres_url(own_postgres))
    with gateway.http() as http:
        http.post("/buckets", json={"name": "Weather"}).raise_for_status()
    with frozen(own_postgres), crowd(gateway, "/config/coordinates") as crowded:
        for path, status, headers in (
            ("/buckets", 200, None),
            ("/buckets", 401, WRONG),
            ("/metrics", 200, None),
            ("/health/live", 200, None),
        ):
            found, seconds = answered(gateway, path, headers)
            assert (found, path) == (status, path)
            assert seconds < SOON_S, path
    assert {status for status, _ in crowded} == {503}
    assert max(seconds for _, seconds in crowded) < 20


def test_a_frozen_redis_stops_nothing(
    own_redis: Server, own_influx: InfluxServer, start_gateway: Callable[..., Gateway]
) -> None:
    gateway = start_gateway(REDIS_URL=f"redis://127.0.0.1:{own_redis.port}/0", **influx_settings(own_influx))
    assert answered(gateway, read_path("1m"))[0] == 200
    with frozen(own_redis), crowd(gateway, read_path("2m"), 20) as crowded:
        for path, status, headers in (
            ("/buckets", 401, WRONG),
            ("/config/coordinates", 200, None),
            ("/metrics", 200, None),
            ("/health/ready", 200, None),
            ("/buckets", 200, None),
        ):
            found, seconds = answered(gateway, path, headers)
            assert (found, path) == (status, path)
            assert seconds < SOON_S, path
    assert {status for status, _ in crowded} <= {200, 429}
    assert max(seconds for _, seconds in crowded) < 15


def test_a_key_that_was_found_revoked_is_not_trusted_while_postgresql_is_away(
    own_postgres: Server, start_gateway: Callable[..., Gateway]
) -> None:
    state = {"STATE_DATABASE_URL": postgres_url(own_postgres)}
    gateway = start_gateway(**state)
    key = made_key(gateway, "read", **state)
    assert answered(gateway, "/buckets", {"X-API-Key": key})[0] == 200
    keys_command(gateway, "revoke", key.split("_")[1], **state)
    time.sleep(5.5)
    assert answered(gateway, "/buckets", {"X-API-Key": key})[0] == 401
    with frozen(own_postgres):
        assert answered(gateway, "/buckets", {"X-API-Key": key})[0] in (401, 503)
