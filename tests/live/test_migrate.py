"""`fluxgate migrate` as a step before a start: it may run again, and twice at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli import cli
from tests.support.fleet import command

pytestmark = pytest.mark.live


def migrate(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Result:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(cli, ["migrate"])


def test_two_at_once_make_one_database_and_a_third_changes_nothing(
    fresh_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"STATE_DATABASE_URL": fresh_postgres_url}
    with ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda _: command(settings, tmp_path, "migrate"), range(2)))
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    again = migrate(monkeypatch, **settings)
    assert {done.stdout for done in both} == {again.stdout}
    assert "The state database postgresql+psycopg://postgres@" in again.stdout and "at version 0" in again.stdout


def test_a_database_of_a_later_version_and_one_that_is_away_are_refused(
    fresh_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate(monkeypatch, STATE_DATABASE_URL=fresh_postgres_url).exit_code == 0
    with psycopg.connect(fresh_postgres_url.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("UPDATE alembic_version SET version_num = '9999'")
    later = migrate(monkeypatch)
    assert (later.exit_code, "made by a later version of Fluxgate (9999)" in str(later.exception)) == (1, True)
    away = migrate(monkeypatch, STATE_DATABASE_URL="postgresql+psycopg://u:secret-password@127.0.0.1:1/x")
    refusal = str(away.exception)
    assert (away.exit_code, "cannot be used" in refusal, "secret" in refusal) == (1, True, False)


def test_a_file_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = migrate(monkeypatch, DATA_DIR=str(tmp_path / "new"))
    assert (done.exit_code, str(tmp_path / "new" / "state.db") in done.stdout) == (0, True)
