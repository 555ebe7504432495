"""Kept windows in front of a real InfluxDB: a dashboard that refreshes, many at once, and a bound on memory.

    .venv/bin/python -m bench.cache             (some minutes)
    .venv/bin/python -m bench.cache --quick     (fewer refreshes)
    .venv/bin/python -m bench.cache --dense     (a point every second)

A day of 100 series, a point every ten seconds. The read is `window=24h&every=1m`, asked every ten seconds of a clock
that the bench moves, in one process. Everything runs on this machine, so a ratio says more than a second.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx

from service.cache.answers import AnswerCache
from service.cache.memory import MemoryCache
from service.domain.durations import SECOND_NS
from service.domain.selection import Fn, Selection, Windows
from service.domain.timerange import TimeRange, format_time
from service.encoding.encoders import PLAIN_CSV, Format, Layout, Shape, encode
from service.reads.bucket_reads import BucketReads
from service.reads.limits import ReadLimits
from service.reads.question import AskedRead, LastWindow
from service.reads.slots import Slots
from service.stores.cached.changes import Changes
from service.stores.cached.limits import CacheLimits, CacheObserver
from service.stores.cached.store import CachedStore
from service.stores.influx.store import InfluxStore
from service.stores.protocol import Store
from tests.support.clock import Clock
from tests.support.servers import InfluxServer, running_influx

NOW_NS = 1_767_312_000 * SECOND_NS
DAY_S, STEP_S, HOSTS = 86_400, 10, 100
_BOUND_MB = 8
_ON_DISK, _SETTLE_S = ("--storage-cache-snapshot-write-cold-duration=1s",), 20
"""A day of points lies on disk, as it does in a database that runs: InfluxDB writes out its memory after 10 minutes."""


def fill(influx: InfluxServer, bucket: str, step_s: int) -> None:
    first_s = NOW_NS // SECOND_NS - DAY_S - 600
    for begin_s in range(first_s, NOW_NS // SECOND_NS + 1200, 100):
        lines = [
            f"cpu,host=h{host} usage={(time_s * 7 + host) % 1000 / 8} {time_s}"
            for time_s in range(begin_s, begin_s + 100, step_s)
            for host in range(HOSTS)
        ]
        influx.write(bucket, "\n".join(lines), "s")


class Bench:
    """The store and its cached one, over one InfluxDB."""

    def __init__(self, influx: InfluxServer, cache_mb: int = 512) -> None:
        self.influx = influx
        self.clock = Clock(NOW_NS)
        self.counts: dict[str, float] = {"served": 0, "asked": 0}
        self.store = InfluxStore(influx.url, influx.token, influx.org)
        self.queries = 0
        plain_read = self.store.read

        def counted_read(selection: Selection) -> object:
            self.queries += 1
            return plain_read(selection)

        self.store.read = counted_read  # type: ignore[method-assign, assignment]
        self.cache = MemoryCache(cache_mb * 1024 * 1024, lambda: self.clock.now / 1e9)
        observer = CacheObserver(windows_served=self._count("served"), windows_asked=self._count("asked"))
        self.cached = CachedStore(self.store, self.cache, CacheLimits(), self.clock, Changes(self.cache), observer)

    def _count(self, name: str) -> Callable[[float], None]:
        def count(number: float) -> None:
            self.counts[name] += number

        return count

    def span(self) -> TimeRange:
        return TimeRange(self.clock.now - DAY_S * SECOND_NS, self.clock.now)

    def read(self, store: Store) -> bytes:
        selection = Selection("bench", self.span(), Windows(60 * SECOND_NS, Fn.MEAN))
        reading = store.read(selection)
        layout = Layout(Format.CSV, Shape.LONG, "UTC", "bench", selection.span, "1m", PLAIN_CSV)
        try:
            return b"".join(bytes(chunk) for chunk in encode(reading.blocks, reading.plan, layout, None))
        finally:
            reading.cancel()

    def direct(self) -> bytes:
        """What a dashboard without a gateway asks: the same windows in Flux, as CSV."""
        span = self.span()
        query = (
            f'from(bucket: "bench") |> range(start: {format_time(span.start_ns)}, stop: {format_time(span.stop_ns)})'
            ' |> filter(fn: (r) => r._measurement == "cpu") |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)'
            ' |> drop(columns: ["_start", "_stop"])'
        )
        url = f"{self.influx.url}/api/v2/query?org={quote(self.influx.org)}"
        headers = {"Authorization": f"Token {self.influx.token}", "Content-Type": "application/json"}
        body = json.dumps({"query": query, "dialect": {"annotations": []}})
        return httpx.post(url, headers=headers, content=body, timeout=120).raise_for_status().content

    def forget(self) -> None:
        self.cache.close()


def timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def refreshes(bench: Bench, number: int) -> None:
    bench.read(bench.cached)
    bench.counts.update(served=0, asked=0)
    spent = []
    for _ in range(number):
        bench.clock.now += STEP_S * SECOND_NS
        spent.append(timed(lambda: bench.read(bench.cached)))
    share = bench.counts["asked"] / bench.counts["served"]
    direct = [timed(bench.direct) for _ in range(5)]
    plain = [timed(lambda: bench.read(bench.store)) for _ in range(5)]
    assert bench.read(bench.cached) == bench.read(bench.store), "the cached answer is another one"
    cached_s, direct_s, plain_s = map(statistics.median, (spent, direct, plain))
    print(f"windows asked / returned over {number} refreshes: {share:.2%}")
    print(f"refresh p50: {_ms(cached_s)} cached, {_ms(plain_s)} not cached, {_ms(direct_s)} Flux")
    print(f"Flux / cached: {direct_s / cached_s:.1f}")


def full_misses(bench: Bench, number: int) -> None:
    cold, plain = [], []
    for _ in range(number):
        bench.forget()
        cold.append(timed(lambda: bench.read(bench.cached)))
        plain.append(timed(lambda: bench.read(bench.store)))
    cold_s, plain_s = statistics.median(cold), statistics.median(plain)
    print(f"full miss: {_ms(cold_s)}, no cache {_ms(plain_s)}: {cold_s / plain_s:.2f}")


def _ms(time_s: float) -> str:
    return f"{time_s * 1000:.0f} ms"


def stampede(bench: Bench, readers: int = 50) -> None:
    """Through the read service, as many browsers ask at one time."""
    answers = AnswerCache(bench.cache, 8 * 1024 * 1024, time.time)
    limits = ReadLimits(1_000_000, 600, 600, 10, 1, "real", "bench")
    reads = BucketReads(bench.cached, answers, Slots(2 * readers), limits)
    question = AskedRead("bench", LastWindow(DAY_S * SECOND_NS), every="1m").at(bench.clock.now, 1_000_000)

    def ask() -> None:
        served = reads.read(question, "key").served
        for _ in served.chunks:
            pass
        served.close()

    bench.forget()
    single_s = timed(ask)
    bench.forget()
    bench.queries = 0
    spent: list[float] = []
    threads = [threading.Thread(target=lambda: spent.append(timed(ask))) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{readers} cold requests: {bench.queries} queries; slowest {_ms(max(spent))}, one alone {_ms(single_s)}")


def memory(influx: InfluxServer) -> None:
    bench = Bench(influx, _BOUND_MB)
    for fn in (Fn.MEAN, Fn.MAX, Fn.MIN, Fn.SUM, Fn.COUNT):
        selection = Selection("bench", bench.span(), Windows(60 * SECOND_NS, fn))
        for _ in bench.cached.read(selection).blocks:
            pass
    usage = bench.cache.usage()
    bench.cached.close()
    print(f"memory: {usage.size_bytes / 1e6:.1f} MB of {usage.most_bytes / 1e6:.1f}, {usage.evictions} evictions")


def main() -> None:
    number = 30 if "--quick" in sys.argv else 120
    step_s = 1 if "--dense" in sys.argv else STEP_S
    with running_influx(*_ON_DISK) as influx:
        influx.new_bucket("bench")
        fill(influx, "bench", step_s)
        time.sleep(_SETTLE_S)
        bench = Bench(influx)
        print(f"answer: {len(bench.read(bench.store)) / 1e6:.1f} MB of CSV")
        refreshes(bench, number)
        full_misses(bench, 5)
        stampede(bench)
        memory(influx)
        bench.cached.close()


if __name__ == "__main__":
    main()
