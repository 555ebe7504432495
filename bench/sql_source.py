"""Rows of a real PostgreSQL as frames, as a connector reads them, against a server-side cursor and DataFrames.

Prints rows of docs/benchmarks.md.

    .venv/bin/python -m bench.sql_source           (about a minute)

A million rows of 1,000 sensors: text, double precision, timestamptz, with an index on the time. The database and the
reader share this machine. Every way reads the same rows in the same order, as Arrow columns or as what the way gives.
"""

import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

import pandas as pd
import psutil
import psycopg
import pyarrow as pa
import sqlalchemy as sa

from bench import measure
from service.domain.timerange import TimeRange, parse_range
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.rules import SourceRules, SqlDefaults
from service.stores.protocol import Store
from tests.support.servers import start_postgres

ROWS = 1_000_000
_WINDOW = parse_range("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
_FETCHED = 20_000
_RUNS = 3
_SELECT = "SELECT sensor, value, timestamp FROM readings ORDER BY timestamp, sensor, value"
_FILL = f"""
    CREATE TABLE readings (sensor text, value double precision, timestamp timestamptz);
    INSERT INTO readings SELECT 'sensor-' || i % 1000, random() * 100,
        timestamptz '2026-01-01 00:00:00+00' + i * interval '50 milliseconds' FROM generate_series(0, {ROWS - 1}) i;
    CREATE INDEX ON readings (timestamp);
"""


class _FreeRun:
    def check(self) -> None:
        """Nothing ends it."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def frames(url: str, window: TimeRange = _WINDOW) -> int:
    """As a connector reads: long frames, by COPY."""
    opener = SourceOpener(cast(Store, None), SourceRules(sql=SqlDefaults(url=url, table="readings")))
    source = opener.open(SourceText.model_validate({"sql": {}}), _FreeRun())
    rows = sum(frame.num_rows for frame in source.frames(window))
    source.close()
    return rows


def cursor(url: str) -> int:
    """A server-side cursor with binary values, whose rows become Arrow columns."""
    rows = 0
    with (
        psycopg.connect(url.replace("+psycopg", "")) as connection,
        connection.cursor(name="rows", binary=True) as named,
    ):
        named.execute(_SELECT)
        for batch in iter(lambda: named.fetchmany(_FETCHED), []):
            sensors, values, times = zip(*batch, strict=True)
            columns = [pa.array(sensors), pa.array(values), pa.array(times, pa.timestamp("us", tz="UTC"))]
            rows += pa.record_batch(columns, names=["sensor", "value", "time"]).num_rows
    return rows


def data_frames(url: str) -> int:
    """As a script does it: pandas.read_sql in chunks, with a streaming cursor."""
    engine = sa.create_engine(url).execution_options(stream_results=True)
    chunks: Iterator[pd.DataFrame] = pd.read_sql(sa.text(_SELECT), engine, chunksize=_FETCHED)
    rows = sum(len(chunk) for chunk in chunks)
    engine.dispose()
    return rows


def main() -> None:
    """Print one line per way: rows a second, and how many times the time of the source it takes."""
    server = start_postgres()
    try:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/postgres"
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(_FILL)
            connection.execute("VACUUM ANALYZE readings")
        ways: dict[str, Callable[[str], int]] = {
            "source (COPY to frames)": frames,
            "server-side cursor, binary, to Arrow": cursor,
            "pandas.read_sql in chunks": data_frames,
        }
        for name, way in ways.items():
            if way(url) != ROWS:
                sys.exit(f"{name} did not give {ROWS} rows")
        with measure.PeakMemory(psutil.Process().pid, alone=True) as memory:
            frames(url)
        taken = measure.alternate({name: lambda way=way: way(url) for name, way in ways.items()}, _RUNS)  # type: ignore[misc]
        fastest = taken["source (COPY to frames)"]
        for name, seconds in taken.items():
            print(f"| {name} | {ROWS / seconds:,.0f} rows/s | {seconds / fastest:.1f} |")
        print(f"| memory of the source above idle | {memory.growth_mb:.0f} MB | |")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
