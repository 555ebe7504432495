"""Sources of connectors as tests open them, and what they read as rows that are compared."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from service.domain.timerange import TimeRange
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.protocol import Source
from service.sources.rules import SourceRules, SqlDefaults
from service.stores.protocol import Store
from tests.support.rows import Row, rows_of, span

DAY = span("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
NEVER = span("2000-01-01T00:00:00Z", "2000-01-02T00:00:00Z")
QUERY = "SELECT sensor, value, timestamp FROM readings WHERE timestamp >= :start_time AND timestamp < :end_time"


class FreeRun:
    """A run that nothing ends."""

    def check(self) -> None:
        """It may go on."""

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing should wait for {seconds} s")


FREE = FreeRun()


class Log(list[tuple[str, str]]):
    """The lines that a source wrote, with their levels."""

    def __call__(self, level: str, message: str) -> None:
        self.append((level, message))


def sql_opener(url: str, **defaults: Any) -> SourceOpener:
    """Opens SQL sources of the database at DATABASE_URL."""
    return SourceOpener(cast(Store, None), SourceRules(sql=SqlDefaults(url=url, **defaults)))


@contextmanager
def opened(opener: SourceOpener, source: dict[str, Any], log: Log | None = None) -> Iterator[Source]:
    """The source that a configuration means, closed at the end."""
    text = SourceText.model_validate(source)
    made = opener.open(text, FREE, Log() if log is None else log)
    try:
        yield made
    finally:
        made.close()


def rows_in(source: Source, window: TimeRange) -> list[Row]:
    """The rows of a window in their order, held against the promises of frames."""
    rows: list[Row] = []
    newest: dict[tuple[object, ...], int] = {}
    for frame in source.frames(window):
        for row in rows_of(frame):
            assert window.start_ns <= row.time_ns < window.stop_ns
            assert newest.get(row[:3], row.time_ns) <= row.time_ns, f"times do not ascend in {row[:3]}"
            newest[row[:3]] = row.time_ns
            rows.append(row)
    return rows


def sql_rows_in(url: str, window: TimeRange = DAY, log: Log | None = None, **members: Any) -> list[Row]:
    """The rows that a SQL source with these members reads."""
    with opened(sql_opener(url), {"sql": members}, log) as source:
        source.check()
        return rows_in(source, window)


def sqlite_file(path: Path, columns: str, rows: Iterable[tuple[object, ...]], table: str = "readings") -> str:
    """The address of an SQLite file with a table of three columns."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}"
