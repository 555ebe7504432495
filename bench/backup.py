"""Backups of a real InfluxDB, against reading the same rows raw, ingest, and `influx backup`.

Prints rows of docs/benchmarks.md.

    .venv/bin/python -m bench.backup           (about five minutes; `-m bench.backup 10000000` for ten million values)

Values as in TSBS: measurement cpu, 100 hosts, 3 tags, 10 float fields, over 30 days that ended eight days ago, with
nanosecond jitter. Server, gateway and clients share this machine.
"""

import datetime as dt
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench import measure
from bench.data import FIELDS, HOSTS, bodies_of, lines_at
from bench.serving import Gateway, gateway
from tests.support.servers import InfluxServer, influx_program, running_influx

_DAY_NS = 86_400_000_000_000
_DAYS, _AGE_DAYS = 30, 8
_TURNS = 3
_SETTLED_S = 3.0
_DASHBOARD_HZ = 5


def lines(values: int) -> list[str]:
    """`values` of them, 10 a line, over 30 days that ended eight days ago."""
    times, stop_ns = values // len(FIELDS) // HOSTS, time.time_ns() - _AGE_DAYS * _DAY_NS
    return list(lines_at(stop_ns - (times - step) * (_DAYS * _DAY_NS // times) for step in range(times)))


def ingest(server: InfluxServer, bucket: str, bodies: list[bytes]) -> float:
    """Seconds to write prepared line protocol into a new bucket."""
    server.new_bucket(bucket)
    with server.http(120) as http:
        begun = time.perf_counter()
        for body in bodies:
            http.post("/api/v2/write", params={"bucket": bucket, "precision": "ns"}, content=body).raise_for_status()
        return time.perf_counter() - begun


def raw_read(server: InfluxServer, bucket: str) -> float:
    """Seconds in which InfluxDB hands out all rows to curl.

    It answers over its faster dialect, one day at a time as a backup asks."""
    seconds = 0.0
    stop_ns = time.time_ns() - (_AGE_DAYS - 1) * _DAY_NS
    first_ns = stop_ns // _DAY_NS * _DAY_NS - (_DAYS + 1) * _DAY_NS
    for day in range(_DAYS + 2):
        start_ns = first_ns + day * _DAY_NS
        query = f"SELECT * FROM cpu WHERE time >= {start_ns} AND time < {start_ns + _DAY_NS} GROUP BY *"
        address = f"{server.url}/query?db={bucket}&epoch=ns&chunked=true"
        call = ["curl", "-sS", "-o", "/dev/null", "-G", address, "-H", f"Authorization: Token {server.token}"]
        begun = time.perf_counter()
        subprocess.run([*call, "-H", "Accept: application/csv", "--data-urlencode", f"q={query}"], check=True)
        seconds += time.perf_counter() - begun
    return seconds


class Backups:
    """Backups of a gateway, ordered over HTTP as an operator does; seconds as the job's row has them."""

    def __init__(self, server: Gateway) -> None:
        self._http = httpx.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=60)

    def run(self, path: str, order: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Seconds from start to end, and the result."""
        job = self._http.post(path, json=order).raise_for_status().json()
        while job["state"] in ("queued", "running"):
            time.sleep(0.05)
            job = self._http.get(f"/jobs/{job['id']}").raise_for_status().json()
        assert job["state"] == "succeeded", job["error"]
        begun, ended = (dt.datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
        return (ended - begun).total_seconds(), job["result"]


def dashboard(server: Gateway, bucket: str, done: threading.Event, seconds: list[float]) -> None:
    """Five reads a second of one host's day, past the cache."""
    parameters = {"window": f"{_AGE_DAYS + 2}d", "every": "10m", "tag.hostname": "host_7"}
    headers = {"X-API-Key": server.key, "Cache-Control": "no-cache"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
        while not done.wait(1 / _DASHBOARD_HZ):
            begun = time.perf_counter()
            http.get(f"/buckets/{bucket}", params=parameters).raise_for_status()
            seconds.append(time.perf_counter() - begun)


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def _settings(server: InfluxServer) -> dict[str, str]:
    token = server.token
    return {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_TOKEN": token,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_OPERATOR_TOKEN": token,
    }


def measured(values: int) -> Iterator[tuple[str, str, str]]:
    """Rows: what, measured, target."""
    folder = Path(tempfile.mkdtemp(prefix="bench-backup-"))
    with running_influx() as server, gateway(folder, _settings(server)) as service:
        backups, written = Backups(service), lines(values)
        bodies = list(bodies_of(written))
        alone = ingest(server, "plant", bodies)
        time.sleep(_SETTLED_S)
        raw = statistics.median(raw_read(server, "plant") for _ in range(_TURNS))
        firsts, result = [], {}
        with measure.PeakMemory(service.pid) as memory:
            for _ in range(_TURNS):
                shutil.rmtree(folder / "backups", ignore_errors=True)
                seconds, result = backups.run("/backup/trigger", {"buckets": ["plant"]})
                firsts.append(seconds)
        first = statistics.median(firsts)
        second = statistics.median(backups.run("/backup/trigger", {"buckets": ["plant"]})[0] for _ in range(_TURNS))
        assert result["buckets"][0]["values"] == values, result
        count = f"{values / 1e6:.0f} million values"
        yield (
            f"backup of {count}, against handing the rows out raw",
            f"{first / raw:.2f} times ({first:.2f} s / {raw:.2f} s)",
            "1.5 times",
        )
        yield f"bytes a value on disk, {count}", f"{result['bytes'] / values:.2f}", "12"
        yield "second backup with nothing new, against the first", f"{100 * second / first:.1f}% ({second:.2f} s)", "5%"
        yield f"memory growth of backups of {count}", f"{memory.growth_mb:.0f} MB", "150 MB"
        restored, outcome = backups.run("/backups/latest/restore", {"buckets": {"plant": "restored"}})
        assert outcome["state"] == "equal", outcome
        yield (
            "restore, against ingest of the same lines",
            f"{alone / restored:.2f} times its rate ({restored:.2f} s / {alone:.2f} s)",
            "0.6",
        )
        yield from _polite(service, backups, folder)
        yield from _physical(server, backups, folder)


def _polite(service: Gateway, backups: Backups, folder: Path) -> Iterator[tuple[str, str, str]]:
    quiet, busy = [], []
    for seconds, work in ((quiet, lambda: time.sleep(10)), (busy, lambda: _again(backups, folder))):
        done = threading.Event()
        thread = threading.Thread(target=dashboard, args=(service, "plant", done, seconds))
        thread.start()
        work()
        done.set()
        thread.join()
    ratio = p95(busy) / p95(quiet)
    yield (
        "five reads a second while a backup runs, p95",
        f"{ratio:.2f} times ({p95(busy) * 1e3:.0f} ms / {p95(quiet) * 1e3:.0f} ms)",
        "1.5 times",
    )


def _again(backups: Backups, folder: Path) -> None:
    """Whole backups for at least ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        shutil.rmtree(folder / "backups", ignore_errors=True)
        backups.run("/backup/trigger", {"buckets": ["plant"]})


def _physical(server: InfluxServer, backups: Backups, folder: Path) -> Iterator[tuple[str, str, str]]:
    ours = statistics.median(
        backups.run("/backup/trigger", {"kind": "physical", "buckets": ["plant"]})[0] for _ in range(_TURNS)
    )
    theirs = []
    for turn in range(_TURNS):
        call = [
            str(influx_program()),
            "backup",
            str(folder / f"cli-{turn}"),
            "--host",
            server.url,
            "--token",
            server.token,
        ]
        begun = time.perf_counter()
        subprocess.run([*call, "--org", server.org, "--bucket", "plant"], check=True, capture_output=True)
        theirs.append(time.perf_counter() - begun)
    cli = statistics.median(theirs)
    yield (
        "physical backup, against `influx backup`",
        f"{ours / cli:.2f} times ({ours:.2f} s / {cli:.2f} s)",
        "1.2 times",
    )


if __name__ == "__main__":
    print(measure.machine())
    for what, figure, target in measured(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(f"| {what} | {figure} | {target} |", flush=True)
