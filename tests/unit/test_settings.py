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
    [
        ("MAX_READS", "0"),
        ("MAX_READS", "many"),
        ("LATITUDE", "91"),
        ("LATITUDE", "nan"),
        ("READ_TIMEOUT_S", "inf"),
        ("TELEMETRY_LOOKBACK", "30"),
        ("TELEMETRY_LOOKBACK", "raw"),
        ("EMBEDDED_SHARD", "-1d"),
        ("EMBEDDED_SHARD", "raw"),
        ("DEFAULT_EVERY", "often"),
        ("LOG_LEVEL", "loud"),
        ("SCHEDULES", "{x"),
        ("INFLUXDB_URL", "foo"),
        ("INFLUXDB_URL", "127.0.0.1:8086"),
        ("INFLUXDB_URL", "http://"),
        ("INFLUXDB_URL", "http://host:0"),
        ("INFLUXDB_URL", "ftp://host"),
        ("INFLUXDB_CLOUD_URL", "cloud.test"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("STATE_DATABASE_URL", "state.db"),
        ("CELERY_BROKER_URL", "foo"),
        ("SCHEDULES", "[]"),
        ("MIRROR_TOKEN_VARIABLES", "LAB_TOKEN, API_KEY"),
        ("MIRROR_TOKEN_VARIABLES", "influxdb_token"),
        ("MIRROR_TOKEN_VARIABLES", "FLUXGATE_SECRETS_DIR"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings({})


def test_an_address_that_is_none_is_told_in_one_line_that_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_URL", "http://me:hunter2-hunter2@host:8086")
    with pytest.raises(ConfigurationError) as refused:
        load_settings({})
    assert refused.value.message == (
        "Some settings are wrong. "
        "INFLUXDB_URL: an address here holds no user or password: leave out what stands before the @."
        " See .env.example for all of them."
    )


def test_an_address_is_kept_in_its_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("INFLUXDB_URL", "HTTPS://Influx.Example:443/base/"),
        ("INFLUXDB_TOKEN", "t"),
        ("INFLUXDB_ORG", "o"),
    ):
        monkeypatch.setenv(name, value)
    assert load_settings({}).influxdb_url == "https://influx.example/base"


def test_a_misspelt_name_warns_with_the_one_it_may_have_meant() -> None:
    with pytest.warns(
        UserWarning, match="FLUXGATE_MAX_READ is no setting of Fluxgate and has no effect. Did you mean MAX_READS"
    ):
        load_settings({"FLUXGATE_MAX_READ": "3"})


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "very-secret-key-0123")
    settings = load_settings({})
    assert "very-secret" not in repr(settings)
    assert secret_values(settings) == ["very-secret-key-0123"]


def test_proxies_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2,")
    assert load_settings({}).trusted_proxies == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize("name", ["influxdb_token", "INFLUXDB_TOKEN", "Influxdb_Token"])
def test_a_secret_file_may_be_named_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("the-token\n")
    assert secret_values(load_settings({"FLUXGATE_SECRETS_DIR": str(tmp_path)})) == ["the-token"]


def test_windows_of_a_read_may_be_none_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_EVERY", "raw")
    assert load_settings({}).default_every == "raw"


@pytest.mark.parametrize("present", [{}, {"INFLUXDB_TOKEN": "t"}, {"INFLUXDB_ORG": "o"}])
def test_influxdb_needs_a_token_and_an_organization(monkeypatch: pytest.MonkeyPatch, present: dict[str, str]) -> None:
    for name, value in {"INFLUXDB_URL": "http://127.0.0.1:8086", **present}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings({})
    assert refused.value.message == (
        "Some settings are wrong. INFLUXDB_URL is set, so INFLUXDB_TOKEN and INFLUXDB_ORG are needed too. "
        "See .env.example for all of them."
    )


def test_a_misspelt_name_in_the_file_warns_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLUXGATE_API_KEY=0123456789abcdef\n")
    with pytest.warns(
        UserWarning, match="FLUXGATE_API_KEY is no setting of Fluxgate and has no effect. Did you mean API_KEY"
    ):
        assert load_settings({}).api_key is None


def test_variables_for_tokens_of_mirrors_are_listed_warn_not_and_stay_out_of_logs(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("MIRROR_TOKEN_VARIABLES", "LAB_TOKEN, OTHER_TOKEN")
    environment = {
        "FLUXGATE_TOKEN_PLANT": "token-of-the-plant",
        "LAB_TOKEN": "token-of-the-lab",
        "OTHER": "x",
        "FLUXGATE_TOKEN_EMPTY": "",
    }
    settings = load_settings(environment)
    assert list(recwarn) == []
    assert settings.mirror_token_variables == ("LAB_TOKEN", "OTHER_TOKEN")
    assert secret_values(settings, environment) == ["token-of-the-plant", "token-of-the-lab"]


def test_the_password_in_an_address_of_a_variable_for_tokens_is_a_secret() -> None:
    environment = {"FLUXGATE_TOKEN_DB": "postgresql://reader:pass%20word@db.example/plant"}
    assert set(secret_values(load_settings({}), environment)) == {
        "postgresql://reader:pass%20word@db.example/plant",
        "pass%20word",
        "pass word",
    }


def test_names_that_others_read_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    load_settings({"FLUXGATE_DEMO": "1", "FLUXGATE_URL": "http://127.0.0.1:8000", "PATH": "/bin"})
    assert list(recwarn) == []


def test_a_wrong_setting_beside_a_secret_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "very-secret-key-0123")
    monkeypatch.setenv("MAX_READS", "0")
    with pytest.raises(ConfigurationError) as refused:
        load_settings({})
    assert "very-secret" not in refused.value.message


def test_the_password_in_an_address_is_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers print it without the address around it. A short one may be a common word, and is not hidden by itself."""
    monkeypatch.setenv("REDIS_URL", "redis://:p%40ssword-long@host:6379/0")
    monkeypatch.setenv("STATE_DATABASE_URL", "postgresql+psycopg://u:pg@host/name")
    assert set(secret_values(load_settings({}))) == {
        "redis://:p%40ssword-long@host:6379/0", "postgresql+psycopg://u:pg@host/name", "p%40ssword-long",
        "p@ssword-long",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["https://plant.example.org", "http://127.0.0.1:3000,https://a.b", "*", "http://[::1]:8080"]
)
def test_origins_are_written_as_browsers_send_them(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", text)
    assert load_settings({}).cors_origins == tuple(text.split(","))


@pytest.mark.parametrize(
    "text",
    ["plant.example.org", "https://plant.example.org/", "https://Plant.example.org", "*,https://a.b", "https://*.b"],
)
def test_what_is_no_origin_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", text)
    with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
        load_settings({})


@pytest.mark.parametrize("text", ["Mars/Base", "Europe", "../../etc/passwd", "a b"])
def test_what_is_no_time_zone_is_refused_with_its_setting(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Europe is a folder of zones, which Python's zoneinfo raises another error for."""
    monkeypatch.setenv("BACKUP_ZONE", text)
    with pytest.raises(ConfigurationError, match=r"BACKUP_ZONE: .* is no IANA time zone, such as Europe/Berlin"):
        load_settings({})
