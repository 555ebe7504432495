"""What tests of physical backups need besides a backup rig: openers, filled buckets, and their rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.domain.timerange import EVER
from service.stores.influx.physical import PhysicalBackups, PhysicalOpener
from service.stores.influx.transport import Transport
from tests.support.rows import read
from tests.support.servers import InfluxServer
from tests.support.stores import influx_store

DAY_NS = 86_400_000_000_000
FIRST_DAY = 20_000
POINTS = 600
VALUES = 5 * POINTS


def opener_of(server: InfluxServer, *, url: str | None = None, token: str | None = None) -> PhysicalOpener:
    """Opens the files of `server`, or of what stands before it at `url`."""

    @contextmanager
    def open_physical(other_token: str | None) -> Iterator[PhysicalBackups]:
        key = other_token or token or server.token
        client = PhysicalBackups(Transport(url or server.url, key, server.org, silence_timeout_s=30))
        try:
            yield client
        finally:
            client.close()

    return open_physical


def filled_bucket(server: InfluxServer, days: int = 3, name: str | None = None) -> str:
    """A bucket with POINTS points of five types in as many shard groups as `days`."""
    bucket = server.new_bucket(name, shard_s=86_400)
    lines = []
    for place in range(POINTS):
        time_ns = (FIRST_DAY + place % days) * DAY_NS + place
        lines.append(f'm,host=a\\ b f={place}.5,i={place}i,u={place}u,s="ä\n{place}",b=true {time_ns}')
    server.write(bucket, "\n".join(lines))
    return bucket


def rows_of(server: InfluxServer, bucket: str) -> list[object]:
    store = influx_store(server)
    try:
        return list(read(store, bucket, EVER))
    finally:
        store.close()
