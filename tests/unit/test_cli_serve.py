"""What `serve` decides before it listens: which key there is to show, and who can reach it."""

from pathlib import Path

import pytest

from service.commands.serve import ensure_key
from service.console.connection import FIRST_KEY, address_and_key, is_loopback, open_gateway, stored_key
from service.domain.access import Scope
from service.errors import ConfigurationError, InvalidParameter
from service.settings import Settings
from service.wiring import open_keys

STATIC = "a-static-key-0123456789"


def settings(folder: Path, **changed: object) -> Settings:
    return Settings(_env_file=None, **{"data_dir": folder / "data", "api_key": None, **changed})  # type: ignore[call-arg, arg-type]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("API_KEY", "DATA_DIR", "INFLUXDB_URL", "STATE_DATABASE_URL", "FLUXGATE_URL", "FLUXGATE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_first_start_makes_a_key_that_later_starts_show_again(tmp_path: Path) -> None:
    key = ensure_key(settings(tmp_path), "127.0.0.1")
    assert key is not None
    assert ensure_key(settings(tmp_path), "127.0.0.1") == key
    assert open_keys(settings(tmp_path)).check(key).scopes == frozenset(Scope)
    assert len(open_keys(settings(tmp_path)).list()) == 1


def test_the_first_key_is_its_owners(tmp_path: Path) -> None:
    ensure_key(settings(tmp_path), "127.0.0.1")
    assert [(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "data").glob("*first-key*")] == [
        (FIRST_KEY, 0o600)
    ]


def test_a_first_key_that_was_revoked_is_not_shown(tmp_path: Path) -> None:
    """It used to be printed for ever, in curl lines that were refused."""
    ensure_key(settings(tmp_path), "127.0.0.1")
    keys = open_keys(settings(tmp_path))
    keys.create("other", [Scope.READ])
    keys.revoke(keys.list()[0].id)
    assert ensure_key(settings(tmp_path), "127.0.0.1") is None


def test_when_no_key_is_valid_any_more_a_new_first_one_is_made(tmp_path: Path) -> None:
    first = ensure_key(settings(tmp_path), "127.0.0.1")
    keys = open_keys(settings(tmp_path))
    keys.revoke(keys.list()[0].id)
    second = ensure_key(settings(tmp_path), "127.0.0.1")
    assert second not in (None, first)
    assert stored_key(tmp_path / "data") == second


def test_the_first_key_has_a_folder_also_when_the_state_is_elsewhere(tmp_path: Path) -> None:
    elsewhere = settings(tmp_path, state_database_url=f"sqlite:///{tmp_path / 'state.db'}")
    assert ensure_key(elsewhere, "::1") == stored_key(tmp_path / "data")


def test_an_address_that_others_reach_needs_a_key_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\.0 can be reached from outside and there is no key"):
        ensure_key(settings(tmp_path), "0.0.0.0")
    assert open_keys(settings(tmp_path)).list() == []
    open_keys(settings(tmp_path)).create("cloud", [Scope.READ])
    assert ensure_key(settings(tmp_path), "0.0.0.0") is None


def test_the_key_that_was_set_is_never_shown_and_a_weak_one_refused_before_the_start(tmp_path: Path) -> None:
    assert ensure_key(settings(tmp_path, api_key=STATIC), "0.0.0.0") is None
    assert stored_key(tmp_path / "data") is None
    with pytest.raises(ConfigurationError, match="at least 16"):
        ensure_key(settings(tmp_path, api_key="short"), "127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_only_this_machine_reaches_a_loopback_address(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_anything_else_may_be_reached_from_outside(host: str) -> None:
    assert not is_loopback(host)


def key_shown(url: str) -> str | None:
    return address_and_key(url, None)[1]


def test_the_first_key_is_shown_to_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may do everything: a gateway elsewhere must not learn it from a mistyped --url."""
    key = ensure_key(settings(tmp_path), "127.0.0.1")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    assert key_shown("http://localhost:8000") == key_shown("http://[::1]:8000") == key
    assert key_shown("https://gateway.example.org") is None
    monkeypatch.setenv("API_KEY", STATIC)
    assert key_shown("https://gateway.example.org") == STATIC


def test_the_variable_of_clients_wins_over_the_keys_of_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", STATIC)
    monkeypatch.setenv("FLUXGATE_API_KEY", "fg_a_b_c")
    assert key_shown("http://localhost:8000") == "fg_a_b_c"
    assert address_and_key("http://localhost:8000", "fg_d_e_f")[1] == "fg_d_e_f"


@pytest.mark.parametrize(
    ("url", "key", "named"),
    [("http://host:port", None, "url"), ("http://127.0.0.1:1", "clé", "key"), (None, "a\nb", "key")],
)
def test_an_address_or_key_that_cannot_be_sent_is_named(url: str | None, key: str | None, named: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        open_gateway(url, key)
    assert refused.value.parameter == named
