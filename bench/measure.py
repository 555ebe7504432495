"""Measuring whole processes and requests: medians of a few alternating runs, peak memory, percentiles."""

import datetime as dt
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

RUNS = 5


def seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def alternate(acts: dict[str, Callable[[], object]], runs: int = RUNS) -> dict[str, float]:
    """Median seconds of each act, run in turn (A B A B ...) after one warm-up, so that drift hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(runs + 1):
        for name, act in acts.items():
            spent = seconds(act)
            if turn:
                taken[name].append(spent)
    return {name: statistics.median(spents) for name, spents in taken.items()}


def curl(url: str, *arguments: str) -> Callable[[], object]:
    """A whole `curl` process that writes the answer away and fails on an HTTP error."""
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", *arguments, url]
    return lambda: subprocess.run(command, check=True, timeout=300)


def first_byte(url: str, headers: dict[str, str]) -> tuple[float, float, int]:
    """Seconds to the first byte of the answer (its head leaves with the first rows), seconds in all, and bytes."""
    shown = "%{time_starttransfer} %{time_total} %{size_download}"
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", shown, *given, url]
    first, whole, size = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True).stdout.split()
    return float(first), float(whole), int(size)


class PeakMemory:
    """Largest resident size of a process tree while the block runs, in MB; of the process `alone`, if so wanted."""

    def __init__(self, pid: int, *, alone: bool = False) -> None:
        self._root = psutil.Process(pid)
        self._alone = alone
        self._done = threading.Event()
        self.before_mb = self.peak_mb = self._now_mb()

    def _now_mb(self) -> float:
        total = 0
        try:
            children = [] if self._alone else self._root.children(recursive=True)
        except psutil.NoSuchProcess:
            return 0.0
        for process in [self._root, *children]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6

    def __enter__(self) -> "PeakMemory":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak_mb = max(self.peak_mb, self._now_mb())

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def growth_mb(self) -> float:
        return self.peak_mb - self.before_mb


def latencies(url: str, headers: dict[str, str], count: int, pause_s: float = 0.0) -> list[float]:
    """Seconds of `count` requests, one after the other, on one bare connection.

    This is what the server takes, not what a client library adds."""
    address = httpx.URL(url)
    lines = [
        f"GET {address.raw_path.decode()} HTTP/1.1",
        f"Host: {address.host}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    taken = []
    with socket.create_connection((address.host, address.port or 80), 60) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in range(count + 1):
            begun = time.perf_counter()
            link.sendall(request)
            _whole_answer(link)
            if turn:
                taken.append(time.perf_counter() - begun)
            time.sleep(pause_s)
    return taken


def _whole_answer(link: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += link.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    left = length - len(body)
    while left > 0:
        left -= len(link.recv(1 << 20))


def percentile(taken: list[float], share: float) -> float:
    return sorted(taken)[min(int(len(taken) * share), len(taken) - 1)]


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    return f"{psutil.cpu_count()} cores ({model}), {psutil.virtual_memory().total / 2**30:.0f} GiB"


def title() -> None:
    """When and where, and the head of the table."""
    print(
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}, Python {sys.version.split()[0]}, "
        f"load {psutil.getloadavg()[0]:.1f}\n"
    )
    print("| what | measured | target | met |\n|---|---|---|---|")


def row(what: str, figure: str, target: str, met: bool) -> None:
    print(f"| {what} | {figure} | {target} | {'yes' if met else '**no**'} |", flush=True)
