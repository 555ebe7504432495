"""A connector from a real InfluxDB to an endpoint that only counts, against a script of the usual parts.

Prints rows of docs/benchmarks.md.

    .venv/bin/python -m bench.forward           (about two minutes)

Values as in TSBS: measurement cpu, 100 hosts, 3 tags, 10 float fields, a time every 10 s with nanosecond jitter.
InfluxDB, the gateway, the endpoint and the script share this machine. The script sends a tenth of the values, because
all would take it minutes.
"""

import datetime as dt
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import measure
from bench.data import FIELDS, HOSTS, START, STOP, line_batches
from bench.serving import Gateway, gateway
from tests.support.servers import InfluxServer, running_influx

_VALUES = 1_000_000
_SAMPLE = 100_000
_SAMPLE_STOP = "2026-01-01T00:16:40Z"
_TURNS = 3
_SETTLED_S = 3.0
_COUNTER = """
import sys, time
from tests.support.recording_upstream import RecordingUpstream
upstream = RecordingUpstream(only_counts=True)
print(upstream.url, flush=True)
for line in sys.stdin:
    print(upstream.count, flush=True)
"""


class CountingEndpoint:
    """An endpoint in a process of its own, which counts values and keeps nothing."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = self._line()

    def count(self) -> int:
        """Values so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def counting_endpoint() -> Iterator[CountingEndpoint]:
    command = [sys.executable, "-c", _COUNTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield CountingEndpoint(process)
        finally:
            process.terminate()


class Forwarding:
    """A connector of a gateway, ordered over HTTP as an operator does; seconds as the job's row has them."""

    def __init__(self, server: Gateway, endpoint: str, bucket: str) -> None:
        self._http = httpx.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=60)
        connector = {
            "source": {"store": {"bucket": bucket}},
            "upstream": {"url": endpoint, "sensor": "{measurement}.{field}.{tag.host}"},
            "every": None,
            "window": "1h",
        }
        self._http.put("/config/connectors", json={"bench": connector}).raise_for_status()

    def run(self) -> tuple[float, dict[str, Any]]:
        """Seconds from start to end, and the result."""
        order = {"connector": "bench", "start_time": START, "end_time": STOP}
        job = self._http.post("/connector/requests", json=order).raise_for_status().json()
        while job["state"] in ("queued", "running"):
            time.sleep(0.05)
            job = self._http.get(f"/jobs/{job['id']}").raise_for_status().json()
        assert job["state"] == "succeeded", job["error"]
        begun, ended = (dt.datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
        return (ended - begun).total_seconds(), job["result"]


def usual_script(server: InfluxServer, bucket: str, endpoint: str) -> float:
    """Seconds of a whole process that sends the sample."""
    flux = f'from(bucket: "{bucket}") |> range(start: {START}, stop: {_SAMPLE_STOP})'
    command = [sys.executable, "-m", "bench.usual_forward", server.url, server.token, server.org, flux, endpoint]
    return measure.seconds(lambda: subprocess.run(command, check=True, timeout=600))


def main() -> None:
    with running_influx() as server, counting_endpoint() as endpoint, tempfile.TemporaryDirectory() as folder:
        bucket = server.new_bucket()
        for body in line_batches(1):
            server.write(bucket, body)
        time.sleep(_SETTLED_S)
        settings = {"INFLUXDB_URL": server.url, "INFLUXDB_TOKEN": server.token, "INFLUXDB_ORG": server.org}
        with gateway(Path(folder), settings) as running:
            forwarding = Forwarding(running, endpoint.url, bucket)
            forwarding.run()
            time.sleep(_SETTLED_S)
            _compare(server, bucket, endpoint, forwarding, running)


def _compare(
    server: InfluxServer,
    bucket: str,
    endpoint: CountingEndpoint,
    forwarding: Forwarding,
    running: Gateway,
) -> None:
    taken: list[float] = []
    usual: list[float] = []
    processor: list[float] = []
    with measure.PeakMemory(running.pid) as memory:
        for _ in range(_TURNS):
            before, used_before = endpoint.count(), _processor_s(running.pid)
            seconds, result = forwarding.run()
            processor.append(_processor_s(running.pid) - used_before)
            arrived = endpoint.count() - before
            assert result["accepted"] == arrived == HOSTS * len(FIELDS) * 1_000, (result, arrived)
            taken.append(seconds)
            usual.append(usual_script(server, bucket, endpoint.url))
    rate, usual_rate = _VALUES / statistics.median(taken), _SAMPLE / statistics.median(usual)
    measure.title()
    measure.row(
        "forward 1,000,000 values from InfluxDB to an endpoint that counts, JSON",
        f"{rate:,.0f} values/s ({statistics.median(processor):.1f} s of processor time in the gateway)",
        "200,000",
        rate >= 200_000,
    )
    times = rate / usual_rate
    measure.row(
        f"the same against client library, DataFrame, json and requests ({usual_rate:,.0f} values/s)",
        f"{times:.1f} times",
        "10 times",
        times >= 10,
    )
    measure.row("memory above idle", f"{memory.growth_mb:.0f} MB", "150 MB", memory.growth_mb <= 150)


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
