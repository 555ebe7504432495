"""The state database: migrated once however many start, and clear about what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

import service.wiring  # noqa: F401  (every kind of job, and with it its tables)
from service.errors import ConfigurationError, NotReady
from service.state.database import StateDatabase
from service.state.section_rows import SectionRows
from service.state.tables import metadata

MIGRATE = (
    "import sys; from service.state.database import StateDatabase; "
    "d = StateDatabase(sys.argv[1]); d.migrate(); d.ping(); d.close()"
)


def migrated_by_many(url: str, processes: int = 5) -> list[tuple[int, bytes]]:
    started = [subprocess.Popen([sys.executable, "-c", MIGRATE, url], stderr=subprocess.PIPE) for _ in range(processes)]
    printed = [process.communicate(timeout=60)[1] for process in started]
    return [(process.returncode, text) for process, text in zip(started, printed, strict=True)]


def test_many_processes_may_migrate_at_once(tmp_path: Path) -> None:
    results = migrated_by_many(f"sqlite:///{tmp_path / 'state.db'}")
    assert [code for code, _ in results] == [0] * 5, results


def test_the_tables_are_those_that_the_code_knows(tmp_path: Path) -> None:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    database.migrate()
    found = sa.inspect(database.engine)
    assert {name: {column["name"] for column in found.get_columns(name)} for name in metadata.tables} == {
        name: set(table.columns.keys()) for name, table in metadata.tables.items()
    }


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    StateDatabase.in_directory(tmp_path / "new" / "folder").migrate()
    assert (tmp_path / "new" / "folder" / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DATA_DIR"):
        StateDatabase.in_directory(tmp_path / "file")


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"later version of Fluxgate \(9999\)"):
        database.migrate()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        StateDatabase.in_directory(tmp_path).migrate()


@pytest.mark.parametrize("url", ["nonsense", "nosuch://host/name", "", "postgresql+nosuch://x/y"])
def test_an_address_that_is_none_says_how_to_write_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg"):
        StateDatabase(url)


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    away = StateDatabase("postgresql+psycopg://user:hunter2secret@127.0.0.1:1/name?connect_timeout=2")
    with pytest.raises(ConfigurationError, match="STATE_DATABASE_URL") as refused:
        away.migrate()
    assert "hunter2secret" not in refused.value.message


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    with pytest.raises(RuntimeError), database.write() as connection:
        connection.execute(sa.text("INSERT INTO configuration VALUES ('x', 1, '{}', 0)"))
        raise RuntimeError
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM configuration")).scalar() == 0


def test_a_file_named_by_address_is_its_owners_too(tmp_path: Path) -> None:
    StateDatabase(f"sqlite:///{tmp_path / 'named.db'}").migrate()
    assert (tmp_path / "named.db").stat().st_mode & 0o777 == 0o600


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """A question mark in DATA_DIR used to begin the options of the address."""
    folder = tmp_path / "what? 100% #1"
    StateDatabase.in_directory(folder).migrate()
    assert (folder / "state.db").stat().st_size > 0


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused_because_threads_cannot_share_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Name a file"):
        StateDatabase(url)


def test_a_named_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Make its folder"):
        StateDatabase(f"sqlite:///{tmp_path / 'missing' / 'state.db'}")


def test_a_driver_that_is_not_installed_names_the_extra() -> None:
    with pytest.raises(
        ConfigurationError, match=r"psycopg2\). For PostgreSQL install the extra: fluxgate-gateway\[postgres\]"
    ):
        StateDatabase("postgresql+psycopg2://user@host/name")


def test_a_database_that_fails_later_asks_callers_to_come_back(tmp_path: Path) -> None:
    database = StateDatabase.in_directory(tmp_path)
    with pytest.raises(NotReady, match=r"did not do its part \(OperationalError\)") as refused:
        SectionRows(database).read("coordinates")
    assert refused.value.retry_after_s == 5.0


def test_where_the_database_is_stays_out_of_the_answer() -> None:
    away = StateDatabase("postgresql+psycopg://someone@127.0.0.1:1/name?connect_timeout=2")
    with pytest.raises(NotReady) as refused:
        away.ping()
    assert not any(word in refused.value.message for word in ("someone", "127.0.0.1", "name "))


def test_a_writer_waits_for_the_lock_no_longer_than_it_says(tmp_path: Path) -> None:
    database = StateDatabase.in_directory(tmp_path)
    database.migrate()
    with database.write(), pytest.raises(NotReady), database.write(lock_wait_ms=1):
        pass
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
