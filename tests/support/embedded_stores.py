"""Stores for these tests, with a clock that stands still, and Points made from plain columns."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec, FieldType
from service.domain.series import FieldSeries, SeriesKey
from service.frames.points import Points, ValueColumn
from service.lineprotocol.parser import parse_lines
from service.stores.embedded.store import EmbeddedStore
from tests.support.clock import Clock

WEEK_NS = parse_duration("1w", "shard")
NOON = 1_704_110_400_000_000_000
"""2024-01-01T12:00:00Z, a Monday: the first day of its shard group."""
BUCKET = "Power Consumption"


def open_store(directory: Path, clock: Clock[int] | None = None, memory_mb: int = 128) -> EmbeddedStore:
    return EmbeddedStore(
        directory / "store.duckdb", memory_mb=memory_mb, threads=2, shard_ns=WEEK_NS, clock=clock or Clock(NOON)
    )


def store_with_bucket(directory: Path, clock: Clock[int] | None = None, retention_ns: int = 0) -> EmbeddedStore:
    store = open_store(directory, clock)
    store.create_bucket(BucketSpec(BUCKET, "", retention_ns))
    return store


def points(lines: str) -> Points:
    parsed = parse_lines(lines.encode(), "ns", NOON)
    assert parsed.bad == ()
    return parsed.points


def floats(measurement: str, hosts: int, times_ns: list[int]) -> Points:
    """One float field of some hosts, at each of the times; the value is the number of the line."""
    keys = tuple(
        FieldSeries(SeriesKey(measurement, (("host", f"h{host:05}"),)), "f", FieldType.FLOAT) for host in range(hosts)
    )
    count = hosts * len(times_ns)
    lines = np.arange(count, dtype=np.int32)
    column = ValueColumn(FieldType.FLOAT, lines % hosts, lines, pa.array(lines.astype(np.float64)))
    times = np.repeat(np.array(times_ns, np.int64), hosts)
    return Points(b"", np.zeros(count + 1, np.int64), np.arange(1, count + 1), times, keys, (column,))
