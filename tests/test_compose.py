"""compose.yaml: what each profile starts, and what its variables become, held against the settings of the code.

No container runs here. Variables are filled in as Compose does, nested ones too.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
KEY = {"API_KEY": "a-key-for-tests-0123456789"}
INFLUX = {"INFLUXDB_PASSWORD": "secret1", "INFLUXDB_TOKEN": "token"}
JOBS = {"POSTGRES_PASSWORD": "secret2", "BROKER_PASSWORD": "secret3"}


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `$$`, `${A}`, `${A:-else}`, `${A:+then}` and `${A:?message}` replaced. The last raises KeyError."""
    innermost = re.compile(r"\$\{([A-Z_]+)(?:(:[-+?])([^${}]*))?\}")

    def value(match: re.Match[str]) -> str:
        present, operator, word = variables.get(match[1], ""), match[2], match[3]
        if operator == ":?" and not present:
            raise KeyError(word)
        if operator == ":+":
            return word if present else ""
        return word if operator == ":-" and not present else present

    while (replaced := innermost.sub(value, text)) != text:
        text = replaced
    assert "${" not in text, text
    return text.replace("$$", "$")


def settings_of(service: str, variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a container, as the service reads its environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, text in OURS[service]["environment"].items():
        passed = variables.get(name) if text is None else filled(str(text), variables)
        if passed is not None:
            monkeypatch.setenv(name, passed)
    return Settings(_env_file=None)  # type: ignore[call-arg]


def test_each_profile_starts_what_it_needs_and_none_starts_the_gateway_alone() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {
        "gateway": [],
        "migrate": ["request", "schedule"],
        "worker": ["request", "schedule"],
        "scheduler": ["schedule"],
        "influxdb": ["influxdb"],
        "postgres": ["request", "schedule"],
        "broker": ["request", "schedule"],
        "redis": ["redis"],
    }
    assert {name: service.get("command") for name, service in OURS.items()} == {
        "gateway": None,
        "migrate": ["fluxgate", "migrate"],
        "worker": ["fluxgate", "worker"],
        "scheduler": ["fluxgate", "scheduler"],
    }


def test_every_setting_reaches_every_process_and_no_other_name_does() -> None:
    for service in OURS.values():
        assert {name.lower() for name in service["environment"]} == set(Settings.model_fields)


def test_the_gateway_alone_has_its_embedded_store(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = settings_of("gateway", {**KEY, "MAX_READS": "3"}, monkeypatch)
    assert (alone.influxdb_url, alone.state_database_url, alone.celery_broker_url) == (None, None, None)
    assert (str(alone.data_dir), alone.max_reads) == ("/data", 3)
    with pytest.raises(KeyError, match="set API_KEY"):
        settings_of("gateway", {}, monkeypatch)


@pytest.mark.parametrize("service", sorted(OURS))
def test_the_passwords_of_the_profiles_connect_every_process(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(service, {**KEY, **INFLUX, **JOBS}, monkeypatch)
    state, broker = settings.state_database_url, settings.celery_broker_url
    assert (settings.influxdb_url, settings.influxdb_org) == ("http://influxdb:8086", "plant")
    assert state is not None and broker is not None
    assert state.get_secret_value() == "postgresql+psycopg://fluxgate:secret2@postgres:5432/fluxgate"
    assert broker.get_secret_value() == "redis://:secret3@broker:6379/0"


def test_servers_elsewhere_win(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"CELERY_BROKER_URL": "amqp://rabbit//", "INFLUXDB_URL": "http://plant:8086", "INFLUXDB_ORG": "north"}
    settings = settings_of("worker", {**KEY, **INFLUX, **JOBS, **elsewhere}, monkeypatch)
    assert (settings.influxdb_url, settings.influxdb_org) == ("http://plant:8086", "north")
    assert settings.celery_broker_url is not None
    assert settings.celery_broker_url.get_secret_value() == "amqp://rabbit//"


@pytest.mark.parametrize(("service", "missing"), [("influxdb", "INFLUXDB_PASSWORD"), ("broker", "BROKER_PASSWORD")])
def test_a_server_without_a_password_does_not_start(service: str, missing: str) -> None:
    script = SERVICES[service]["entrypoint"][-1].replace("$$", "$")
    done = subprocess.run(
        ["/bin/sh", "-ec", script], env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=10
    )
    assert (done.returncode, missing in done.stderr) == (1, True)


def test_the_broker_never_evicts_and_is_not_the_cache() -> None:
    broker, cache = SERVICES["broker"]["entrypoint"][-1], " ".join(SERVICES["redis"]["command"])
    assert "--maxmemory-policy noeviction" in broker and "--appendonly yes" in broker
    assert "allkeys-lru" in cache
    assert "broker:/data" in SERVICES["broker"]["volumes"]


def test_every_process_is_probed_and_has_time_to_end() -> None:
    for role in ("worker", "scheduler"):
        assert SERVICES[role]["healthcheck"]["test"] == ["CMD", "fluxgate", "probe", role]
    for service in (OURS["gateway"], OURS["worker"], OURS["scheduler"]):
        assert int(service["stop_grace_period"].removesuffix("s")) > Settings().shutdown_grace_s + 10
        assert service["read_only"] is True and service["volumes"] == ["data:/data"]
    assert SERVICES["gateway"]["ports"] == ["127.0.0.1:8000:8000"]


def test_nothing_starts_before_what_it_needs() -> None:
    completed, healthy = "service_completed_successfully", "service_healthy"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": healthy}}
    for role in ("worker", "scheduler"):
        assert {name: need["condition"] for name, need in SERVICES[role]["depends_on"].items()} == {
            "migrate": completed,
            "broker": healthy,
        }
    assert all(need["required"] is False for need in SERVICES["gateway"]["depends_on"].values())
    needed = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    assert all("healthcheck" in SERVICES[name] for name in needed)


def test_images_of_others_have_a_version() -> None:
    for name, service in SERVICES.items():
        if name not in OURS:
            assert re.fullmatch(r"[a-z]+:[0-9][0-9.]*", service["image"]), name
