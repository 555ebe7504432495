"""The state database: SQLite in a file, or PostgreSQL by address; one engine, migrated once at start."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from service.errors import ConfigurationError

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_NUMBER = 0x666C7578
"""Of the advisory lock in PostgreSQL under which one process migrates while others wait."""
_BUSY_TIMEOUT_MS = 10_000


class StateDatabase:
    """`write()` gives a connection in a transaction that takes the write lock at once; `read()` one that only reads."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        try:
            self.engine = sa.create_engine(url, pool_pre_ping=not self._sqlite, **({} if self._sqlite else {"pool_size": 5, "max_overflow": 10}))
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as broken:
            raise ConfigurationError(
                f"STATE_DATABASE_URL is no address of a database ({type(broken).__name__})."
                " Write sqlite:///state.db or postgresql+psycopg://user:password@host/name."
            ) from None
        if self._sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)

    @classmethod
    def in_directory(cls, directory: Path) -> "StateDatabase":
        """SQLite in `directory`, made when missing; readable by its owner alone."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / "state.db"
            path.touch(mode=0o600, exist_ok=True)
        except OSError as broken:
            raise ConfigurationError(f"DATA_DIR {directory} cannot be written ({broken.strerror}). Make it, or name another.") from None
        return cls(f"sqlite:///{path}")

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            if self._sqlite:
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
            with self.write() as connection:
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
        self.engine.dispose()


def _refuse_later(connection: sa.Connection, config: Config) -> None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    with contextlib.suppress(CommandError):
        if found is None or ScriptDirectory.from_config(config).get_revision(str(found)) is not None:
            return
    raise ConfigurationError(f"The state database was made by a later version of Fluxgate ({found}). Run that version, or use another database.")


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
