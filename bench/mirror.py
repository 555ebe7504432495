"""A mirror between two real InfluxDB servers, against plain ingest and against a loop of the usual client.

Prints rows of docs/benchmarks.md.

    .venv/bin/python -m bench.mirror           (about three minutes)

Values as in TSBS: measurement cpu, 100 hosts, 3 tags, 10 float fields, over the last 30 days with nanosecond
jitter. Both servers, the gateway and the clients share this machine. What is measured begins seconds after the last
write, when the servers have put in order what they got.
"""

import datetime as dt
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import measure
from bench.data import FIELDS, HOSTS, bodies_of, lines_at
from bench.serving import Gateway, gateway
from tests.support.servers import InfluxServer, running_influx

_DAY_NS = 86_400_000_000_000
_DAYS = 30
_SAMPLE = 100_000
"""Values that the client's loop copies: a million would take it minutes."""
_TURNS = 3
_SETTLED_S = 3.0


def lines(values: int) -> list[str]:
    """`values` of them, 10 a line, spread over 30 days until now."""
    times, stop_ns = values // len(FIELDS) // HOSTS, time.time_ns()
    return list(lines_at(stop_ns - (times - step) * (_DAYS * _DAY_NS // times) for step in range(times)))


def ingest(server: InfluxServer, bucket: str, bodies: Iterable[bytes]) -> float:
    """Seconds to write prepared line protocol into a new bucket."""
    server.new_bucket(bucket)
    with server.http(120) as http:
        begun = time.perf_counter()
        for body in bodies:
            http.post("/api/v2/write", params={"bucket": bucket, "precision": "ns"}, content=body).raise_for_status()
        return time.perf_counter() - begun


class Mirroring:
    """Mirrors of a gateway, ordered over HTTP as an operator does; seconds as the job's row has them."""

    def __init__(self, server: Gateway, source: InfluxServer, target: InfluxServer) -> None:
        self._http = httpx.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=60)
        self._sides = {
            name: {"url": one.url, "org": one.org, "token": one.token}
            for name, one in (("source", source), ("target", target))
        }

    def configure(self, *buckets: str) -> None:
        mirrors = {bucket: {**self._sides, "buckets": [bucket], "schedule": None} for bucket in buckets}
        self._http.put("/config/mirrors", json=mirrors).raise_for_status()

    def run(self, bucket: str) -> tuple[float, dict[str, Any]]:
        """Seconds from start to end, and what it says of its pair."""
        job = self._http.post("/mirror/trigger", json={"mirror": bucket}).raise_for_status().json()["jobs"][0]
        while job["state"] in ("queued", "running"):
            time.sleep(0.05)
            job = self._http.get(f"/jobs/{job['id']}").raise_for_status().json()
        assert job["state"] == "succeeded", job["error"]
        begun, ended = (dt.datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
        return (ended - begun).total_seconds(), job["result"]["pairs"][0]


def speed(source: InfluxServer, target: InfluxServer, mirroring: Mirroring, written: list[str]) -> None:
    """The first run, against ingest of the same lines into the same server alone, in turn."""
    values, bodies = len(written) * len(FIELDS), list(bodies_of(written))
    names = [f"turn-{turn}" for turn in range(_TURNS)]
    alone, first, second = [], [], []
    mirroring.configure(*names)
    for name in names:
        time.sleep(_SETTLED_S)
        alone.append(ingest(target, f"alone-{name}", bodies))
        ingest(source, name, bodies)
        time.sleep(_SETTLED_S)
        spent_s, pair = mirroring.run(name)
        assert pair["copied_points"] == values, pair
        first.append(spent_s)
        time.sleep(_SETTLED_S)
        spent_s, pair = mirroring.run(name)
        assert (pair["copied_points"], pair["summed"]) == (0, 0), pair
        second.append(spent_s)
    alone_s, first_s, second_s = (sorted(times)[_TURNS // 2] for times in (alone, first, second))
    rate, most = values / first_s, values / alone_s
    measure.row(
        "first mirror of 1 million values, against ingest alone",
        f"{rate / most:.2f} times ({rate / 1000:.0f} k / {most / 1000:.0f} k values/s)",
        "at least 0.5 times", rate >= most / 2,
    )  # fmt: skip
    measure.row(
        "second run with nothing new",
        f"{100 * second_s / first_s:.1f}% of the first ({second_s:.2f} s / {first_s:.2f} s)", "under 5%",
        second_s < first_s * 0.05,
    )  # fmt: skip
    against_the_loop(source, target, written[: _SAMPLE // len(FIELDS)], rate)


def against_the_loop(source: InfluxServer, target: InfluxServer, written: list[str], rate: float) -> None:
    ingest(source, "sample", bodies_of(written))
    target.new_bucket("looped")
    arguments = [source.url, source.token, target.url, target.token, source.org, "sample", "looped"]
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench.client_loop", *arguments], check=True, timeout=600)
    loop = len(written) * len(FIELDS) / (time.perf_counter() - begun)
    told = f"{rate / loop:.0f} times ({rate / 1000:.0f} k / {loop / 1000:.1f} k values/s)"
    measure.row(
        "first mirror, against query, Point, write of the usual client", told, "at least 10 times", rate >= 10 * loop
    )


def one_late_point(source: InfluxServer, mirroring: Mirroring) -> None:
    at_ns = time.time_ns() - 5 * _DAY_NS
    source.write("turn-0", f"cpu,host=host_1,region=region_1,rack=1 usage_user=5 {at_ns}")
    _, pair = mirroring.run("turn-0")
    copied = pair["copied_slices"]
    measure.row(
        "slices copied for one late point among 30 days",
        f"{copied} ({pair['copied_points']:,} values)",
        "at most 1",
        copied <= 1,
    )


def memory(server: Gateway, source: InfluxServer, mirroring: Mirroring, millions: int) -> None:
    name = f"million-{millions}"
    ingest(source, name, bodies_of(lines(millions * 1_000_000)))
    mirroring.configure(name)
    idle_mb = psutil.Process(server.pid).memory_info().rss / 1e6
    with measure.PeakMemory(server.pid) as watched:
        spent_s, _ = mirroring.run(name)
    above = watched.peak_mb - idle_mb
    what = f"memory of a mirror of {millions} million values, above idle"
    measure.row(what, f"{above:.0f} MB ({spent_s:.1f} s)", "at most 150 MB", above <= 150)


def main() -> None:
    measure.title()
    with running_influx() as source, running_influx() as target, tempfile.TemporaryDirectory() as folder:
        with gateway(Path(folder) / "memory", {}) as server:
            for millions in (1, 5):
                memory(server, source, Mirroring(server, source, target), millions)
        with gateway(Path(folder) / "speed", {}) as server:
            mirroring = Mirroring(server, source, target)
            speed(source, target, mirroring, lines(1_000_000))
            one_late_point(source, mirroring)


if __name__ == "__main__":
    main()
