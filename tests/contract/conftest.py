"""The stores that the contract is for: each test here runs once on every one of them."""

import secrets
from collections.abc import Iterator

import pytest

from service.domain.schema import BucketSpec
from service.stores.observed import ObservedStore
from service.stores.protocol import Store
from tests.support.stores import embedded_store, influx_store


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
