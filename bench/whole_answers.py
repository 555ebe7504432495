"""A cache of whole answers (nginx) in front of InfluxDB, beside kept windows: hits, edges, late data, time.

    .venv/bin/python -m bench.whole_answers             (some minutes)
    .venv/bin/python -m bench.whole_answers --quick     (fewer refreshes)

A dashboard asks for the last day in windows of a minute, every ten seconds of a clock that the bench moves: with exact
times, and with both ends rounded down to the minute, which is what a cache of whole answers needs for a hit. nginx
keeps what InfluxDB answers for an hour; the gateway has its defaults. Each answer is held against the one that was not
cached. Half way, points are written that are late by five minutes and by an hour: to InfluxDB, and through the gateway.
It needs nginx (Debian: nginx-light). Everything runs on this machine, so a ratio says more than a second.
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx
import uvicorn

from service.app import create_app
from service.domain.durations import SECOND_NS
from service.domain.timerange import TimeRange, format_time
from service.settings import Settings
from service.wiring import assemble
from service.wiring.features import FEATURES
from tests.support.clock import Clock
from tests.support.servers import InfluxServer, free_port, running_influx, start_nginx

NOW_NS = 1_767_312_000 * SECOND_NS
DAY_S, STEP_S, MINUTE_NS = 86_400, 10, 60 * SECOND_NS
KEY = "a-key-for-benches-0123456789"
LATE_S = {"5 minutes": 300, "1 hour": 3600}
_NGINX = """
user root;
worker_processes 1;
events {{ }}
http {{
    proxy_cache_path kept keys_zone=kept:10m max_size=2g inactive=2h;
    server {{
        listen 80;
        location / {{
            proxy_pass {url};
            client_body_buffer_size 64k;
            proxy_cache kept;
            proxy_cache_methods POST;
            proxy_cache_key "$request_uri $request_body";
            proxy_cache_valid 200 1h;
            proxy_cache_lock on;
            proxy_ignore_headers Cache-Control Expires Vary;
            add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""


def fill(influx: InfluxServer, hosts: int) -> None:
    first_s = NOW_NS // SECOND_NS - DAY_S - 600
    for begin_s in range(first_s, NOW_NS // SECOND_NS + 2400, 600):
        lines = [
            f"cpu,host=h{host} usage={(time_s * 7 + host) % 1000 / 8} {time_s}"
            for time_s in range(begin_s, begin_s + 600, STEP_S)
            for host in range(hosts)
        ]
        influx.write("bench", "\n".join(lines), "s")


class Cached(Protocol):
    """A cache as a dashboard uses it."""

    name: str

    def ask(self, span: TimeRange, *, is_plain: bool = False) -> tuple[str, bytes]:
        """What the cache says of the answer, and the answer. `is_plain`: not from the cache."""

    def write(self, line: str) -> None:
        """Write a late point the way that its users would."""

    def forget(self) -> None:
        """Drop what it kept in the run before."""


class ThroughNginx:
    """The windows in Flux, through nginx or straight."""

    name = "nginx before InfluxDB"

    def __init__(self, influx: InfluxServer, nginx_url: str, http: httpx.Client) -> None:
        self._influx = influx
        self._nginx_url = nginx_url
        self._http = http

    def ask(self, span: TimeRange, *, is_plain: bool = False) -> tuple[str, bytes]:
        query = (
            f'from(bucket: "bench") |> range(start: {format_time(span.start_ns)}, stop: {format_time(span.stop_ns)})'
            ' |> filter(fn: (r) => r._measurement == "cpu") |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)'
            ' |> drop(columns: ["_start", "_stop"])'
        )
        url = f"{self._influx.url if is_plain else self._nginx_url}/api/v2/query?org={quote(self._influx.org)}"
        headers = {"Authorization": f"Token {self._influx.token}", "Content-Type": "application/json"}
        body = json.dumps({"query": query, "dialect": {"annotations": []}})
        answer = self._http.post(url, headers=headers, content=body).raise_for_status()
        return answer.headers.get("X-Cache", "").lower(), answer.content

    def write(self, line: str) -> None:
        self._influx.write("bench", line, "s")

    def forget(self) -> None:
        """It keeps nothing that the next run asks for: the times in its queries are others."""


class ThroughGateway:
    """The same windows through the gateway. `writes_around`: late points reach InfluxDB past it."""

    def __init__(self, influx: InfluxServer, url: str, http: httpx.Client, writes_around: bool) -> None:
        self.name = f"gateway, late points {'around it' if writes_around else 'through it'}"
        self._influx = influx
        self._url = url
        self._http = http
        self._writes_around = writes_around

    def ask(self, span: TimeRange, *, is_plain: bool = False) -> tuple[str, bytes]:
        ends = {"start": format_time(span.start_ns), "stop": format_time(span.stop_ns)}
        headers = {"X-API-Key": KEY, **({"Cache-Control": "no-cache"} if is_plain else {})}
        parameters = {**ends, "every": "1m", "format": "csv"}
        answer = self._http.get(f"{self._url}/buckets/bench", params=parameters, headers=headers).raise_for_status()
        return answer.headers["X-Fluxgate-Cache"].partition(";")[0], answer.content

    def write(self, line: str) -> None:
        if self._writes_around:
            self._influx.write("bench", line, "s")
            return
        headers = {"X-API-Key": KEY, "Content-Type": "text/plain"}
        url = f"{self._url}/buckets/bench/points?precision=s"
        self._http.post(url, headers=headers, content=line).raise_for_status()

    def forget(self) -> None:
        self._http.post(f"{self._url}/cache/flush", headers={"X-API-Key": KEY}).raise_for_status()


@dataclass
class Run:
    """What was seen in one run. `shown`: after how many refreshes each late point was in the answer."""

    outcomes: dict[str, int] = field(default_factory=dict)
    spent_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)
    differing: int = 0
    behind_s: list[float] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)


def refreshes(cached: Cached, clock: Clock[int], number: int, is_rounded: bool, mark: str) -> Run:
    run, written = Run(), 0
    for step in range(number):
        clock.now += STEP_S * SECOND_NS
        if step == number // 2:
            written = step
            for name, late_s in LATE_S.items():
                cached.write(
                    f"cpu,host={mark}-{name.split()[0]}{name.split()[1]} usage=1 {clock.now // SECOND_NS - late_s}"
                )
        stop_ns = clock.now - clock.now % MINUTE_NS if is_rounded else clock.now
        span = TimeRange(stop_ns - DAY_S * SECOND_NS, stop_ns)
        begun = time.perf_counter()
        outcome, answer = cached.ask(span)
        run.spent_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        _, plain = cached.ask(span, is_plain=True)
        run.plain_s.append(time.perf_counter() - begun)
        run.outcomes[outcome] = run.outcomes.get(outcome, 0) + 1
        run.differing += answer != plain
        run.behind_s.append((clock.now - stop_ns) / SECOND_NS)
        if written:
            for name in LATE_S:
                is_there = f"{mark}-{name.replace(' ', '')}".encode() in answer
                if is_there and name not in run.shown:
                    run.shown[name] = step - written
    return run


def tell(cached: Cached, is_rounded: bool, run: Run) -> None:
    times = "rounded to the minute" if is_rounded else "exact times"
    hits = run.outcomes.get("hit", 0) / len(run.spent_s)
    spent, plain = statistics.median(run.spent_s), statistics.median(run.plain_s)
    shown = ", ".join(
        f"{name} late: " + (f"after {run.shown[name]} refreshes" if name in run.shown else "not in this run")
        for name in LATE_S
    )
    print(f"{cached.name}, {times}:")
    print(f"  whole answers from the cache: {hits:.0%} ({run.outcomes})")
    print(f"  p50 {spent * 1000:.0f} ms, not cached {plain * 1000:.0f} ms: {plain / spent:.1f} times")
    print(f"  answers that differ from the store's own: {run.differing} of {len(run.spent_s)}")
    print(f"  the end is behind the present by {statistics.mean(run.behind_s):.0f} s on average")
    print(f"  {shown}")


@contextmanager
def running_gateway(influx: InfluxServer, folder: Path, clock: Clock[int]) -> Iterator[str]:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        api_key=KEY,
        influxdb_url=influx.url,
        influxdb_token=influx.token,
        influxdb_org=influx.org,
    )
    parts = assemble(settings, FEATURES, clock)
    config = uvicorn.Config(create_app(parts), port=(port := free_port()), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def main() -> None:
    number, hosts = (24, 20) if "--quick" in sys.argv else (120, 100)
    with running_influx() as influx, tempfile.TemporaryDirectory() as folder, httpx.Client(timeout=120) as http:
        influx.new_bucket("bench")
        fill(influx, hosts)
        nginx = start_nginx(_NGINX.format(url=influx.url))
        try:
            clock: Clock[int] = Clock(NOW_NS)
            with running_gateway(influx, Path(folder), clock) as url:
                ways: list[Cached] = [
                    ThroughNginx(influx, f"http://127.0.0.1:{nginx.port}", http),
                    ThroughGateway(influx, url, http, writes_around=False),
                    ThroughGateway(influx, url, http, writes_around=True),
                ]
                for place, cached in enumerate(ways):
                    for is_rounded in (False, True):
                        cached.forget()
                        clock.now = NOW_NS + 5 * SECOND_NS
                        run = refreshes(cached, clock, number, is_rounded, f"late{place}{int(is_rounded)}")
                        tell(cached, is_rounded, run)
        finally:
            nginx.stop()


if __name__ == "__main__":
    main()
