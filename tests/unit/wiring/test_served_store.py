"""Wiring hands out the gateway's own store observed, and nothing else, on every road to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import service
from service.domain.endpoint import EMBEDDED, Endpoint, endpoint_at
from service.lineprotocol.parser import parse_lines
from service.settings import Settings
from service.stores.influx.store import InfluxStore
from service.stores.observed import BucketChange, ObservedStore
from service.wiring import assemble
from service.wiring.stores import ServedStore, open_served_store, opener
from tests.support.servers import InfluxServer

OWN = Endpoint(None, "", "", EMBEDDED, is_remote=False)


@pytest.fixture
def changes() -> list[BucketChange]:
    return []


@pytest.fixture
def embedded(tmp_path: Path, changes: list[BucketChange]) -> Iterator[tuple[Settings, ServedStore]]:
    settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    served = open_served_store(settings, [changes.append])
    yield settings, served
    served.store.close()


def influx_settings(influx: InfluxServer, folder: Path) -> Settings:
    return Settings(  # type: ignore[call-arg]
        _env_file=None,
        data_dir=folder,
        influxdb_url=influx.url,
        influxdb_token=influx.token,
        influxdb_org=influx.org,  # type: ignore[arg-type]
    )


def test_the_parts_hold_the_observed_store(tmp_path: Path) -> None:
    parts = assemble(Settings(_env_file=None, data_dir=tmp_path))  # type: ignore[call-arg]
    assert isinstance(parts.store, ObservedStore)
    parts.close()


def test_a_mirror_gets_the_same_store_as_the_routes(embedded: tuple[Settings, ServedStore]) -> None:
    settings, served = embedded
    with opener(settings, served)(OWN) as opened:
        assert opened.store is served.store
    served.store.ping()  # it is not closed with the run


def test_a_mirror_that_names_the_own_influxdb_by_its_url_is_observed(
    influx: InfluxServer, influx_bucket: str, tmp_path: Path, changes: list[BucketChange]
) -> None:
    settings = influx_settings(influx, tmp_path)
    served = open_served_store(settings, [changes.append])
    by_url = endpoint_at(influx.url, influx.org, influx.token)
    with opener(settings, served)(by_url) as opened:
        opened.store.write(influx_bucket, parse_lines(b"m f=1 5\n", "ns", 0).points)
    served.store.close()
    assert [change.bucket for change in changes] == [influx_bucket]


def test_another_influxdb_is_not_observed(embedded: tuple[Settings, ServedStore]) -> None:
    settings, served = embedded
    with opener(settings, served)(endpoint_at("http://far.test:8086", "org", "token")) as opened:
        assert isinstance(opened.store, InfluxStore)


def test_stores_are_made_in_one_file_alone() -> None:
    """A road around the observed store would have to make a store, or to reach into one."""
    root = Path(service.__file__).parent
    makers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name in ("EmbeddedStore", "InfluxStore", "open_served_store", "_served_store"):
                makers.add((str(path.relative_to(root)), name))
    assert makers == {
        ("wiring/stores.py", "EmbeddedStore"),
        ("wiring/stores.py", "InfluxStore"),
        ("wiring/stores.py", "_served_store"),
        ("wiring/__init__.py", "open_served_store"),
        ("writers.py", "open_served_store"),  # for a program without a gateway, and so without kept answers
    }
