"""`fluxgate keys`: when a key ends, said as a person says it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.commands.keys import cli
from service.domain.access import Scope
from service.domain.expiry import expiry
from service.errors import ConfigurationError, InvalidParameter
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from tests.support.old_keys import old_key

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * 86_400.0),
        ("1s", 1.0),
        ("2026-01-02T00:00:00Z", 86_400.0),
        ("2026-01-02t00:00:00z", 86_400.0),
        ("2026-01-02 00:00:00Z", 86_400.0),
        ("2026-01-02T00:00:00+02:00", 79_200.0),
        ("2026-01-02", 86_400.0),
    ],
)
def test_a_key_ends_after_a_duration_or_at_a_time(text: str, seconds: float) -> None:
    assert expiry(text, NOW) == NOW + seconds


@pytest.mark.parametrize("text", ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"])
def test_an_end_that_is_over_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"is over already\. Write a later time, or a duration"):
        expiry(text, NOW)


@pytest.mark.parametrize("text", ["2026-01-02T00:00:00", "2026-1-2"])
def test_a_time_without_its_zone_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidParameter, match="RFC 3339 time with an offset"):
        expiry(text, NOW)


@pytest.mark.parametrize("text", ["", "soon", "0d", "-1d", "1.5h"])
def test_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"expires=.* Or write a day, 2027-01-01, or an RFC 3339 time"):
        expiry(text, NOW)


def test_a_key_for_a_bucket_is_not_made_with_a_scope_that_reaches_past_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(
        cli, ["create", "--init", "--name", "n", "--scope", "read", "--scope", "admin", "--bucket", "mine"]
    )
    assert isinstance(done.exception, InvalidParameter)
    assert "cannot have the scope 'admin', which reaches past them. Leave it out" in done.exception.message
    assert CliRunner().invoke(cli, ["list", "--json"]).stdout == "[]\n"


def test_the_list_says_which_scopes_of_an_old_key_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    state = StateDatabase.in_directory(tmp_path)
    state.migrate()
    old_key(KeyRing(state, None, lambda: NOW), state, [Scope.ADMIN, Scope.READ], ["mine"])
    state.close()
    assert "admin (without effect), read" in CliRunner().invoke(cli, ["list"]).stdout


CREATE = ["create", "--name", "n", "--scope", "read"]


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DATA_DIR", "data")
    return CliRunner().invoke(cli, [*CREATE, *options])


def test_a_key_is_not_made_in_a_database_that_no_gateway_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In another folder it made a database of its own, and the key was refused by the gateway."""
    refused = made(tmp_path, monkeypatch)
    assert isinstance(refused.exception, ConfigurationError)
    assert refused.exception.message.startswith(
        f"There is no state database at {tmp_path / 'data' / 'state.db'}, so no gateway"
    )
    assert "--init" in refused.exception.message
    assert list(tmp_path.iterdir()) == []


def test_the_database_that_a_key_went_into_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = made(tmp_path, monkeypatch, "--init")
    assert f"for 'n' in {tmp_path / 'data' / 'state.db'}. Keep it now" in first.stderr
    assert made(tmp_path, monkeypatch).exit_code == 0


def test_an_id_is_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = made(tmp_path, monkeypatch, "--init").stdout
    monkeypatch.setenv("COLUMNS", "40")
    assert key.split("_")[1] in CliRunner().invoke(cli, ["list"]).stdout
