"""Addresses that callers name, against a running gateway.

None leads where it must not, and no other server's words leak.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateways import IMPORTS, Gateway, environment, running_gateway
from tests.support.servers import free_port
from tests.support.upstreams import Upstream, answering, http_answer

SECRET = "hunter2-of-an-inner-server"
HOST = "rebound.test"
RESOLVER = f"""
import os, socket
_true = socket.getaddrinfo
def getaddrinfo(host, *arguments, **named):
    with open(os.environ["TEST_ADDRESS"]) as file:
        return _true(file.read().strip() if host == {HOST!r} else host, *arguments, **named)
socket.getaddrinfo = getaddrinfo
"""
"""As sitecustomize of a gateway's process: the name leads to the address that a file holds at that moment."""
Json = dict[str, Any]
Start = Callable[..., Gateway]


@pytest.fixture(scope="module")
def module_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for the tests that only change its mirror `m`."""
    with running_gateway(tmp_path_factory.mktemp("addresses"), {}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def mirror_key(module_gateway: Gateway) -> Iterator[httpx.Client]:
    """A client whose key may use mirrors, and read and write, and is no admin's."""
    with with_scopes(module_gateway, "mirror", "read", "write") as http:
        yield http


@pytest.fixture
def inner() -> Iterator[Upstream]:
    """A server beside the gateway whose answers are nobody's business."""
    with answering(http_answer(500, json.dumps({"message": SECRET}).encode())) as one:
        yield one


@pytest.fixture
def rebinding(start_gateway: Start, tmp_path: Path) -> tuple[Start, Path]:
    """Starts gateways for which HOST is at the address that a file holds, and that file."""
    (tmp_path / "resolver").mkdir()
    (tmp_path / "resolver" / "sitecustomize.py").write_text(RESOLVER)
    address = tmp_path / "address"
    address.write_text("127.0.0.1")

    def start(**settings: str) -> Gateway:
        return start_gateway(
            PYTHONPATH=f"{tmp_path / 'resolver'}{os.pathsep}{IMPORTS}", TEST_ADDRESS=str(address), **settings
        )

    return start, address


def mirror_from(url: str) -> Json:
    return {"source": {"url": url, "org": "o", "token": "the-token"}, "buckets": ["b"], "schedule": None}


def stored(gateway: Gateway, url: str) -> httpx.Response:
    with gateway.http() as http:
        return http.put("/config/mirrors", json={"m": mirror_from(url)})


@contextmanager
def with_mirror(gateway: Gateway, url: str) -> Iterator[httpx.Client]:
    """A client with every right, of a gateway whose mirror reads from `url`."""
    stored(gateway, url).raise_for_status()
    with gateway.http() as http:
        yield http


def asked(http: httpx.Client) -> httpx.Response:
    """Have the gateway connect to the mirror's source while the caller waits."""
    parameters = {"bucket": "b", "start": "2024-01-01T00:00:00Z", "stop": "2024-01-02T00:00:00Z"}
    return http.get("/mirror/m/diff", params=parameters)


def with_scopes(gateway: Gateway, *scopes: str) -> httpx.Client:
    """A client with a key of these scopes."""
    command = [
        sys.executable,
        "-m",
        "service",
        "keys",
        "create",
        "--name",
        "one",
        *(word for scope in scopes for word in ("--scope", scope)),
    ]
    folder = gateway.log.parent
    made = subprocess.run(
        command, env=environment({}, folder), cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return httpx.Client(base_url=gateway.url, headers={"X-API-Key": made.stdout.strip()}, timeout=30)


def ended(http: httpx.Client, job_id: str) -> Json:
    """The job, as soon as its first attempt is over."""
    deadline = time.monotonic() + 30
    while True:
        found: Json = http.get(f"/jobs/{job_id}").json()
        if found["error"] is not None:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254", "http://169.254.169.254:80/latest", "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]", "http://[64:ff9b::a9fe:a9fe]",
        "http://[fe80::1]", "http://0.0.0.0:8086", "http://[::]:8086", "http://224.0.0.1", "http://255.255.255.255",
        "http://2852039166", "http://0xa9fea9fe",
        "http://169.254.169.254.", "http://user:pw@127.0.0.1", "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1#@evil.example", "http://127.0.0.1?x",
        "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "http://１６９.254.169.254", "http://127.0.0.1:99999",
        "foo",
    ],
)  # fmt: skip
def test_an_address_that_leads_where_none_may_is_refused_when_it_is_configured(
    module_gateway: Gateway, url: str
) -> None:
    answer = stored(module_gateway, url)
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (
        422,
        "invalid_parameter",
        "m.source.url",
    )
    with module_gateway.http() as http:
        assert f'"{url}"' not in json.dumps(http.get("/config/mirrors").json()["value"])


def test_a_name_that_comes_to_lead_to_a_metadata_service_is_refused_when_it_is_connected_to(
    rebinding: tuple[Start, Path], inner: Upstream
) -> None:
    start, address = rebinding
    gateway = start()
    stored(gateway, f"http://{HOST}:{inner.port}").raise_for_status()
    with gateway.http() as http:
        assert (asked(http).json()["code"], len(inner.heard)) == ("store_failed", 1), (
            "while it leads to this machine it is connected to"
        )
        for text in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0"):
            address.write_text(text)
            answer = asked(http)
            assert (answer.status_code, answer.json()["code"]) == (502, "address_refused")
            assert "and such addresses are never connected to" in answer.json()["detail"]
        job = http.post("/mirror/trigger", json={"mirror": "m"}).json()["jobs"][0]
        found = ended(http, job["id"])
    assert (found["state"], found["error"]["code"], found["attempts"]) == ("failed", "address_refused", 1), (
        "time does not mend it"
    )
    assert len(inner.heard) == 1


def test_private_addresses_can_be_forbidden(rebinding: tuple[Start, Path], inner: Upstream) -> None:
    start, _ = rebinding
    gateway = start(MIRROR_PRIVATE_ADDRESSES="false")
    for url in (
        inner.url,
        f"http://localhost:{inner.port}",
        f"http://[::1]:{inner.port}",
        "http://10.0.0.1",
        "http://[fd12::1]",
    ):
        answer = stored(gateway, url)
        assert (answer.status_code, "only public addresses are allowed here" in answer.json()["detail"]) == (422, True)
    stored(gateway, f"http://{HOST}:{inner.port}").raise_for_status()
    with gateway.http() as http:
        answer = asked(http)
    assert (answer.status_code, answer.json()["code"]) == (502, "address_refused")
    assert "127.0.0.1 is loopback, and only public addresses are allowed here" in answer.json()["detail"]
    assert inner.heard == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(module_gateway: Gateway, inner: Upstream, status: int) -> None:
    for location in (f"{inner.url}/latest/meta-data", "http://169.254.169.254/latest/meta-data"):
        with (
            answering(http_answer(status, b"", f"Location: {location}")) as source,
            with_mirror(module_gateway, source.url) as http,
        ):
            answer = asked(http)
            assert (answer.status_code, answer.json()["code"]) == (502, "store_failed")
            assert (
                f"answers with a redirect ({status}), and none is followed. Set the mirror's source.url"
                in answer.json()["detail"]
            )
            assert (len(source.heard), inner.heard) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        *(
            http_answer(status, json.dumps({"message": SECRET}).encode())
            for status in (400, 401, 403, 404, 418, 429, 500, 502, 503, 504)
        ),
        http_answer(302, SECRET.encode(), f"Location: http://{SECRET}"),
        http_answer(200, SECRET.encode()),
        http_answer(200, json.dumps({"buckets": [SECRET]}).encode()),
        f"SSH-2.0-{SECRET}\r\n".encode(),
        f"HTTP/1.1 {SECRET}\r\n\r\n".encode(),
        f"HTTP/1.1 500 Said\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n".encode(),
    ],
)
def test_what_another_server_wrote_is_shown_to_admin_alone(
    module_gateway: Gateway, mirror_key: httpx.Client, answer: bytes
) -> None:
    with answering(answer) as source, with_mirror(module_gateway, source.url) as admin:
        refused = asked(mirror_key)
        assert refused.is_error
        assert SECRET not in refused.text
        assert "upstream" not in refused.json()
        assert SECRET not in asked(admin).json()["detail"]


def test_a_job_shows_what_another_server_wrote_to_admin_alone(
    module_gateway: Gateway, mirror_key: httpx.Client, inner: Upstream
) -> None:
    with with_mirror(module_gateway, inner.url) as admin:
        job = mirror_key.post("/mirror/trigger", json={"mirror": "m"}).json()["jobs"][0]["id"]
        error = ended(admin, job)["error"]
        assert (error["code"], error["upstream"]) == ("store_failed", SECRET)
        admin.post(f"/jobs/{job}/cancel").raise_for_status()
        for path in (f"/jobs/{job}", "/jobs", "/mirror", "/mirror/m", f"/jobs/{job}/events"):
            shown = mirror_key.get(path)
            assert (shown.status_code, SECRET in shown.text) == (200, False), path
        assert asked(admin).json()["upstream"] == SECRET
        assert SECRET in module_gateway.log.read_text(), "the operator finds it in the log"


def test_waits_of_a_job_show_what_another_server_wrote_to_admin_alone(
    module_gateway: Gateway, mirror_key: httpx.Client
) -> None:
    busy = http_answer(429, json.dumps({"message": SECRET}).encode(), "Retry-After: 300")
    with answering(busy) as source, with_mirror(module_gateway, source.url) as admin:
        job = mirror_key.post("/mirror/trigger", json={"mirror": "m"}).json()["jobs"][0]["id"]
        deadline = time.monotonic() + 20
        while not (lines := admin.get(f"/jobs/{job}").json()["log"]) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        lines = admin.get(f"/jobs/{job}").json()["log"]
        admin.post(f"/jobs/{job}/cancel").raise_for_status()
        assert [(line["level"], line["message"]) for line in lines if line["level"] == "upstream"] == [
            ("upstream", SECRET)
        ]
        seen = mirror_key.get(f"/jobs/{job}").json()["log"]
        assert [line["level"] for line in seen if "asks to wait 300 s" in line["message"]] == ["warning"]
        assert SECRET not in mirror_key.get(f"/jobs/{job}/events").text


def test_the_words_of_the_gateways_own_store_are_shown_to_admin_alone(start_gateway: Start, inner: Upstream) -> None:
    gateway = start_gateway(INFLUXDB_URL=inner.url, INFLUXDB_TOKEN="t", INFLUXDB_ORG="o")
    with with_scopes(gateway, "read") as reader, gateway.http() as admin:
        for path in ("/buckets", "/buckets/b?every=raw", "/telemetry/latest", "/buckets/b/schema"):
            refused = reader.get(path)
            assert (refused.is_error, SECRET in refused.text) == (True, False), path
        assert admin.get("/buckets").json()["upstream"] == SECRET
        ready = httpx.get(f"{gateway.url}/health/ready")
        assert (ready.status_code, SECRET in ready.text) == (503, False)


@pytest.mark.parametrize("name", ["INFLUXDB_URL", "CELERY_BROKER_URL"])
def test_a_setting_that_is_no_address_is_told_in_one_line_at_the_start(tmp_path: Path, name: str) -> None:
    tokens = {"INFLUXDB_TOKEN": "x", "INFLUXDB_ORG": "x"}
    command = [sys.executable, "-m", "service", "serve", "--port", str(free_port())]
    ended = subprocess.run(
        command,
        env=environment({**tokens, name: "foo"}, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert f"{name}: this is no address" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
