"""The state database: SQLite in a file, or PostgreSQL by address; one engine, migrated once at start.

What goes wrong with it later is said in our words: `NotReady` for a database that is away, locked or full, so
that callers come back, with the driver's own words in the log alone (they name hosts and users). A PostgreSQL that
is away or silent costs a few callers a short wait; then all are refused at once, and one tries now and then.
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
from service.errors import ConfigurationError, NotReady
from service.state.silence import Connection, SilenceWatch

_MIGRATIONS = Path(__file__).parent / "migrations"
STATE_FILE = "state.db"
"""In DATA_DIR."""
_LOCK_NUMBER = 0x666C7578
"""Of the advisory lock in PostgreSQL under which one process migrates while others wait."""
_BUSY_TIMEOUT_MS = 10_000
_POSTGRES_WAITS = {"connect_timeout": 3, "tcp_user_timeout": 10_000, "options": "-c idle_in_transaction_session_timeout=60000"}
"""libpq's limits, in seconds and milliseconds, unless the address has its own: it would wait for ever for a host that is silent. The last is the
server's: a process that is frozen in a transaction holds its rows for a minute at most."""
_LONGEST_READ_S, _LONGEST_WRITE_S, _LONGEST_PING_S = 5.0, 15.0, 2.0
"""How long PostgreSQL may take for what one route asks. Longer than any lock is held, far longer than any question takes."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 4.0
_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
_log = structlog.get_logger(__name__)


class StateDatabase:
    """`read()` gives a connection that only reads, `write()` one in a transaction: in SQLite with the write lock from the start.

    Both raise NotReady when the database is away, locked for too long, or full.
    """

    def __init__(self, url: str | sa.URL) -> None:
        try:
            address = sa.make_url(url)
            self._sqlite = address.get_backend_name() == "sqlite"
            self.engine = sa.create_engine(address) if self._sqlite else _pooled(address)
        except ModuleNotFoundError as missing:
            raise ConfigurationError(
                f"The driver of STATE_DATABASE_URL is not installed ({missing.name}). For PostgreSQL install the extra: fluxgate[postgres]."
            ) from None
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as broken:
            raise ConfigurationError(
                f"STATE_DATABASE_URL is no address of a database ({type(broken).__name__})."
                " Write sqlite:///state.db or postgresql+psycopg://user:password@host/name."
            ) from None
        self._breaker = Breaker(time.monotonic, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._watch = SilenceWatch()
        self._watched = self.engine.driver == "psycopg"
        if self._sqlite:
            _prepare_file(address)
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
        elif self._watched:
            _bound_pings(self.engine.dialect, self._watch)

    @classmethod
    def in_directory(cls, directory: Path) -> "StateDatabase":
        """SQLite in `directory`, made when missing; readable by its owner alone."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / STATE_FILE
            path.touch(mode=0o600, exist_ok=True)
        except OSError as broken:
            raise ConfigurationError(f"DATA_DIR {directory} cannot be written ({broken.strerror}). Make it, or name another.") from None
        return cls(sa.URL.create("sqlite", database=str(path)))

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with _in_our_words(), self._unless_away(), self._connected(_LONGEST_READ_S) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, patience_ms: int = _BUSY_TIMEOUT_MS) -> Iterator[sa.Connection]:
        """`patience_ms`: how long another writer of the SQLite file is waited for."""
        with _in_our_words(), self._unless_away(), self._transaction(patience_ms, _LONGEST_WRITE_S) as connection:
            yield connection

    @contextlib.contextmanager
    def _unless_away(self) -> Iterator[None]:
        """Raises NotReady at once while PostgreSQL is known to be away. A file is never away: a lock on it is waited for each time."""
        if self._sqlite:
            yield
            return
        ticket = self._breaker.enter()
        if ticket is None:
            raise NotReady("The state database does not answer. Try again; if it stays, the gateway's log says why.", 2.0)
        try:
            yield
        except _AWAY as broken:
            if _is_away(broken):
                self._breaker.failed(ticket)
            raise
        self._breaker.worked(ticket)

    @contextlib.contextmanager
    def _connected(self, most_s: float | None = None) -> Iterator[sa.Connection]:
        """A connection for `most_s` seconds, giving it back included: that asks the server to roll back."""
        connection = self.engine.connect()
        raw = connection.connection.dbapi_connection
        bound = self._watch.bounded(cast(Connection, raw), most_s) if self._watched and most_s is not None else contextlib.nullcontext()
        with bound, connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, patience_ms: int = _BUSY_TIMEOUT_MS, most_s: float | None = None) -> Iterator[sa.Connection]:
        with self._connected(most_s) as connection:
            if self._sqlite:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={patience_ms}")
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
                _refuse_later(connection, config)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except sa.exc.SQLAlchemyError as broken:
            raise ConfigurationError(
                f"The state database at {self.engine.url.render_as_string(hide_password=True)} cannot be used ({_cause(broken)})."
                " Check STATE_DATABASE_URL (or DATA_DIR), and that the database is up."
            ) from broken

    def ping(self) -> None:
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        self._watch.close()
        self.engine.dispose()


def _refuse_later(connection: sa.Connection, config: Config) -> None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    with contextlib.suppress(CommandError):
        if found is None or ScriptDirectory.from_config(config).get_revision(str(found)) is not None:
            return
    raise ConfigurationError(f"The state database was made by a later version of Fluxgate ({found}). Run that version, or use another database.")


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except _AWAY as broken:
        _log.warning("state database failed", reason=_cause(broken))
        raise NotReady(
            f"The state database did not do its part ({type(broken).__name__}). Try again; if it stays, the gateway's log says why.", 5.0
        ) from broken


def _pooled(address: sa.URL) -> sa.Engine:
    waits = {name: limit for name, limit in _POSTGRES_WAITS.items() if name not in address.query}
    arguments = waits if address.get_driver_name() == "psycopg" else {}
    return sa.create_engine(address, pool_pre_ping=True, pool_size=5, max_overflow=10, pool_timeout=5, connect_args=arguments)


def _bound_pings(dialect: sa.Dialect, watch: SilenceWatch) -> None:
    """A connection is tried before it is used: a frozen server would keep that waiting too."""
    ping = dialect.do_ping

    def bounded_ping(connection: sa.PoolProxiedConnection) -> bool:
        with watch.bounded(cast(Connection, connection), _LONGEST_PING_S):
            return ping(connection)

    dialect.do_ping = bounded_ping  # type: ignore[method-assign, assignment]


def _is_away(broken: Exception) -> bool:
    """No connection, or one that was lost; not a lock, a deadlock or a full disk, which a server that is there tells of."""
    return not isinstance(broken, sa.exc.DBAPIError) or broken.connection_invalidated or getattr(broken.orig, "sqlstate", None) is None


def _prepare_file(address: sa.URL) -> None:
    """A new file is its owner's alone. Every thread would have an in-memory database of its own: refused."""
    name = address.database
    if not name or name == ":memory:":
        raise ConfigurationError("STATE_DATABASE_URL names a database in memory, which threads cannot share. Name a file: sqlite:///state.db.")
    if name.startswith("file:"):
        return
    try:
        Path(name).touch(mode=0o600, exist_ok=True)
    except OSError as broken:
        raise ConfigurationError(f"STATE_DATABASE_URL: {name} cannot be written ({broken.strerror}). Make its folder, or name another.") from None


def _prepare_sqlite(connection: object, _record: object) -> None:
    """Readers beside one writer, waiting instead of failing; transactions begin where we say so."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", f"busy_timeout={_BUSY_TIMEOUT_MS}", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _cause(broken: sa.exc.SQLAlchemyError) -> str:
    original = getattr(broken, "orig", None)
    return " ".join(str(original or broken).split())[:300]
