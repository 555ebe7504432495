"""Settings: where they come from, and what a wrong one is told."""

from pathlib import Path

import pytest

from service.errors import ConfigurationError
from service.settings import Settings, load_settings, secret_values

NAMES = [name.upper() for name in Settings.model_fields]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test: another folder, and none in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_everything_has_a_default_that_works() -> None:
    settings = load_settings({})
    assert (settings.influxdb_url, settings.redis_url, settings.data_dir) == (None, None, Path("data"))


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_READS=3\nLATITUDE=1.5\nINFLUXDB_URL=\n")
    monkeypatch.setenv("MAX_READS", "5")
    settings = load_settings({})
    assert (settings.max_reads, settings.latitude, settings.influxdb_url) == (5, 1.5, None)


def test_secrets_may_stand_in_files(tmp_path: Path) -> None:
    (tmp_path / "influxdb_token").write_text("the-token\n")
    settings = load_settings({"FLUXGATE_SECRETS_DIR": str(tmp_path)})
    assert settings.influxdb_token is not None
    assert settings.influxdb_token.get_secret_value() == "the-token"


def test_a_secrets_directory_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match="/nowhere is no directory"):
        load_settings({"FLUXGATE_SECRETS_DIR": "/nowhere"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_READS", "0"), ("MAX_READS", "many"), ("LATITUDE", "91"), ("TELEMETRY_LOOKBACK", "30"), ("EMBEDDED_SHARD", "-1d"), ("LOG_LEVEL", "loud")],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings({})


def test_a_misspelt_name_warns_with_the_one_it_may_have_meant() -> None:
    with pytest.warns(UserWarning, match="FLUXGATE_MAX_READ is no setting of Fluxgate and has no effect. Did you mean MAX_READS"):
        load_settings({"FLUXGATE_MAX_READ": "3"})


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "very-secret-key-0123")
    settings = load_settings({})
    assert "very-secret" not in repr(settings)
    assert secret_values(settings) == ["very-secret-key-0123"]


def test_proxies_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2,")
    assert load_settings({}).trusted_proxies == ("10.0.0.1", "10.0.0.2")
