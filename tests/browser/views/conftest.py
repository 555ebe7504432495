"""A gateway at work: buckets with points until now, a mirror of a real InfluxDB, and backups that take a while."""

import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.browser.conftest import HOSTILE
from tests.support.gateways import Gateway, running_gateway
from tests.support.servers import InfluxServer

DAYS = 12
SETTINGS = {"BACKUP_PAUSE_MS": "400", "BACKUP_CONCURRENCY": "1", "LOG_LEVEL": "warning"}


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("views"), SETTINGS) as running:
        with running.http() as http:
            http.post("/buckets", json=[{"name": name} for name in ("Power", "Quiet", *HOSTILE)]).raise_for_status()
            now_s = int(time.time())
            minutes = "\n".join(f"site,meter=a kw={n}.5 {now_s - n * 600}" for n in range(DAYS * 144))
            hostile = "\n".join(f"real_{n},device=d{n} v={n} {now_s}" for n in range(3))
            for bucket, lines in (
                ("Power", minutes),
                ("Quiet", f"site,meter=b kw=1 {now_s - 86_400 * 3}"),
                *((name, hostile) for name in HOSTILE),
            ):
                route = f"/buckets/{quote(bucket, safe='')}/points?precision=s"
                http.post(route, content=lines.encode()).raise_for_status()
        yield running


@pytest.fixture(scope="module")
def plant(influx: InfluxServer, gateway: Gateway) -> str:
    """A bucket of the InfluxDB, mirrored by `plant`: two series, once an hour for twelve days."""
    bucket = influx.new_bucket("Plant of the browser")
    now_s = int(time.time())
    lines = [f"probe,place=p{n % 2} celsius={n}.5 {now_s - n * 1800}" for n in range(DAYS * 48)]
    influx.write(bucket, "\n".join(lines), "s")
    source = {"url": influx.url, "org": influx.org, "token": influx.token}
    with gateway.http() as http:
        mirror = {"source": source, "buckets": [bucket], "schedule": None}
        http.put("/config/mirrors", json={"plant": mirror}).raise_for_status()
    return bucket
