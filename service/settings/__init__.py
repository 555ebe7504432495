"""Every setting with its default and its description. docs/settings.md and `.env.example` are made from them.

A value comes from the environment, else from `.env`, else from a file with the setting's name in the directory that
FLUXGATE_SECRETS_DIR names (container secrets). Nothing is read at import.
"""

import difflib
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.domain.addresses import WrongAddress, parse_address
from service.domain.endpoint import TOKEN_PREFIX
from service.errors import ConfigurationError
from service.settings.backup import BackupSettings
from service.settings.cache import CacheSettings
from service.settings.connector import ConnectorSettings
from service.settings.processes import ProcessSettings
from service.settings.sql_source import SqlSourceSettings
from service.settings.telemetry import TelemetrySettings
from service.settings.texts import duration, empty_is_absent, from_json, separated
from service.settings.weather import WeatherSettings

SECRETS_DIRECTORY = "FLUXGATE_SECRETS_DIR"
ENV_FILE = ".env"
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
"""What browsers send as Origin: lower case, without a path."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
OTHER_NAMES = (SECRETS_DIRECTORY, "FLUXGATE_DEMO", "FLUXGATE_URL", "FLUXGATE_CACHE", "FLUXGATE_REQUIRE_SERVERS")
"""Environment variables of Fluxgate that are no settings of the service."""
CLIENT_KEY = "FLUXGATE_API_KEY"
"""The key that clients send, as the command line does. In the file of settings it is a mistake for API_KEY."""
_SHORTEST_REDACTED_PASSWORD = 8
"""A shorter password may be a common word. Redacting that word everywhere would spoil the log."""


class Settings(
    ProcessSettings,
    WeatherSettings,
    BackupSettings,
    ConnectorSettings,
    SqlSourceSettings,
    TelemetrySettings,
    CacheSettings,
    BaseSettings,
):
    """The settings of a process. A member has the name of its environment variable, in lower case."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        case_sensitive=False,
        allow_inf_nan=False,
    )

    api_key: SecretStr | None = Field(
        None,
        description="One key with every scope; at least 16 characters. `fluxgate keys create` makes more keys.",
    )
    influxdb_url: str | None = Field(
        None,
        description="Address of InfluxDB 2.x or Cloud, such as http://127.0.0.1:8086. Absent: the embedded store.",
    )
    influxdb_token: SecretStr | None = Field(
        None,
        description="Token with read and write access to the buckets that are served.",
    )
    influxdb_org: str | None = Field(None, description="Name or ID of the organization.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis for the cache, such as redis://127.0.0.1:6379/0. Absent: a cache in the process.",
    )
    state_database_url: SecretStr | None = Field(
        None,
        description="State database, such as postgresql+psycopg://user:password@host/name. Absent: SQLite in DATA_DIR.",
    )
    celery_broker_url: SecretStr | None = Field(
        None,
        description="Broker for workers, such as redis://127.0.0.1:6379/1. Absent: jobs run inside the service.",
    )
    influxdb_cloud_url: str | None = Field(
        None,
        description="InfluxDB that the mirror `cloud` copies into the gateway's own store. Absent: no such mirror.",
    )
    influxdb_cloud_token: SecretStr | None = Field(None, description="Token of INFLUXDB_CLOUD_URL, with read access.")
    influxdb_cloud_org: str | None = Field(None, description="Organization of INFLUXDB_CLOUD_URL.")
    cloud_bucket: str | None = Field(None, description="The bucket that `cloud` copies. Absent: all buckets.")
    local_bucket: str | None = Field(
        None,
        description="The bucket that CLOUD_BUCKET is copied to. Absent: a bucket of the same name.",
    )
    cloud_schedule: str = Field(
        "0 * * * *",
        description="When `cloud` runs, besides at the start of the gateway: a cron expression in UTC.",
    )
    cloud_refresh: str | None = Field(
        None,
        description="The time between two runs of `cloud` as HH:MM:SS, instead of CLOUD_SCHEDULE.",
    )
    mirrors_file: Path | None = Field(
        None,
        description="File with mirrors. Absent: mirrors.yaml in DATA_DIR, if there is one.",
    )
    mirror_private_addresses: bool = Field(
        True,
        description="Allow mirrors to reach private addresses and this machine; off: only public ones."
        " Link-local and metadata addresses are never allowed.",
    )
    mirror_token_variables: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Variables that `token_env` of mirrors and connectors may name besides FLUXGATE_TOKEN_*, by commas;"
        " no setting of the gateway itself.",
    )
    buckets_file: Path | None = Field(
        None,
        description="JSON file with buckets that are made at the start where they are absent (docs/writing.md).",
    )
    schedules: Annotated[dict[str, Any], NoDecode] = Field(
        {},
        description="Schedules by name, as JSON. The same name in the section `schedules` wins (docs/jobs.md).",
    )
    data_dir: Path = Field(Path("data"), description="Directory of the embedded store and of the SQLite state.")
    latitude: float | None = Field(None, ge=-90, le=90, description="Latitude attached to telemetry, degrees north.")
    longitude: float | None = Field(None, ge=-180, le=180, description="Longitude attached to telemetry, degrees east.")

    telemetry_word: str = Field(
        "real",
        min_length=1,
        description="Measurements whose name contains this word are telemetry.",
    )
    telemetry_lookback: str = Field("30s", description="How far back the latest telemetry is looked for.")
    default_every: str = Field("30m", description="Window length of a read without `every`.")
    max_windows: int = Field(1_000_000, gt=0, description="Most windows a series of one read may have.")
    max_reads: int = Field(
        8,
        gt=0,
        description="Most reads at one time in each worker; more get 429. One key gets up to three quarters.",
    )
    read_timeout_s: float = Field(600, gt=0, description="Longest time a read may take, in seconds.")
    send_timeout_s: float = Field(
        60,
        gt=0,
        description="How long a client may read nothing of an answer before its connection is reset, in seconds.",
    )
    influxdb_connect_timeout_s: float = Field(
        5,
        gt=0,
        description="Longest wait for a connection to InfluxDB, in seconds.",
    )
    influxdb_silence_timeout_s: float = Field(
        60,
        gt=0,
        description="Longest wait for the next bytes of InfluxDB, in seconds.",
    )
    max_body_mb: int = Field(25, gt=0, description="Largest body of a write as sent, in MB.")
    max_unpacked_mb: int = Field(250, gt=0, description="Largest body of a write once unpacked, in MB.")
    max_document_kb: int = Field(
        1024,
        gt=0,
        description="Largest JSON document, such as a configuration or a list of new buckets, in kB.",
    )
    body_silence_s: float = Field(30, gt=0, description="Longest wait for the next bytes of a body, in seconds.")
    body_timeout_s: float = Field(600, gt=0, description="Longest time for a whole body to arrive, in seconds.")

    max_writes: int = Field(
        4,
        gt=0,
        description="Most writes at one time in each worker, of bodies over 64 KB or packed; more wait, then get 429."
        " One key gets up to three quarters.",
    )
    max_write_memory_mb: int = Field(
        500,
        gt=0,
        description="Most memory that the parsed points of one write may take, in MB.",
    )
    write_timeout_s: float = Field(
        120,
        gt=0,
        description="Longest time a write may take, counted from its first byte, in seconds.",
    )

    cache_closed_s: float = Field(600, ge=0, description="How long an answer about a closed range is kept, in seconds.")
    cache_open_s: float = Field(
        10,
        ge=0,
        description="How long an answer about a window that ends now is kept, in seconds; never longer than `every`.",
    )
    cache_telemetry_s: float = Field(1, ge=0, description="How long the latest telemetry is kept, in seconds.")
    cache_memory_mb: int = Field(128, ge=0, description="Size of the cache in the process, in MB. 0 turns caching off.")
    cache_answer_mb: int = Field(8, gt=0, description="Largest answer that is cached or shared, in MB.")

    embedded_memory_mb: int = Field(512, ge=64, description="Memory that the embedded store may use, in MB.")
    embedded_threads: int = Field(2, gt=0, description="Threads of the embedded store.")
    embedded_shard: str = Field("1w", description="Shard-group length of buckets in the embedded store.")

    job_slots: int = Field(2, gt=0, description="Most jobs at one time, in each process that runs jobs.")
    job_lease_s: float = Field(
        30,
        ge=2,
        description="How long a job's process may be silent before another process takes over the job, in seconds.",
    )

    key_outage_s: float = Field(
        300,
        ge=0,
        description="How long a key that was valid is trusted while the state database does not answer, in seconds."
        " The same time applies to coordinates.",
    )
    max_connections: int = Field(
        512,
        gt=0,
        description="Most connections at one time in each worker; 32 more are answered, on /health/ only.",
    )
    max_connections_per_address: int = Field(
        128,
        gt=0,
        description="Most connections from one address in each worker; TRUSTED_PROXIES have no such limit.",
    )
    head_timeout_s: float = Field(10, gt=0, description="Longest time for the head of a request to arrive, in seconds.")
    keep_alive_s: int = Field(5, gt=0, description="How long a connection without a request stays open, in seconds.")
    max_request_line_bytes: int = Field(16_384, ge=1024, description="Longest path with its parameters, in bytes.")
    max_header_bytes: int = Field(16_384, ge=1024, description="Largest header, in bytes.")
    max_head_bytes: int = Field(65_536, ge=1024, description="Largest head of a request, in bytes.")
    max_headers: int = Field(100, ge=10, description="Most headers of a request.")
    max_failed_tries: int = Field(
        20,
        gt=0,
        description="Wrong keys that one address may send in a minute before it has to wait.",
    )
    docs_enabled: bool = Field(True, description="Serve /docs, /redoc and /openapi.json.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages' scripts may read answers, such as https://plant.example.org, "
        "by commas; * for all.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses of proxies whose X-Forwarded-For is trusted, separated by commas.",
    )
    log_level: str = Field(
        "info",
        pattern="^(debug|info|warning|error)$",
        description="Least severe level that is logged: debug, info, warning, error.",
    )
    log_json: bool = Field(False, description="Log one JSON object per line; off: readable text.")

    _from_json = field_validator("schedules", mode="before")(from_json)

    @field_validator("influxdb_url", "influxdb_cloud_url")
    @classmethod
    def _is_address(cls, text: str | None) -> str | None:
        try:
            return None if text is None else str(parse_address(text))
        except WrongAddress as wrong:
            raise ValueError(str(wrong)) from None

    @field_validator("redis_url", "state_database_url", "celery_broker_url", "celery_result_backend")
    @classmethod
    def _has_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SCHEME.match(value.get_secret_value()):
            raise ValueError("this is no address: it begins with a scheme, such as redis:// or postgresql+psycopg://")
        return value

    _is_duration = field_validator("telemetry_lookback", "embedded_shard")(duration)

    @field_validator("default_every")
    @classmethod
    def _is_duration_or_raw(cls, text: str) -> str:
        return text if text == "raw" else duration(text)

    _separated = field_validator("trusted_proxies", "mirror_token_variables", "cors_origins", mode="before")(separated)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [origin for origin in origins if origin != "*" and not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no origin. Write it as browsers do, like https://plant.example.org:8443")
        if "*" in origins and len(origins) > 1:
            raise ValueError("* means every origin. Write it alone, or name origins")
        return origins

    @field_validator("mirror_token_variables")
    @classmethod
    def _is_no_gateway_variable(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        taken = [name for name in names if name.lower() in cls.model_fields or name.upper() in OTHER_NAMES]
        if taken:
            raise ValueError(
                f"{taken[0]} is the gateway's own variable. Put the mirror's token into another one, FLUXGATE_TOKEN_…",
            )
        return names

    _empty_is_absent = field_validator(
        "api_key",
        "openweathermap_api_key",
        "weather_url",
        "influxdb_url",
        "influxdb_token",
        "influxdb_org",
        "redis_url",
        "state_database_url",
        "celery_broker_url",
        "celery_result_backend",
        "influxdb_cloud_url",
        "influxdb_cloud_token",
        "influxdb_cloud_org",
        "cloud_bucket",
        "local_bucket",
        "cloud_refresh",
        "mirrors_file",
        "buckets_file",
        mode="before",
    )(empty_is_absent)

    @model_validator(mode="after")
    def _groups_are_complete(self) -> Self:
        if self.influxdb_url is not None and (self.influxdb_token is None or self.influxdb_org is None):
            raise ValueError("INFLUXDB_URL is set, so INFLUXDB_TOKEN and INFLUXDB_ORG are needed too")
        cloud_members = self.influxdb_cloud_token, self.influxdb_cloud_org
        if self.influxdb_cloud_url is not None and None in cloud_members:
            raise ValueError("INFLUXDB_CLOUD_URL is set, so INFLUXDB_CLOUD_TOKEN and INFLUXDB_CLOUD_ORG are needed too")
        if self.local_bucket is not None and self.cloud_bucket is None:
            raise ValueError("LOCAL_BUCKET is set, so CLOUD_BUCKET is needed too")
        return self


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of this process. Warn about unknown FLUXGATE_ names in the environment and in `.env`.

    Raises:
        ConfigurationError: names each wrong setting and the reason, and never the value of a secret.
    """
    names = {*unknown_names(dotenv_values(ENV_FILE)), *unknown_names(environment)} - ({CLIENT_KEY} & environment.keys())
    for name in sorted(names):
        known = [setting.upper() for setting in Settings.model_fields]
        near = difflib.get_close_matches(name.removeprefix("FLUXGATE_"), known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        # With one and the same place for all, Python shows each warning once per process.
        warnings.warn(f"{name} is no setting of Fluxgate and has no effect.{hint}", stacklevel=1)
    directory = environment.get(SECRETS_DIRECTORY)
    if directory and not Path(directory).is_dir():
        raise ConfigurationError(
            f"{SECRETS_DIRECTORY}={directory} is no directory. Name the one with the secret files, or leave it out.",
        )
    try:
        return Settings(_secrets_dir=directory)  # type: ignore[call-arg]
    except ValidationError as broken:
        errors = broken.errors(include_input=False)
        reasons = "; ".join(_wrong_setting(tuple(map(str, error["loc"])), error["msg"]) for error in errors)
        raise ConfigurationError(f"Some settings are wrong. {reasons}. See .env.example for all of them.") from None


def _wrong_setting(location: tuple[str, ...], message: str) -> str:
    """A wrong setting and the reason in one clause. `location` is empty when several settings do not fit together."""
    reason = message.removeprefix("Value error, ").removeprefix("it=").rstrip(".")
    return f"{'.'.join(location).upper()}: {reason}" if location else reason


def unknown_names(environment: Mapping[str, str | None]) -> Iterator[str]:
    """The names that begin like a setting of Fluxgate and are none, sorted."""
    ours = (name for name in sorted(environment) if name.startswith("FLUXGATE_"))
    return (name for name in ours if not name.startswith(TOKEN_PREFIX) and name not in OTHER_NAMES)


def secret_values(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The values that no log may show: secret settings, passwords in addresses, and tokens of mirrors."""
    fields = (getattr(settings, name) for name in Settings.model_fields)
    values = [value.get_secret_value() for value in fields if isinstance(value, SecretStr)]
    names = (name for name in environment if name.startswith(TOKEN_PREFIX) or name in settings.mirror_token_variables)
    tokens = [environment[name] for name in names if environment[name]]
    shown = [*values, *tokens]
    return [*shown, *(password for value in shown for password in _passwords(value))]


def _passwords(value: str) -> set[str]:
    """The password in an address, as written and decoded, because drivers print it without the address."""
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return set()
    return {form for form in (password, unquote(password)) if len(form) >= _SHORTEST_REDACTED_PASSWORD}


def documented() -> Iterator[tuple[str, str, str]]:
    """Name, default as text (empty: no default) and description of each setting.

    Those of the cache, of backups, of connectors and of SQL sources come last, in this order.
    """
    mixins = SqlSourceSettings, ConnectorSettings, BackupSettings, CacheSettings
    groups = [mixin.model_fields for mixin in mixins]
    for name in sorted(Settings.model_fields, key=lambda name: [name in group for group in groups]):
        field = Settings.model_fields[name]
        default = field.default
        if default is None or default == ():
            text = ""
        elif isinstance(default, bool):
            text = str(default).lower()
        else:
            text = f"{default:g}" if isinstance(default, float) else str(default)
        yield name.upper(), text, str(field.description)
