"""What an attack costs the gateway's process, and how long others wait meanwhile.

The costs are memory, processor time, threads and descriptors.

An attack is bounded in time and sent to 127.0.0.1 alone. Measured values are asserted with wide margins: a timing of
a busy machine decides nothing, a factor of ten does.
"""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import psutil

from tests.support.gateways import KEY, Gateway

_LOOK_EVERY_S = 0.02
_PROBE_EVERY_S = 0.05
_PIECE_BYTES = 64 * 1024
MB = 1024 * 1024


@dataclass
class Cost:
    """What happened to one process and its health check between two moments. Sizes in bytes, times in seconds."""

    rss_before: int = 0
    rss_peak: int = 0
    rss_after: int = 0
    cpu_s: float = 0.0
    threads_peak: int = 0
    descriptors_peak: int = 0
    health_waits_s: list[float] = field(default_factory=list)

    @property
    def rss_growth_mb(self) -> float:
        """The highest resident memory above that at the beginning, in MB."""
        return (self.rss_peak - self.rss_before) / MB

    @property
    def longest_health_wait_s(self) -> float:
        """The longest answer of /health/live; infinite when one failed."""
        return max(self.health_waits_s, default=0.0)


@contextmanager
def measured(gateway: Gateway) -> Iterator[Cost]:
    """Watch the gateway's process while the block runs.

    Meanwhile ask /health/live on a connection of its own again and again."""
    process = psutil.Process(gateway.process.pid)
    cost = Cost(rss_before=process.memory_info().rss)
    cpu_before_s = _cpu_s(process)
    ended = threading.Event()
    watchers = [
        threading.Thread(target=act, args=(cost, ended), daemon=True)
        for act in (_watcher(process), _prober(gateway.url))
    ]
    for thread in watchers:
        thread.start()
    try:
        yield cost
    finally:
        ended.set()
        for thread in watchers:
            thread.join(60)
        cost.rss_after, cost.cpu_s = process.memory_info().rss, _cpu_s(process) - cpu_before_s


def _watcher(process: psutil.Process) -> Callable[[Cost, threading.Event], None]:
    def watch(cost: Cost, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_EVERY_S):
            cost.rss_peak = max(cost.rss_peak, process.memory_info().rss)
            cost.threads_peak = max(cost.threads_peak, process.num_threads())
            cost.descriptors_peak = max(cost.descriptors_peak, process.num_fds())

    return watch


def _prober(url: str) -> Callable[[Cost, threading.Event], None]:
    def probe(cost: Cost, ended: threading.Event) -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            while not ended.is_set():
                begun = time.perf_counter()
                try:
                    alive = http.get("/health/live").is_success
                except httpx.TransportError:
                    alive = False
                cost.health_waits_s.append(time.perf_counter() - begun if alive else float("inf"))
                ended.wait(_PROBE_EVERY_S)

    return probe


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def connection(gateway: Gateway, timeout_s: float = 30.0) -> Iterator[socket.socket]:
    """A bare connection to the gateway, for requests that no client library would send."""
    parts = urlsplit(gateway.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=timeout_s) as link:
        yield link


def head(method: str, path: str, *headers: str, key: str | None = KEY) -> bytes:
    """The bytes of a request's head, up to and with the empty line."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", *([f"X-API-Key: {key}"] if key else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` in chunked transfer coding, with its end."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def send_all(link: socket.socket, pieces: Iterable[bytes]) -> int:
    """Send until the end or until the gateway closes; the bytes that it took."""
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        for piece in pieces:
            for start in range(0, len(piece), _PIECE_BYTES):
                link.sendall(part := piece[start : start + _PIECE_BYTES])
                sent += len(part)
    return sent


def received(link: socket.socket, most_bytes: int = 64 * 1024) -> bytes:
    """What the gateway sends until it closes, is silent for the connection's time, or has sent `most_bytes`."""
    answer = bytearray()
    with contextlib.suppress(ConnectionError, TimeoutError):
        while len(answer) < most_bytes and (piece := link.recv(_PIECE_BYTES)):
            answer += piece
    return bytes(answer)


def whole_answer(link: socket.socket) -> int:
    """Read one answer to its end, and give its status; the connection can take another request."""
    with http.client.HTTPResponse(link) as answer:
        answer.begin()
        answer.read()
        return answer.status


def status_of(answer: bytes) -> int:
    """The status of a raw answer; 0 when there is none."""
    words = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
