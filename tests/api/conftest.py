"""The application over an embedded store, on a real socket, with a clock and settings of the test's own."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import uvicorn

from service.api.deps import Parts
from service.app import create_app
from service.domain.schema import BucketSpec
from service.features.feature import Feature
from service.settings import Settings
from service.wiring import assemble
from service.wiring.features import FEATURES
from tests.support.servers import free_port

KEY = "a-key-for-tests-0123456789"
NOW_NS = 1_767_268_800_000_000_000
"""2026-01-01T12:00:00Z: what the gateway takes for now."""
Served = tuple[httpx.Client, Parts]


def settings(folder: Path, **changed: object) -> Settings:
    return Settings(_env_file=None, data_dir=folder, api_key=KEY, **changed)  # type: ignore[call-arg, arg-type]


@pytest.fixture
def serve(tmp_path: Path, serve_parts: Callable[[Parts], httpx.Client]) -> Callable[..., Served]:
    """Starts the application with settings of the test; gives a client with the full key, and the parts."""
    folders = (tmp_path / f"data{number}" for number in itertools.count())

    def start(features: Sequence[Feature] = FEATURES, **changed: object) -> Served:
        parts = assemble(settings(next(folders), **changed), features, lambda: NOW_NS)
        return serve_parts(parts), parts

    return start


@pytest.fixture
def serve_parts() -> Iterator[Callable[[Parts], httpx.Client]]:
    """Starts the application over parts that the test made; gives a client with the full key."""
    running: list[tuple[uvicorn.Server, threading.Thread, httpx.Client]] = []

    def start(parts: Parts) -> httpx.Client:
        server = uvicorn.Server(
            uvicorn.Config(create_app(parts), port=(port := free_port()), log_config=None, timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY, "Accept-Encoding": "identity"}, timeout=20
        )
        running.append((server, thread, client))
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def http(serve: Callable[..., Served]) -> httpx.Client:
    """A gateway with a bucket `Power Consumption` of two meters, once a minute from 10:00 to 11:59."""
    client, parts = serve()
    fill(client, parts)
    return client


def fill(client: httpx.Client, parts: Parts) -> None:
    parts.store.create_bucket(BucketSpec("Power Consumption", "two meters"))
    start_s = NOW_NS // 10**9 - 7200
    lines = [
        f'power,meter={meter} volts={230 + number % 3},count={number}i,mode="day" {start_s + number * 60}'
        for meter in "ab"
        for number in range(120)
    ]
    write(client, "Power%20Consumption", "\n".join(lines), precision="s").raise_for_status()


def write(client: httpx.Client, bucket: str, lines: str | bytes, **parameters: str) -> httpx.Response:
    body = lines.encode() if isinstance(lines, str) else lines
    return client.post(
        f"/buckets/{bucket}/points",
        params=parameters,
        content=body,
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
