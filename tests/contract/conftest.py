"""The stores that the contract is for: each test here runs once on every one of them."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.stores.observed import ObservedStore
from service.stores.protocol import Store
from tests.support.servers import InfluxServer


def embedded_store(path: Path) -> Store:
    from service.stores.embedded.store import EmbeddedStore

    return EmbeddedStore(path, memory_mb=256, threads=2, shard_ns=parse_duration("1w", "shard"), clock=time.time_ns)


def influx_store(influx: InfluxServer) -> Store:
    from service.stores.influx.store import InfluxStore

    return InfluxStore(influx.url, influx.token, influx.org, connect_timeout_s=5, silence_timeout_s=30, read_timeout_s=60)


@pytest.fixture(scope="session", params=["embedded", "influx"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store as wiring hands out the gateway's own one: observed."""
    if request.param == "embedded":
        opened: Store = embedded_store(tmp_path_factory.mktemp("embedded") / "store.duckdb")
    else:
        opened = influx_store(request.getfixturevalue("influx"))
    yield ObservedStore(opened, [])
    opened.close()


@pytest.fixture
def bucket(store: Store) -> str:
    """A fresh, empty bucket that keeps everything."""
    name = f"Contract {secrets.token_hex(6)}"
    assert store.create_bucket(BucketSpec(name)) is True
    return name
