"""Opens the DuckDB file with its limits, locked against a second process, and translates DuckDB's errors.

DuckDB uses nothing outside this file: no extensions, no other files, no Python variables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from service.errors import ConfigurationError, StoreFailed
from service.stores.embedded import tables

_AFTER_OPENING = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
_SIGNS_OF_A_LOCK = ("Could not set lock", "different configuration", "already attached")
"""DuckDB has one error class for a file in use and for other failures; only the text tells them apart."""


def open_file(path: Path, memory_mb: int, threads: int) -> duckdb.DuckDBPyConnection:
    """Open the file, or create it with its tables.

    Raises:
        ConfigurationError: another process has it, it is no such file, or its directory cannot be written.
    """
    config = {
        "memory_limit": f"{memory_mb}MiB",
        "threads": str(threads),
        "temp_directory": f"{path}.tmp",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=config)
    except (duckdb.Error, OSError) as broken:
        raise ConfigurationError(_reason_not_opened(path, broken)) from broken
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        for statement in _AFTER_OPENING:
            connection.execute(statement)
        connection.begin()
        for statement in tables.CREATE:
            connection.execute(statement)
        connection.commit()
        formats = connection.execute(tables.LOAD_FORMAT).fetchall()
    except duckdb.Error as broken:
        raise ConfigurationError(_reason_not_opened(path, broken)) from broken
    if formats != [(tables.FORMAT,)]:
        raise ConfigurationError(
            f"The embedded store {path} has format {formats[0][0]}, and this version reads format {tables.FORMAT}."
            " Start the version that wrote it, or point DATA_DIR at another directory."
        )


def _reason_not_opened(path: Path, broken: Exception) -> str:
    if any(sign in str(broken) for sign in _SIGNS_OF_A_LOCK):
        return (
            f"The embedded store {path} is in use by another process; one process at a time may have it."
            " Stop the other one, give this one a DATA_DIR of its own, or set INFLUXDB_URL to share a server."
        )
    advice = "Check that DATA_DIR can be written and that the file is one of ours."
    return f"The embedded store {path} cannot be opened: {_first_line(broken)}. {advice}"


@contextmanager
def translated(act: str) -> Iterator[None]:
    """Turns DuckDB's errors into StoreFailed. `act` completes "Could not ...", such as "read 'Weather'"."""
    try:
        yield
    except duckdb.InterruptException as stopped:
        raise StoreFailed(f"Could not {act}: it was cancelled.") from stopped
    except duckdb.OutOfMemoryException as full:
        raise StoreFailed(
            f"Could not {act}: it needs more memory than the embedded store may use."
            " Ask for fewer fields, a shorter range or shorter windows, or raise EMBEDDED_MEMORY_MB."
        ) from full
    except duckdb.Error as broken:
        advice = "Check the free space and the health of the disk that holds DATA_DIR."
        raise StoreFailed(f"Could not {act}: {_first_line(broken)}. {advice}") from broken


def _first_line(broken: Exception) -> str:
    return str(broken).split("\n", 1)[0].rstrip(".")[:300]
