"""The gateway as its own process, as an operator starts it, for the benchmarks to talk to."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.servers import running_influx

KEY = "bench-key-0123456789abcdef"


@dataclass(frozen=True)
class Gateway:
    url: str
    key: str
    pid: int

    def write(self, bucket: str, body: bytes) -> None:
        """Store a body of line protocol, making the bucket when it is not there."""
        headers = {"X-API-Key": self.key, "Content-Type": "text/plain; charset=utf-8"}
        reply = httpx.post(f"{self.url}/buckets/{bucket}/points", content=body, headers=headers, timeout=60)
        if reply.status_code == 404:
            httpx.post(
                f"{self.url}/buckets", json=[{"name": bucket}], headers={"X-API-Key": self.key}
            ).raise_for_status()
            reply = httpx.post(f"{self.url}/buckets/{bucket}/points", content=body, headers=headers, timeout=60)
        reply.raise_for_status()


@contextmanager
def gateway(folder: Path, settings: Mapping[str, str]) -> Iterator[Gateway]:
    """A gateway on a free port, ready; its log in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **settings, "API_KEY": KEY, "DATA_DIR": str(folder), "LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "service", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/health/ready", folder / "gateway.log")
        yield Gateway(f"http://127.0.0.1:{port}", KEY, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def on_both_stores(measured: Callable[[Gateway, str], None]) -> None:
    """Call `measured` with a gateway and the name of its store: the embedded one, then a real InfluxDB."""
    with tempfile.TemporaryDirectory() as folder:
        with gateway(Path(folder) / "embedded", {}) as server:
            measured(server, "embedded store")
        with running_influx() as influx:
            settings = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
            with gateway(Path(folder) / "influx", settings) as server:
                measured(server, "InfluxDB")


def _await(url: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the gateway did not become ready:\n{log.read_text()}")
