"""The settings of backups: where they go, when they run, how they are packed and protected, and how long they stay."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from service.domain.local_time import is_zone
from service.settings.texts import empty_is_absent, separated

_SHORTEST_KEY = 16


class BackupSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    backup_dir: Path | None = Field(None, description="Folder for backups. Absent: the folder backups in DATA_DIR.")
    backup_s3_bucket: str | None = Field(
        None,
        description="Bucket of S3-compatible storage for backups, instead of BACKUP_DIR. Needs `fluxgate-gateway[s3]`.",
    )
    backup_s3_prefix: str = Field("", description="Where in BACKUP_S3_BUCKET backups lie, such as plant/north.")
    backup_s3_endpoint: str | None = Field(
        None,
        description="Address of the object storage, such as https://minio.example:9000. Absent: Amazon S3.",
    )
    backup_s3_region: str = Field("us-east-1", description="Region of BACKUP_S3_BUCKET.")
    backup_s3_access_key: SecretStr | None = Field(None, description="Access key for BACKUP_S3_BUCKET.")
    backup_s3_secret_key: SecretStr | None = Field(None, description="Secret key for BACKUP_S3_BUCKET.")
    backup_nightly: bool = Field(
        False, description="Back up every night at BACKUP_TIME, and test-restore by BACKUP_DRILL."
    )
    backup_time: str = Field(
        "23:59", description="When the nightly backup begins, HH:MM in BACKUP_ZONE.", pattern=r"^\d{2}:\d{2}$"
    )
    backup_zone: str = Field("UTC", description="Time zone (IANA name) of BACKUP_TIME, BACKUP_DRILL and the retention.")
    backup_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Buckets of the nightly backup, separated by commas. Absent: all.",
    )
    backup_drill: str = Field(
        "30 3 * * 0",
        description="When the newest complete backup is test-restored: a cron expression, or `never`. "
        "Needs BACKUP_NIGHTLY.",
    )
    backup_compression: Literal["gzip", "zstd"] = Field(
        "gzip",
        description="`gzip`, which `influx write` reads, or `zstd`, which is faster and smaller.",
    )
    backup_parquet: bool = Field(
        False, description="Write each slice as Parquet too, for DuckDB, Spark, Trino and Athena."
    )
    backup_passphrase: SecretStr | None = Field(
        None,
        description="Encrypts backups at rest; without it they cannot be read. Needs `fluxgate-gateway[age]`.",
    )
    backup_hmac_key: SecretStr | None = Field(
        None,
        description="Signs manifests, at least 16 characters. A backup without the signature counts as damaged.",
    )
    backup_keep_last: int = Field(0, ge=0, description="How many of the newest complete backups are kept.")
    backup_keep_daily: int = Field(
        0, ge=0, description="For how many days the newest complete backup of the day is kept."
    )
    backup_keep_weekly: int = Field(0, ge=0, description="The same for weeks.")
    backup_keep_monthly: int = Field(0, ge=0, description="The same for months.")
    backup_keep_yearly: int = Field(
        0,
        ge=0,
        description="The same for years. With all BACKUP_KEEP_ settings at 0 nothing is ever removed.",
    )
    backup_concurrency: int = Field(
        2, ge=1, le=16, description="Slices or shards that a backup or a restore moves at one time."
    )
    backup_rate_mb: float = Field(
        0, ge=0, description="Megabytes a second that a backup reads at most: points, or packed shards; 0: no limit."
    )
    backup_pause_ms: int = Field(0, ge=0, le=60_000, description="Pause after each slice or shard of a backup.")
    backup_max_upload_gb: int = Field(
        1000, ge=1, description="Gigabytes (10^9 bytes) that one uploaded backup may have; MAX_BODY_MB is not for it."
    )
    backup_max_age_hours: int = Field(
        0,
        ge=0,
        description="/health/ready warns when the last complete backup is older; "
        "0: 36 with BACKUP_NIGHTLY, else never.",
    )
    backup_ping_start: SecretStr | None = Field(None, description="Address that is called when a backup starts.")
    backup_ping_success: SecretStr | None = Field(
        None,
        description="Address that is called after a complete backup: a dead man's switch such as Healthchecks.",
    )
    backup_ping_failure: SecretStr | None = Field(
        None,
        description="Address that is called after a partial or failed backup.",
    )
    influxdb_operator_token: SecretStr | None = Field(
        None,
        description="Operator token of INFLUXDB_URL, for physical backups and restores alone. "
        "It holds the whole server: keep it out of `.env`.",
    )

    @field_validator("backup_zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Berlin")
        return name

    @field_validator("backup_time")
    @classmethod
    def _is_time(cls, text: str) -> str:
        hour, minute = map(int, text.split(":"))
        if hour > 23 or minute > 59:
            raise ValueError(f"{text!r} is no time of day, such as 23:59")
        return text

    _separated_buckets = field_validator("backup_buckets", mode="before")(separated)

    _empty_backup_setting_is_absent = field_validator(
        "backup_dir",
        "backup_s3_bucket",
        "backup_s3_endpoint",
        "backup_s3_access_key",
        "backup_s3_secret_key",
        "backup_passphrase",
        "backup_hmac_key",
        "backup_ping_start",
        "backup_ping_success",
        "backup_ping_failure",
        "influxdb_operator_token",
        mode="before",
    )(empty_is_absent)

    @model_validator(mode="after")
    def _backup_settings_fit(self) -> Self:
        if self.backup_dir is not None and self.backup_s3_bucket is not None:
            raise ValueError("BACKUP_DIR and BACKUP_S3_BUCKET are both set: backups go to one place")
        if (self.backup_s3_access_key is None) != (self.backup_s3_secret_key is None):
            raise ValueError("BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY belong together: set both or none")
        if self.backup_hmac_key is not None and len(self.backup_hmac_key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"BACKUP_HMAC_KEY has fewer than {_SHORTEST_KEY} characters")
        return self
