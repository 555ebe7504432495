"""A soak: many clients on a gateway for a while, with one dependency frozen in turn, and what it did to the process.

The clients read, write, leave in the middle, use wrong keys, ask for telemetry and order a mirror. Requests are paced,
so that a machine of two cores has time left. Run it for an hour with `python -m tests.support.soak --minutes 60`.
"""

import argparse
import collections
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from tests.support import servers
from tests.support.attacks import MB, head
from tests.support.gateways import Gateway, running_gateway

BUCKET = "Soak, 100% \U0001f321"
PATH = "/buckets/Soak%2C%20100%25%20%F0%9F%8C%A1"
SAMPLE_EVERY_S = 2.0
FREEZE_S = 12.0
RECOVERS_WITHIN_S = 40.0
"""After a thaw: retries, circuit breakers and connection time-outs end within this time."""
NAMED = {
    (502, "store_broken"), (503, "dependency_busy"), (503, "not_ready"), (503, "store_busy"),
    (503, "store_unavailable"), (504, "store_timeout"),
}  # fmt: skip
"""Answers above 499 that may come while a dependency is frozen, and until it has recovered."""
READS = (
    "?window=1h&every=1m",
    "?window=6h&every=10m&fn=max&format=json",
    "?window=30m&every=raw&format=parquet",
    "?window=30m&every=raw&format=ndjson",
    "?window=1d&every=1h&fn=last&shape=wide",
    "?window=1h&every=5m&tz=Europe/Berlin&format=arrow",
)


_GROWTH = {"rss_mb": 80.0, "threads": 48.0, "descriptors": 32.0}
"""What may be added between the first and the last quarter.

It covers threads that outlast a freeze for a while, and what their arenas hold."""


@dataclass(frozen=True)
class Sample:
    """The process at a moment, in seconds since the beginning; `rss` in bytes."""

    at_s: float
    rss: int
    threads: int
    descriptors: int


@dataclass
class Report:
    """What was seen. `answers`: by client, status and code; `unnamed`: answers above 499 that nothing explains."""

    answers: collections.Counter[tuple[str, int, str]] = field(default_factory=collections.Counter)
    unnamed: list[str] = field(default_factory=list)
    health_waits_s: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    stored: int = 0
    jobs: collections.Counter[str] = field(default_factory=collections.Counter)
    reads_while_frozen: collections.Counter[str] = field(default_factory=collections.Counter)

    def growth(self, warm_up_s: float) -> dict[str, tuple[float, float]]:
        """Median of each measure in the first and the last quarter after the warm-up."""
        kept = [sample for sample in self.samples if sample.at_s >= warm_up_s]
        quarter = max(len(kept) // 4, 1)
        first, last = kept[:quarter], kept[-quarter:]
        measures: dict[str, Callable[[Sample], float]] = {
            "rss_mb": lambda sample: sample.rss / MB,
            "threads": lambda sample: sample.threads,
            "descriptors": lambda sample: sample.descriptors,
        }
        return {
            name: (statistics.median(map(measure, first)), statistics.median(map(measure, last)))
            for name, measure in measures.items()
        }


@dataclass
class Plant:
    """The servers of a soak, and which of them is frozen."""

    influx: servers.InfluxServer
    source: servers.InfluxServer
    redis: servers.Server
    postgres: servers.Server
    frozen: str = ""
    troubled_until: float = 0.0

    @property
    def is_troubled(self) -> bool:
        return bool(self.frozen) or time.monotonic() < self.troubled_until


class Soak:
    """Runs the clients against one gateway until `stop_at`, a moment of the monotonic clock."""

    def __init__(self, gateway: Gateway, plant: Plant, minutes: float) -> None:
        self.report = Report()
        self._gateway = gateway
        self._plant = plant
        self._begun = time.monotonic()
        self._stop_at = self._begun + minutes * 60
        self._lock = threading.Lock()

    def run(self) -> Report:
        clients = [
            *[("reader", self._read)] * 7,
            *[("writer", self._write)] * 3,
            *[("leaver", self._leave)] * 3,
            *[("intruder", self._intrude)] * 2,
            *[("poller", self._poll)] * 2,
            *[("operator", self._operate)] * 2,
            ("mirror", self._mirror),
        ]
        acts = [
            *((name, act, number) for number, (name, act) in enumerate(clients)),
            ("health", self._watch_health, 98),
        ]
        threads = [threading.Thread(target=self._client, args=act, daemon=True) for act in acts]
        threads += [threading.Thread(target=act, daemon=True) for act in (self._sample, self._freeze_in_turn)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(self._stop_at - time.monotonic(), 0) + 120)
        assert not any(thread.is_alive() for thread in threads), "a client of the soak hangs"
        self._settle()
        return self.report

    def _client(self, name: str, act: Callable[[httpx.Client, random.Random], float], number: int) -> None:
        dice = random.Random(number)
        with self._gateway.http(timeout_s=90) as http:
            while time.monotonic() < self._stop_at:
                pause_s = 1.0
                with suppress(
                    httpx.TransportError
                ):  # broken off in the middle of a freeze: counted where an answer came
                    pause_s = act(http, dice)
                time.sleep(pause_s * dice.uniform(0.5, 1.5))

    def _note(self, client: str, answer: httpx.Response, troubled: bool) -> None:
        is_problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
        code = str(answer.json().get("code")) if is_problem else ""
        with self._lock:
            self.report.answers[(client, answer.status_code, code)] += 1
            allowed = (troubled or self._plant.is_troubled) and (answer.status_code, code) in NAMED
            if answer.status_code >= 500 and not allowed:
                self.report.unnamed.append(f"{client} {answer.request.url} {answer.status_code} {answer.text[:300]}")

    def _ask(self, client: str, http: httpx.Client, path: str, method: str = "GET", **named: object) -> httpx.Response:
        troubled, frozen = self._plant.is_troubled, self._plant.frozen
        answer = http.request(method, path, **named)  # type: ignore[arg-type]
        self._note(client, answer, troubled)
        if client == "reader" and frozen and frozen == self._plant.frozen and answer.is_success:
            with self._lock:
                self.report.reads_while_frozen[frozen] += 1
        return answer

    def _read(self, http: httpx.Client, dice: random.Random) -> float:
        fresh = {"Cache-Control": "no-cache"} if dice.random() < 0.5 else {}
        self._ask("reader", http, PATH + dice.choice(READS), headers=fresh)
        return 0.5

    def _write(self, http: httpx.Client, dice: random.Random) -> float:
        begun_ns = time.time_ns() // 1_000_000 * 1_000_000 + dice.randrange(1_000_000)
        times = [begun_ns - number * 1_000_000 for number in range(100)]
        lines = "\n".join(
            f'real_pump,machine=m{t % 7} pressure={t % 1000}.5,state="on",count={t % 97}i {t}' for t in times
        )
        answer = self._ask(
            "writer", http, f"{PATH}/points", "POST", content=lines.encode(), headers={"Content-Type": "text/plain"}
        )
        if answer.is_success:
            with self._lock:
                self.report.acknowledged.update(times)
        return 0.5

    def _leave(self, _http: httpx.Client, dice: random.Random) -> float:
        """Ask for raw points and leave before, in or after the head of the answer; or send half a request."""
        parts = urlsplit(self._gateway.url)
        with suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as link:
            request = head("GET", f"{PATH}?window=1d&every=raw", "Cache-Control: no-cache")
            link.sendall(request if dice.random() < 0.8 else request[: len(request) // 2])
            if dice.random() < 0.5:
                link.recv(dice.choice((1, 500, 5000)))
            time.sleep(dice.choice((0.0, 0.01, 0.3)))
        return 0.5

    def _intrude(self, http: httpx.Client, dice: random.Random) -> float:
        key = f"fg_{dice.randrange(16**8):08x}_{dice.randrange(16**32):032x}_00000000"
        answer = self._ask(
            "intruder", http, dice.choice((PATH, "/buckets", "/jobs", "/config/mirrors")), headers={"X-API-Key": key}
        )
        if answer.status_code not in (401, 429, 503):
            self.report.unnamed.append(f"a wrong key got {answer.status_code}")
        return 1.0

    def _poll(self, http: httpx.Client, _dice: random.Random) -> float:
        self._ask("poller", http, "/telemetry/latest?lookback=5m")
        return 1.0

    def _operate(self, http: httpx.Client, dice: random.Random) -> float:
        paths = ("/buckets", f"{PATH}/schema", "/jobs", "/metrics", "/mirror", "/config/coordinates", "/openapi.json")
        self._ask("operator", http, dice.choice(paths))
        return 1.0

    def _mirror(self, http: httpx.Client, _dice: random.Random) -> float:
        now_s = time.time_ns() // 10**9
        if self._plant.frozen != "source":
            self._plant.source.write(
                "Far away", "\n".join(f"probe,place=p{n} celsius={n}.5 {now_s - n * 900}" for n in range(40)), "s"
            )
        self._ask("mirror", http, "/mirror/trigger", "POST", json={"mirror": "far"})
        return 15.0

    def _watch_health(self, http: httpx.Client, _dice: random.Random) -> float:
        begun = time.monotonic()
        answer = http.get("/health/live")
        self.report.health_waits_s.append(time.monotonic() - begun)
        if answer.status_code != 200:
            self.report.unnamed.append(f"/health/live answered {answer.status_code}")
        return 0.5

    def _sample(self) -> None:
        process = psutil.Process(self._gateway.process.pid)
        while time.monotonic() < self._stop_at:
            at_s = time.monotonic() - self._begun
            self.report.samples.append(
                Sample(at_s, process.memory_info().rss, process.num_threads(), process.num_fds())
            )
            time.sleep(SAMPLE_EVERY_S)

    def _freeze_in_turn(self) -> None:
        """Calm, then a frozen dependency, then calm until it has recovered; the last stretch is calm."""
        parts = {
            "influx": self._plant.influx.server,
            "redis": self._plant.redis,
            "postgres": self._plant.postgres,
            "source": self._plant.source.server,
        }
        pause_s = max((self._stop_at - time.monotonic()) / 60, 8.0)
        while True:
            for name, server in parts.items():
                time.sleep(pause_s)
                if time.monotonic() + FREEZE_S + RECOVERS_WITHIN_S > self._stop_at:
                    return
                self._plant.frozen = name
                server.freeze()
                time.sleep(FREEZE_S)
                self._plant.troubled_until = time.monotonic() + RECOVERS_WITHIN_S
                server.thaw()
                self._plant.frozen = ""

    def _settle(self) -> None:
        """When the load is over: every job has ended, and every acknowledged point is there."""
        with self._gateway.http(timeout_s=120) as http:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                jobs = http.get("/jobs", params={"limit": 500}).json()["jobs"]
                self.report.jobs = collections.Counter(job["state"] for job in jobs)
                if not {"queued", "running"} & set(self.report.jobs):
                    break
                time.sleep(1)
            text = http.get(
                f"{PATH}?window=1d&every=raw&field=count&format=csv", headers={"Cache-Control": "no-cache"}
            ).text
            self.report.stored = len(text.splitlines()) - 1


@contextmanager
def soaking(folder: Path, minutes: float) -> Iterator[Soak]:
    """A soak on real servers of its own: InfluxDB twice (the store, and a mirror's source), Redis and PostgreSQL."""
    with ExitStack() as running:
        influx, source = (running.enter_context(servers.running_influx()) for _ in range(2))
        redis, postgres = servers.start_redis(), servers.start_postgres()
        running.callback(postgres.stop)
        running.callback(redis.stop)
        plant = Plant(influx, source, redis, postgres)
        influx.new_bucket(BUCKET)
        source.new_bucket("Far away")
        settings = {
            "INFLUXDB_URL": influx.url, "INFLUXDB_TOKEN": influx.token, "INFLUXDB_ORG": influx.org,
            "INFLUXDB_SILENCE_TIMEOUT_S": "8",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0", "LOG_LEVEL": "warning",
            "STATE_DATABASE_URL": f"postgresql+psycopg://postgres@127.0.0.1:{postgres.port}/postgres",
        }  # fmt: skip
        gateway = running.enter_context(running_gateway(folder, settings))
        with gateway.http() as http:
            far = {
                "source": {"url": source.url, "org": source.org, "token": source.token},
                "buckets": ["Far away"],
                "schedule": None,
                "at_start": False,
            }
            http.put("/config/mirrors", json={"far": far}).raise_for_status()
        yield Soak(gateway, plant, minutes)


def failures(report: Report, warm_up_s: float) -> list[str]:
    """What a soak must not show, as sentences; empty when all is well."""
    found = (
        [f"{len(report.unnamed)} answers that nothing explains, such as: {report.unnamed[:3]}"]
        if report.unnamed
        else []
    )
    locked_out = sum(
        count
        for (client, _, code), count in report.answers.items()
        if code == "too_many_failed_tries" and client != "intruder"
    )
    if locked_out:
        found.append(f"{locked_out} requests with a valid key were locked out by wrong keys from the same address")
    if {"queued", "running"} & set(report.jobs):
        found.append(f"jobs that did not end: {dict(report.jobs)}")
    if report.stored < len(report.acknowledged):
        found.append(f"{len(report.acknowledged)} points were acknowledged and {report.stored} are there")
    if max(report.health_waits_s) > 5:
        found.append(f"/health/live took {max(report.health_waits_s):.1f} s")
    for name, (first, last) in report.growth(warm_up_s).items():
        if last > first + _GROWTH[name]:
            found.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60)
    minutes = options.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, soaking(Path(folder), minutes) as soak:
        report = soak.run()
    warm_up_s = minutes * 60 / 6
    for (client, status, code), count in sorted(report.answers.items()):
        print(f"{client:10} {status} {code:24} {count}")
    print(
        "growth:",
        report.growth(warm_up_s),
        "jobs:",
        dict(report.jobs),
        "reads while frozen:",
        dict(report.reads_while_frozen),
    )
    waits = sorted(report.health_waits_s)
    print(
        f"health: {len(waits)} answers, p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms, "
        f"longest {waits[-1] * 1000:.0f} ms"
    )
    print(f"points: {len(report.acknowledged)} acknowledged, {report.stored} stored")
    found = failures(report, warm_up_s)
    print("\n".join(found) or "all is well")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
