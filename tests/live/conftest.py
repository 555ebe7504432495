"""The store that most of these tests ask."""

from collections.abc import Iterator

import pytest

from service.stores.influx.store import InfluxStore
from tests.support.servers import InfluxServer
from tests.support.stores import influx_store


@pytest.fixture
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    """The shared InfluxDB."""
    opened = influx_store(influx)
    yield opened
    opened.close()
