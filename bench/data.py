"""TSBS-like points: `cpu`, 100 hosts, 3 tags, 10 float fields, a time every 10 s with nanosecond jitter."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from service.domain.timerange import parse_time

BUCKET = "bench"
LONG_BUCKET = "bench-long"
START = "2026-01-01T00:00:00Z"
STOP = "2026-01-01T02:46:40Z"
SPAN_MINUTES = 10
FIELDS = ("user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
HOSTS = 100
LINES_A_REQUEST = 10_000
_STEP_NS = 10_000_000_000


def line_batches(millions: int) -> Iterator[bytes]:
    """`millions` times a million values as bodies of 10,000 lines, in order of time."""
    start_ns = parse_time(START, "start")
    yield from bodies_of(lines_at(start_ns + step * _STEP_NS for step in range(1_000 * millions)))


def lines_at(times_ns: Iterable[int]) -> Iterator[str]:
    """A line of each host at each time, which is jittered by less than a second. Each call gives the same values."""
    numbers = random.Random(7)
    tags = [f"cpu,host=host_{host},region=region_{host % 5},rack={host % 20}" for host in range(HOSTS)]
    for time_ns in times_ns:
        for series in tags:
            values = ",".join(f"usage_{name}={numbers.uniform(0, 100):.6f}" for name in FIELDS)
            yield f"{series} {values} {time_ns + numbers.randrange(1_000_000_000)}"


def bodies_of(lines: Iterable[str]) -> Iterator[bytes]:
    """Bodies of 10,000 lines."""
    left = iter(lines)
    while some := list(islice(left, LINES_A_REQUEST)):
        yield "\n".join(some).encode()


def fill(bucket: str, millions: int, write: Callable[[str, bytes], None]) -> float:
    """Write all batches; seconds spent in `write` alone."""
    spent_s = 0.0
    for body in line_batches(millions):
        begun = time.perf_counter()
        write(bucket, body)
        spent_s += time.perf_counter() - begun
    return spent_s
