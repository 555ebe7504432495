"""The gateway against a real InfluxDB, and against what people use instead. Prints the rows of docs/benchmarks.md.

    .venv/bin/python -m bench.reads            (InfluxDB and the embedded store, about 10 minutes)
    .venv/bin/python -m bench.reads --quick    (one counted run of each)

One million values as in TSBS: measurement cpu, 100 hosts, 3 tags, 10 float fields, 1,000 times with
nanosecond jitter. Everything runs on this machine, so a ratio says more than a second.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from bench import measure
from bench.data import BUCKET, LONG_BUCKET, SPAN_MINUTES, START, STOP, fill
from bench.serving import Gateway, gateway
from tests.support.servers import InfluxServer, running_influx

ROWS = 1_000_000
_SETTLE_S = 20
"""For InfluxDB to end what it does after so many writes (compactions)."""
COPY_PARAMETERS = f"start={START}&stop={STOP}"


def flux(tail: str = "") -> str:
    return (
        f'from(bucket: "{BUCKET}") |> range(start: {START}, stop: {STOP})'
        f' |> filter(fn: (r) => r._measurement == "cpu"){tail}'
        ' |> drop(columns: ["_start", "_stop"])'
    )


def ask_influx(influx: InfluxServer, query: str) -> tuple[str, ...]:
    """What curl sends to InfluxDB itself."""
    body = json.dumps({"query": query, "dialect": {"annotations": ["datatype", "group", "default"]}})
    return (
        f"{influx.url}/api/v2/query?org={quote(influx.org)}",
        "-H", f"Authorization: Token {influx.token}", "-H", "Content-Type: application/json", "-d", body,
    )  # fmt: skip


def compare_with_influx(server: Gateway, influx: InfluxServer, runs: int) -> None:
    key = ("-H", f"X-API-Key: {server.key}", "-H", "Cache-Control: no-cache")
    raw = f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=raw"
    direct_url, *direct = ask_influx(influx, flux())
    taken = measure.alternate(
        {
            "direct": measure.curl(direct_url, *direct),
            "csv": measure.curl(f"{raw}&format=csv", *key),
            "json": measure.curl(f"{raw}&format=json", *key),
        },
        runs,
    )
    ratio("raw read, long CSV, against Flux by curl", taken["csv"], taken["direct"], 1.0)
    ratio("raw read, JSON, against Flux by curl", taken["json"], taken["direct"], 1.3)
    means_url, *means = ask_influx(influx, flux(" |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)"))
    taken = measure.alternate(
        {
            "direct": measure.curl(means_url, *means),
            "csv": measure.curl(f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=1m&format=csv", *key),
        },
        runs,
    )
    ratio("1-minute means, CSV, against Flux by curl", taken["csv"], taken["direct"], 1.15)


def asking(server: Gateway) -> dict[str, str]:
    """Headers of a read that the store itself answers, unpacked."""
    return {"X-API-Key": server.key, "Cache-Control": "no-cache", "Accept-Encoding": "identity"}


def ratio(what: str, ours_s: float, theirs_s: float, most: float) -> None:
    measure.row(
        what,
        f"{ours_s / theirs_s:.2f} times ({ours_s:.2f} s / {theirs_s:.2f} s)",
        f"at most {most} times",
        ours_s <= theirs_s * most,
    )


def compare_with_the_usual_script(server: Gateway, influx: InfluxServer) -> None:
    script = subprocess.Popen(
        [sys.executable, "-m", "bench.usual_script", influx.url, influx.token, influx.org, flux()]
    )
    with measure.PeakMemory(script.pid) as memory:
        theirs_s = measure.seconds(lambda: script.wait(600))
    key = asking(server)
    headers = [part for name, value in key.items() for part in ("-H", f"{name}: {value}")]
    read = measure.curl(f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=raw&format=csv", *headers)
    ours_s = measure.alternate({"ours": read}, 3)["ours"]
    with measure.PeakMemory(server.pid) as ours:
        read()
    measure.row(
        "raw CSV against the usual script, time",
        f"{theirs_s / ours_s:.0f} times faster ({theirs_s:.1f} s / {ours_s:.2f} s)",
        "at least 20 times", theirs_s >= 20 * ours_s,
    )  # fmt: skip
    share = (
        f"1/{memory.peak_mb / max(ours.growth_mb, 1):.0f} ({ours.growth_mb:.0f} MB of growth / {memory.peak_mb:.0f} MB)"
    )
    measure.row(
        "raw CSV against the usual script, memory", share, "at most 1/20", ours.growth_mb * 20 <= memory.peak_mb
    )


def memory_and_first_byte(server: Gateway, runs: int) -> None:
    for bucket, millions in ((BUCKET, 1), (LONG_BUCKET, 10)):
        url = f"{server.url}/buckets/{bucket}?start={START}&stop=2026-12-31T00:00:00Z&every=raw&format=csv"
        with measure.PeakMemory(server.pid) as memory:
            taken = [measure.first_byte(url, asking(server)) for _ in range(runs)]
        first_s, all_s, size = sorted(taken, key=lambda one: one[0] / one[1])[len(taken) // 2]
        rows = f"{millions} million rows"
        measure.row(
            f"memory growth of one read of {rows}",
            f"{memory.growth_mb:.0f} MB",
            "at most 40 MB",
            memory.growth_mb <= 40,
        )
        began = f"{first_s / all_s:.1%} of {all_s:.1f} s ({size / 1e6:.0f} MB)"
        measure.row(f"first data byte of {rows}", began, "before 10%", first_s < all_s * 0.1)


def trivial_endpoint_under_load(server: Gateway) -> None:
    key = asking(server)
    trivial = f"{server.url}/health/live"
    idle = measure.percentile(measure.latencies(trivial, key, 500), 0.99)
    stop = threading.Event()
    with four_reads(f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=raw&format=csv", key, stop):
        busy = measure.percentile(measure.latencies(trivial, key, 500, 0.01), 0.99)
    measure.row(
        "a trivial endpoint during four reads, p99",
        f"{busy / idle:.1f} times idle ({busy * 1e3:.1f} ms / {idle * 1e3:.1f} ms)",
        "at most 10 times", busy <= 10 * idle,
    )  # fmt: skip


@contextmanager
def four_reads(url: str, key: dict[str, str], stop: threading.Event) -> Iterator[None]:
    """Four `curl` processes at a time, each asking for something of its own, so that none is shared."""
    headers = [part for name, value in key.items() for part in ("-H", f"{name}: {value}")]

    def read(number: int) -> None:
        while not stop.is_set():
            measure.curl(f"{url}&limit={ROWS + number}", *headers)()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def cached_answer(server: Gateway) -> None:
    key = {"X-API-Key": server.key, "Accept-Encoding": "identity"}
    url = f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=raw&format=csv&limit=13000"
    size = len(httpx.get(url, headers=key).content)
    hit = httpx.get(url, headers=key).headers["X-Fluxgate-Cache"]
    trivial = measure.percentile(measure.latencies(f"{server.url}/health/live", key, 300), 0.5)
    cached = measure.percentile(measure.latencies(url, key, 300), 0.5)
    times = f"{cached / trivial:.1f} times the trivial one ({cached * 1e3:.2f} ms / {trivial * 1e3:.2f} ms)"
    measure.row(
        f"a cached answer of {size / 1e6:.1f} MB ({hit.split(';')[0]}), p50",
        times,
        "at most 2 times",
        cached <= 2 * trivial,
    )


def embedded_store(folder: Path, runs: int) -> None:
    with gateway(folder / "embedded", {}) as server:
        written_s = fill(BUCKET, 1, server.write)
        values = ROWS / written_s
        measure.row(
            "embedded store: ingest of line protocol over HTTP",
            f"{values / 1e3:.0f} k values/s",
            "at least 200 k",
            values >= 200_000,
        )
        key = ("-H", f"X-API-Key: {server.key}", "-H", "Cache-Control: no-cache")
        url = f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&format=csv"
        taken = measure.alternate(
            {
                "raw": measure.curl(f"{url}&every=raw", *key),
                "means": measure.curl(f"{url}&every={SPAN_MINUTES}m", *key),
            },
            runs,
        )
        measure.row(
            "embedded store: raw CSV", f"{ROWS / taken['raw'] / 1e6:.1f} M values/s", "at least 1 M", taken["raw"] <= 1
        )
        measure.row(
            "embedded store: means",
            f"{ROWS / taken['means'] / 1e6:.1f} M values/s",
            "at least 5 M",
            taken["means"] <= 0.2,
        )


def main() -> None:
    runs = 1 if "--quick" in sys.argv else measure.RUNS
    measure.title()
    with tempfile.TemporaryDirectory() as name, running_influx() as influx:
        folder = Path(name)
        settings = {"INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org}
        with gateway(folder / "gateway", settings) as server:
            fill(BUCKET, 1, server.write)
            fill(LONG_BUCKET, 10, server.write)
            time.sleep(_SETTLE_S)
            measure.first_byte(f"{server.url}/buckets/{BUCKET}?{COPY_PARAMETERS}&every=raw&limit=1000", asking(server))
            memory_and_first_byte(server, runs)
            compare_with_influx(server, influx, runs)
            compare_with_the_usual_script(server, influx)
            trivial_endpoint_under_load(server)
            cached_answer(server)
        embedded_store(folder, runs)


if __name__ == "__main__":
    main()
