"""The settings of connectors: the connector `default`, and limits for all."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from service.settings.texts import empty_is_absent, separated

_MOST_MINUTES = 1440


class ConnectorSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    post_data_endpoint: str | None = Field(
        None,
        description="Address that the connector `default` posts to. Absent: there is no such connector.",
    )
    post_data_api_key: SecretStr | None = Field(
        None, description="Sent to POST_DATA_ENDPOINT as `Authorization: Bearer`. Absent: nothing is sent."
    )
    connector_bucket: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Buckets that `default` sends, separated by commas. Absent: what DATABASE_URL holds.",
    )
    connector_sensor: str = Field(
        "{measurement}.{field}",
        description="Name of a sensor at POST_DATA_ENDPOINT, of {measurement}, {field} and {tag.KEY}. With this default"
        " the sensors of a SQL database have the names that they have there.",
    )
    fetch_data_interval: int = Field(5, ge=1, le=_MOST_MINUTES, description="Minutes between two runs of `default`.")
    batch_size: int = Field(
        5, ge=1, le=_MOST_MINUTES, description="Minutes of data in one window of `default`; a post never holds more."
    )
    connector_start: str = Field(
        "now",
        description="Where `default` begins while it has no bookmark: `now`, `oldest`, or an RFC 3339 time."
        " A stored bookmark wins.",
    )
    connector_settle: str = Field(
        "30s", description="How old a window of `default` is before it is sent, so that late values are in it."
    )
    connector_private_addresses: bool = Field(
        True,
        description="Allow connectors to post to private addresses and this machine; off: only to public ones."
        " Link-local and metadata addresses are never allowed.",
    )
    connector_slots: int = Field(
        8, ge=1, le=64, description="Most runs of connectors at one time in each process, beside JOB_SLOTS."
    )
    connector_run_s: float = Field(
        30, gt=0, description="After so many seconds a run of a connector makes way for others, and goes on later."
    )
    connector_max_request_days: int = Field(366, ge=1, description="Longest range of one request, in days.")
    connector_max_dead_letters: int = Field(
        100_000,
        ge=1,
        description="Most refused values that are kept for one connector. A connector that has more stops.",
    )
    connector_max_lag_minutes: int = Field(
        0, ge=0, description="/health/ready warns when a connector's bookmark is older; 0: never."
    )

    _separated_connector_buckets = field_validator("connector_bucket", mode="before")(separated)
    _empty_connector_setting_is_absent = field_validator("post_data_endpoint", "post_data_api_key", mode="before")(
        empty_is_absent
    )

    @model_validator(mode="after")
    def _connector_settings_fit(self) -> Self:
        if self.post_data_api_key is not None and self.post_data_endpoint is None:
            raise ValueError("POST_DATA_API_KEY is set, so POST_DATA_ENDPOINT is needed too")
        return self
