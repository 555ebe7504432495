"""The settings of SQL sources. Connectors that name another table or column in their configuration use that."""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from service.settings.texts import empty_is_absent


class SqlSourceSettings(BaseModel):
    """Names are the environment's, in lower case here."""

    database_url: SecretStr | None = Field(
        None,
        description="SQL database that connectors read, such as postgresql+psycopg://user:password@host/name.",
    )
    sql_table: str | None = Field(None, description="Table that is read. Absent: each connector names one, or a query.")
    sql_schema: str | None = Field(None, description="Schema of SQL_TABLE. Absent: that of the database's user.")
    sql_sensor_column: str = Field("sensor", min_length=1, description="Column with the names of sensors.")
    sql_value_column: str = Field("value", min_length=1, description="Column with the values.")
    sql_timestamp_column: str = Field("timestamp", min_length=1, description="Column with the times.")
    sql_order_by: str | None = Field(
        None, description="Column that orders rows of one sensor and time, such as an id. Absent: the value does."
    )
    sql_zone: str | None = Field(
        None, description="Time zone (IANA name) of times without an offset. Absent: such a column is refused."
    )
    sql_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        None, description="Unit of times that are numbers since 1970. Absent: such a column is refused."
    )
    sql_settle: str = Field("0s", description="How long after its time a row may still be committed.")
    sql_timeout: str = Field("60s", description="Longest wait for an answer of the database.")

    _empty_sql_setting_is_absent = field_validator(
        "database_url", "sql_table", "sql_schema", "sql_order_by", "sql_zone", "sql_unit", mode="before"
    )(empty_is_absent)
