"""The state database: SQLite in a file, or PostgreSQL by address; one engine, migrated once at start.

A database that is unreachable, locked or full raises `NotReady`, so that callers come back. The driver's message goes
to the log only, because it names hosts and users. A PostgreSQL that is unreachable or silent costs a few callers a
short wait. Then a circuit breaker refuses all at once, and lets one caller try now and then.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import sqlalchemy as sa
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from service.cache.breaker import Breaker
from service.errors import ConfigurationError, InvalidParameter, NotReady
from service.state.connection_watchdog import Connection, ConnectionWatchdog

_MIGRATIONS = Path(__file__).parent / "migrations"
STATE_FILE = "state.db"
"""In DATA_DIR."""
_LOCK_NUMBER = 0x666C7578
"""The advisory lock in PostgreSQL under which one process migrates while others wait."""
_BUSY_TIMEOUT_MS = 10_000
_POSTGRES_TIMEOUTS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 30,
    "options": "-c idle_in_transaction_session_timeout=60000",
}
"""libpq's limits in seconds and milliseconds, where the address has none. By default it waits for ever.

The last is a limit of the server: a process that is frozen in a transaction holds its rows for a minute at most.
"""
_LONGEST_READ_S, _LONGEST_WRITE_S, _LONGEST_PING_S = 5.0, 15.0, 2.0
"""How long PostgreSQL may take for one use of a connection: longer than any lock is held, far longer than any query."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 4.0
_VERSION = sa.text("SELECT version_num FROM alembic_version")
_FAILURES = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
_TRY_AGAIN = "Try again; if it stays, the gateway's log says why."
_log = structlog.get_logger(__name__)


class StateDatabase:
    """Gives connections: `read()` for queries, `write()` in a transaction.

    In SQLite, `write()` takes the write lock at once. Both raise NotReady when the database is unreachable, locked
    for too long, or full.
    """

    def __init__(self, url: str | sa.URL) -> None:
        try:
            address = sa.make_url(url)
            self._sqlite = address.get_backend_name() == "sqlite"
            self.engine = sa.create_engine(address) if self._sqlite else _pooled(address)
        except ModuleNotFoundError as missing:
            finding = f"The driver of STATE_DATABASE_URL is not installed ({missing.name})."
            raise ConfigurationError(
                f"{finding} For PostgreSQL install the extra: fluxgate-gateway[postgres]."
            ) from None
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as broken:
            raise ConfigurationError(
                f"STATE_DATABASE_URL is no address of a database ({type(broken).__name__})."
                " Write sqlite:///state.db or postgresql+psycopg://user:password@host/name."
            ) from None
        self._single = self.engine if self._sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._breaker = Breaker(time.monotonic, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._watchdog = ConnectionWatchdog()
        self._has_watchdog = self.engine.driver == "psycopg"
        if self._sqlite:
            _prepare_file(address)
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
        elif self._has_watchdog:
            _limit_pings(self.engine.dialect, self._watchdog)

    @classmethod
    def in_directory(cls, directory: Path) -> "StateDatabase":
        """SQLite in `directory`, which is made when it is missing. Only the owner can read the file."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / STATE_FILE
            path.touch(mode=0o600, exist_ok=True)
        except OSError as broken:
            raise ConfigurationError(
                f"DATA_DIR {directory} cannot be written ({broken.strerror}). Make it, or name another.",
            ) from None
        return cls(sa.URL.create("sqlite", database=str(path)))

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for queries, each of which stands for itself: there is no transaction. Raises NotReady."""
        with _translated_errors(), self._circuit(), self._connected(self._single, _LONGEST_READ_S) as connection:
            yield connection

    def change(self, statement: sa.Update | sa.Insert | sa.Delete) -> None:
        """Execute one statement, which is its own transaction. Raises NotReady."""
        if self._sqlite:
            with self.write() as connection:
                connection.execute(statement)
            return
        with _translated_errors(), self._circuit(), self._connected(self._single, _LONGEST_WRITE_S) as connection:
            connection.execute(statement)

    @property
    def notifies(self) -> bool:
        """Whether `listening` works: the database tells at once what other processes changed."""
        return self._has_watchdog

    @contextlib.contextmanager
    def listening(self, channel: str) -> Iterator[object]:
        """A psycopg connection of its own that receives the notifications of `channel`. Raises NotReady."""
        with _translated_errors(), self._circuit():
            connection = self._single.connect()
        with connection:
            raw = connection.connection.driver_connection
            connection.detach()
            with _translated_errors(), self._watchdog.limited(cast(Connection, raw), _LONGEST_READ_S):
                connection.exec_driver_sql(f"LISTEN {channel}")
            yield raw

    @contextlib.contextmanager
    def write(self, lock_wait_ms: int = _BUSY_TIMEOUT_MS) -> Iterator[sa.Connection]:
        """A connection in a transaction. `lock_wait_ms`: how long to wait for another writer of the SQLite file.

        Raises NotReady.
        """
        with _translated_errors(), self._circuit(), self._transaction(lock_wait_ms, _LONGEST_WRITE_S) as connection:
            yield connection

    @contextlib.contextmanager
    def _circuit(self) -> Iterator[None]:
        """Raises NotReady at once while PostgreSQL is known to be unreachable. SQLite's file is always reachable."""
        if self._sqlite:
            yield
            return
        ticket = self._breaker.enter()
        if ticket is None:
            raise NotReady(f"The state database does not answer. {_TRY_AGAIN}", 2.0)
        try:
            yield
        except _FAILURES as broken:
            if _is_unreachable(broken):
                self._breaker.failed(ticket)
            raise
        self._breaker.worked(ticket)

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine, limit_s: float | None = None) -> Iterator[sa.Connection]:
        """A connection for `limit_s` seconds, with its return to the pool: that may ask the server to roll back."""
        connection = engine.connect()
        raw = connection.connection.dbapi_connection
        with contextlib.ExitStack() as limits:
            if self._has_watchdog and limit_s is not None:
                limits.enter_context(self._watchdog.limited(cast(Connection, raw), limit_s))
            with connection:
                yield connection

    @contextlib.contextmanager
    def _transaction(
        self,
        lock_wait_ms: int = _BUSY_TIMEOUT_MS,
        limit_s: float | None = None,
    ) -> Iterator[sa.Connection]:
        with self._connected(self.engine, limit_s) as connection:
            if self._sqlite:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={lock_wait_ms}")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def migrate(self) -> None:
        """Bring the tables to this version. Safe to call from many processes at once.

        Raises:
            ConfigurationError: not reachable, or made by a later version.
        """
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            with self._transaction() as connection:
                if not self._sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_NUMBER)))
                _refuse_later_version(connection, config)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except sa.exc.SQLAlchemyError as broken:
            address = self.engine.url.render_as_string(hide_password=True)
            raise ConfigurationError(
                f"The state database at {address} cannot be used ({_cause(broken)})."
                " Check STATE_DATABASE_URL (or DATA_DIR), and that the database is up."
            ) from broken

    def version(self) -> str:
        """The version of its tables. Raises NotReady."""
        with self.read() as connection:
            return str(connection.execute(_VERSION).scalar_one())

    def ping(self) -> None:
        """Raises NotReady when the database does not answer."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        self._watchdog.close()
        self.engine.dispose()


def _refuse_later_version(connection: sa.Connection, config: Config) -> None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return
    revision = connection.execute(_VERSION).scalar()
    with contextlib.suppress(CommandError):
        if revision is None or ScriptDirectory.from_config(config).get_revision(str(revision)) is not None:
            return
    finding = f"The state database was made by a later version of Fluxgate ({revision})."
    raise ConfigurationError(f"{finding} Run that version, or use another database.")


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    """Errors of the driver become NotReady, and InvalidParameter for values that no row can hold.

    The driver's message goes to the log, unless it may hold the value.
    """
    try:
        yield
    except sa.exc.DataError:
        reason = "A name or a number is one that the state database cannot hold, such as a text with a NUL."
        raise InvalidParameter("value", f"{reason} Write another one.") from None
    except _FAILURES as broken:
        _log.warning("state database failed", reason=_cause(broken))
        finding = f"The state database did not do its part ({type(broken).__name__})."
        raise NotReady(f"{finding} {_TRY_AGAIN}", 5.0) from broken


def _pooled(address: sa.URL) -> sa.Engine:
    timeouts = {name: limit for name, limit in _POSTGRES_TIMEOUTS.items() if name not in address.query}
    return sa.create_engine(
        address,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        pool_timeout=5,
        connect_args=timeouts if address.get_driver_name() == "psycopg" else {},
    )


def _limit_pings(dialect: sa.Dialect, watchdog: ConnectionWatchdog) -> None:
    """Give the ping before each use of a pooled connection a deadline: a frozen server would never answer it."""
    ping = dialect.do_ping

    def limited_ping(connection: sa.PoolProxiedConnection) -> bool:
        with watchdog.limited(cast(Connection, connection), _LONGEST_PING_S):
            return ping(connection)

    dialect.do_ping = limited_ping  # type: ignore[method-assign, assignment]


def _is_unreachable(broken: Exception) -> bool:
    """Whether there is no connection, or it was lost. For a lock or a full disk the server gives an SQLSTATE."""
    if not isinstance(broken, sa.exc.DBAPIError) or broken.connection_invalidated:
        return True
    return getattr(broken.orig, "sqlstate", None) is None


def _prepare_file(address: sa.URL) -> None:
    """Make the file readable by its owner only. Refuse a database in memory: each thread would have its own."""
    name = address.database
    if not name or name == ":memory:":
        finding = "STATE_DATABASE_URL names a database in memory, which threads cannot share."
        raise ConfigurationError(f"{finding} Name a file: sqlite:///state.db.")
    if name.startswith("file:"):
        return
    try:
        Path(name).touch(mode=0o600, exist_ok=True)
    except OSError as broken:
        raise ConfigurationError(
            f"STATE_DATABASE_URL: {name} cannot be written ({broken.strerror}). Make its folder, or name another.",
        ) from None


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Readers work beside one writer, and wait for locks. `write` begins transactions, not the driver."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", f"busy_timeout={_BUSY_TIMEOUT_MS}", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _cause(broken: sa.exc.SQLAlchemyError) -> str:
    original = getattr(broken, "orig", None)
    return " ".join(str(original or broken).split())[:300]
