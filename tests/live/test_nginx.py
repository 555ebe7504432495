"""deploy/nginx.conf in a real nginx, in front of two real gateways: bodies, streams, events, and gateways that go."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.demanded import or_skip
from tests.support.gateways import KEY, Gateway, running_gateway
from tests.support.servers import InfluxServer, free_port, start_nginx
from tests.support.telemetry_client import events_of
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]
CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
BEGIN_NS = 1_700_000_000_000_000_000
ROWS = 250_000


@dataclass
class Site:
    """nginx, and the gateways behind it. The second one may be replaced."""

    url: str
    settings: dict[str, str]
    folder: Path
    gateways: list[Gateway]

    def http(self, **options: object) -> httpx.Client:
        headers = {"X-API-Key": KEY, "Accept-Encoding": "identity"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)  # type: ignore[arg-type]

    def requests(self, number: int) -> int:
        """How many requests a gateway has answered for nginx."""
        return self.gateways[number].log.read_text().count("path=/buckets/through/schema")


@pytest.fixture(scope="module")
def site(influx: InfluxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, ports = tmp_path_factory.mktemp("nginx"), (free_port(), free_port())
    (folder / "shared").mkdir()
    settings = {
        "INFLUXDB_URL": influx.url,
        "INFLUXDB_TOKEN": influx.token,
        "INFLUXDB_ORG": influx.org,
        "STATE_DATABASE_URL": f"sqlite:///{folder / 'shared' / 'state.db'}",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",  # away, so that jobs stay queued
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    text = CONFIGURATION.read_text()
    for written, port in zip((8001, 8002), ports, strict=True):
        assert f"server 127.0.0.1:{written} " in text
        text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        gateways = [stack.enter_context(running_gateway(folder / str(port), settings, port=port)) for port in ports]
        nginx = or_skip(lambda: start_nginx(text))
        stack.callback(nginx.stop)
        site = Site(f"http://127.0.0.1:{nginx.port}", settings, folder, gateways)
        with site.http() as http:
            http.post("/buckets", json=[{"name": "through"}]).raise_for_status()
        yield site


def test_a_large_body_goes_in_and_a_large_answer_comes_out_whole(site: Site) -> None:
    def body() -> Iterator[bytes]:
        for first in range(0, ROWS, 10_000):
            numbers = range(first, first + 10_000)
            yield b"".join(b"measurement,sensor=a value=%d.5 %d\n" % (n, BEGIN_NS + n * 1_000_000) for n in numbers)

    with site.http() as http:
        http.post("/buckets/through/points", content=body()).raise_for_status()
        query = {"start": "2023-11-14T00:00:00Z", "stop": "2023-11-15T00:00:00Z", "every": "raw", "format": "csv"}
        with http.stream("GET", "/buckets/through", params=query) as answer:
            lines = sum(piece.count(b"\n") for piece in answer.iter_raw())
        assert (answer.status_code, lines) == (200, ROWS + 1)
        refused = http.post("/buckets/through/points", content=bytes(30_000_000))
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large"), "the gateway's own words"


def test_events_pass_nginx_while_their_stream_is_open(site: Site) -> None:
    with site.http() as http:
        job_id = http.post("/backups/prune", json={"dry_run": True}).raise_for_status().json()["id"]
        with http.stream("GET", f"/jobs/{job_id}/events") as answer:
            assert next(line for line in answer.iter_lines() if line.startswith("event")) == "event: job"


def test_telemetry_passes_nginx_while_it_is_followed(site: Site) -> None:
    with site.http() as http, http.stream("GET", "/telemetry/stream?bucket=through&measurement=measurement") as answer:
        events = events_of(answer.iter_lines())
        assert next(events).data["values"] == {}
        http.post("/buckets/through/points", content=b"measurement value=1").raise_for_status()
        assert next(events).data["values"] == {"measurement": {"value": 1.0}}


def test_the_clients_own_address_reaches_the_gateway_and_not_what_it_claims(site: Site) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with site.http(transport=transport) as http:
        http.get("/health/live", headers={"X-Forwarded-For": "192.0.2.7"}).raise_for_status()
        until(lambda: any("client=127.0.0.2" in gateway.log.read_text() for gateway in site.gateways))
    assert not any("192.0.2.7" in gateway.log.read_text() for gateway in site.gateways)


def test_a_gateway_that_dies_is_not_noticed_and_is_used_again_once_it_is_back(site: Site) -> None:
    with site.http() as http:
        second = site.gateways[1]
        second.process.kill()
        second.process.wait(10)
        assert {http.get("/buckets/through/schema").status_code for _ in range(20)} == {200}
        port = int(second.url.rsplit(":", 1)[1])
        with running_gateway(site.folder / "again", site.settings, port=port) as again:
            site.gateways[1] = again

            def is_used() -> bool:
                http.get("/buckets/through/schema").raise_for_status()
                time.sleep(0.1)
                return site.requests(1) > 0

            until(is_used, 20)
            _assert_a_broken_answer_looks_broken(site, http)


def _assert_a_broken_answer_looks_broken(site: Site, http: httpx.Client) -> None:
    query = {"start": "2023-11-14T00:00:00Z", "stop": "2023-11-15T00:00:00Z", "every": "raw"}
    with pytest.raises(httpx.TransportError), http.stream("GET", "/buckets/through", params=query) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        for gateway in site.gateways:
            gateway.process.kill()
        for _ in pieces:
            pass
