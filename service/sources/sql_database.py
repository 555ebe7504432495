"""Read-only sessions of a SQL database, each bounded in time.

Each session is one transaction that cannot write: `READ ONLY` in PostgreSQL, MySQL and MariaDB, a file that is opened
for reading in SQLite. SQL Server has no such thing: its user must not have the right to write. A database that is
silent for longer than the timeout ends the session.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from service.errors import InvalidParameter, StoreUnavailable
from service.sources.postgres_copy import silent
from service.sources.sql_address import SqlAddress
from service.sources.sql_errors import translated
from service.state.connection_watchdog import Connection, ConnectionWatchdog

_CONNECT_TIMEOUT_S = 5
_LONGEST_PAUSE_S = 3_600
"""How long a reader may pause, while it sends what it has, before MySQL ends the connection (by default 60 s)."""
_STEPS_BETWEEN_LOOKS = 50_000
"""Instructions of SQLite's machine, about a millisecond."""
_POSTGRES_SETTINGS = (
    "SET TRANSACTION READ ONLY",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
)


class SqlDatabase:
    """Sessions of one database. One thread uses it. `timeout_s`: the longest silence that is waited for."""

    def __init__(self, address: SqlAddress, timeout_s: float) -> None:
        self.address = address
        self.backend = address.backend
        self._timeout_s = timeout_s
        self._watchdog = ConnectionWatchdog()
        self._deadline_s = float("inf")
        self._engine: sa.Engine | None = None

    @contextlib.contextmanager
    def session(self) -> Iterator[sa.Connection]:
        """A connection in a transaction that only reads, rolled back at the end.

        Raises InvalidParameter for an address that is refused or whose driver is missing, StoreError.
        """
        with translated(), self._opened().connect() as connection:
            with self.limited(connection):
                self._prepare(connection)
            yield connection

    @contextlib.contextmanager
    def limited(self, connection: sa.Connection) -> Iterator[None]:
        """Ends the connection when the database keeps the block waiting for longer than the timeout.

        Raises StoreTimeout.
        """
        started_s = time.monotonic()
        self._deadline_s = started_s + self._timeout_s
        try:
            with contextlib.ExitStack() as limits:
                if self.backend == "postgresql":
                    raw = cast(Connection, connection.connection.dbapi_connection)
                    limits.enter_context(self._watchdog.limited(raw, self._timeout_s))
                yield
        except Exception as broken:
            if time.monotonic() - started_s < self._timeout_s:
                raise
            connection.invalidate()  # so that nothing more is asked of it
            raise silent(self._timeout_s, str(broken)) from broken
        finally:
            self._deadline_s = float("inf")

    def close(self) -> None:
        """Safe to call twice."""
        self._watchdog.close()
        if self._engine is not None:
            self._engine.dispose()

    def _opened(self) -> sa.Engine:
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine

    def _make_engine(self) -> sa.Engine:
        try:
            if self.backend == "sqlite":
                return sa.create_engine(self.address.url, creator=self._sqlite_connection)
            return sa.create_engine(
                self.address.url,
                pool_size=1,
                max_overflow=1,
                pool_pre_ping=True,
                connect_args=self._connect_arguments(),
            )
        except (ImportError, sa.exc.NoSuchModuleError) as missing:
            extra = f"Install fluxgate-gateway[{self.address.extra}]" if self.address.extra else "Install it"
            reason = f"The driver of the database is not installed ({self.address.url.drivername})."
            where = "where the gateway and its workers run"
            raise InvalidParameter(self.address.member, f"{reason} {extra} {where}.") from missing

    def _connect_arguments(self) -> dict[str, Any]:
        host = self._host_to_connect()
        query = self.address.url.query
        if self.backend == "postgresql":
            limits = {"connect_timeout": _CONNECT_TIMEOUT_S, "tcp_user_timeout": 10_000}
            kept: dict[str, Any] = {name: limit for name, limit in limits.items() if name not in query}
            return {**kept, **({} if host is None else {"hostaddr": host})}
        if self.backend in ("mysql", "mariadb"):
            limits = {"connect_timeout": _CONNECT_TIMEOUT_S, "read_timeout": max(1, round(self._timeout_s))}
            return {**limits, **({} if host is None else {"host": host})}
        if self.address.url.get_driver_name() == "pymssql":
            return {"login_timeout": _CONNECT_TIMEOUT_S, "timeout": max(1, round(self._timeout_s))}
        return {"timeout": _CONNECT_TIMEOUT_S}

    def _host_to_connect(self) -> str | None:
        try:
            return self.address.allowed_host()
        except OSError as broken:
            finding = f"The host {self.address.url.host!r} of the SQL database has no address"
            raise StoreUnavailable(f"{finding}.", advice="Check its name.", upstream=str(broken)) from None

    def _sqlite_connection(self) -> sqlite3.Connection:
        name = self.address.url.database
        if not name or not Path(name).is_file():
            raise InvalidParameter(self.address.member, f"There is no SQLite file {name!r}.")
        uri = f"{Path(name).absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=self._timeout_s, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
        return connection

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline_s

    def _prepare(self, connection: sa.Connection) -> None:
        run: Callable[[str], object] = connection.exec_driver_sql
        milliseconds = round(self._timeout_s * 1000)
        if self.backend == "postgresql":
            for setting in _POSTGRES_SETTINGS:
                run(setting)
            run(f"SET LOCAL statement_timeout = {milliseconds}")
        elif self.backend in ("mysql", "mariadb"):
            run("SET time_zone = '+00:00'")
            is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
            limit = (
                f"max_statement_time = {self._timeout_s:g}" if is_mariadb else f"max_execution_time = {milliseconds}"
            )
            run(f"SET SESSION {limit}")
            run(f"SET SESSION net_write_timeout = {_LONGEST_PAUSE_S}")
            run("SET SESSION TRANSACTION READ ONLY")
            connection.rollback()
        elif self.backend == "mssql":
            run(f"SET LOCK_TIMEOUT {milliseconds}")
            raw: Any = connection.connection.dbapi_connection
            if connection.dialect.driver == "pyodbc":
                raw.timeout = max(1, round(self._timeout_s))  # of each query
