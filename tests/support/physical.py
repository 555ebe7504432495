"""What tests of physical backups need besides a backup rig: openers, filled buckets, and their rows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from service.archive.physical_buckets import server_shards
from service.domain.timerange import EVER
from service.errors import StoreFailed
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
    """A bucket with POINTS points of five types in as many shard groups as `days`.

    InfluxDB 2.9.1 at times disables the snapshots of a shard for good in the moment of its first write, and then hands
    it out to nobody (seen once in about 90 buckets): such a bucket is made anew.
    """
    while True:
        bucket = _written_bucket(server, days, name)
        if _is_handed_out(server, bucket):
            return bucket
        _delete_bucket(server, bucket)


def _written_bucket(server: InfluxServer, days: int, name: str | None) -> str:
    bucket = server.new_bucket(name, shard_s=86_400)
    lines = []
    for place in range(POINTS):
        time_ns = (FIRST_DAY + place % days) * DAY_NS + place
        lines.append(f'm,host=a\\ b f={place}.5,i={place}i,u={place}u,s="ä\n{place}",b=true {time_ns}')
    server.write(bucket, "\n".join(lines))
    return bucket


def _is_handed_out(server: InfluxServer, bucket: str) -> bool:
    with opener_of(server)(None) as client:
        texts: dict[str, bytes] = {}
        client.metadata(lambda part, chunks: texts.__setitem__(part.value, b"".join(chunks)))
        entry = next(entry for entry in json.loads(texts["buckets"]) if entry["bucketName"] == bucket)
        try:
            for shard in server_shards(entry):
                files = client.shard(shard.shard_id)
                assert files is not None
                for _ in files.chunks:
                    pass
        except StoreFailed:
            return False
    return True


def _delete_bucket(server: InfluxServer, name: str) -> None:
    with server.http() as http:
        [bucket] = http.get("/api/v2/buckets", params={"name": name}).raise_for_status().json()["buckets"]
        http.delete(f"/api/v2/buckets/{bucket['id']}").raise_for_status()


def rows_of(server: InfluxServer, bucket: str) -> list[object]:
    store = influx_store(server)
    try:
        return list(read(store, bucket, EVER))
    finally:
        store.close()
