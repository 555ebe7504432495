"""A real InfluxDB with a little data, links to it that go wrong, and mirrors to a second one."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.influx.store import InfluxStore
from tests.support.liar import Liar, lying_link
from tests.support.mirror_clouds import Benches, filled_bucket
from tests.support.proxy import Proxy, bad_link
from tests.support.rows import at
from tests.support.servers import InfluxServer, running_influx

START = at("2024-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def filled(influx: InfluxServer) -> str:
    """A bucket with 6 series of 2,000 points over three shard groups: about 400 kB of answer."""
    name = influx.new_bucket(f"Faults {secrets.token_hex(6)}")
    step_ns = 900 * 1_000_000_000
    for host in "abcdef":
        influx.write(
            name, "".join(f'm,host={host} f={n / 4},i={n}i,s="text {n}" {START + n * step_ns}\n' for n in range(2000))
        )
    return name


@pytest.fixture
def link(influx: InfluxServer) -> Iterator[Proxy]:
    with bad_link(influx.server.port) as proxy:
        yield proxy


@pytest.fixture
def liar(influx: InfluxServer) -> Iterator[Liar]:
    with lying_link(influx.server.port) as lying:
        yield lying


@pytest.fixture(scope="module")
def beyond() -> Iterator[InfluxServer]:
    """The second real server: the mirror's target."""
    with running_influx() as running:
        yield running


@pytest.fixture(scope="module")
def apart(influx: InfluxServer) -> str:
    """48,000 points in six slices with gaps between them, so that each is a group of its own: 120 kB of answer each."""
    return filled_bucket(influx, range(0, 12, 2), 2_000)


@pytest.fixture
def benches(influx: InfluxServer, beyond: InfluxServer, tmp_path: Path) -> Benches:
    return Benches(influx, beyond, tmp_path)


def store_at(
    url: str, influx: InfluxServer, *, token: str | None = None, silence_timeout_s: float = 1.0
) -> InfluxStore:
    return InfluxStore(
        url,
        token or influx.token,
        influx.org,
        connect_timeout_s=1.0,
        silence_timeout_s=silence_timeout_s,
        read_timeout_s=20.0,
    )
