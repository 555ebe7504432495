"""A SQL database as a source, as people write it: a table with its columns, or a query with two binds.

The address of the database never stands in the configuration. It is DATABASE_URL, or a variable of the environment
that `url_env` names.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from service.domain.durations import SECOND_NS, parse_duration
from service.errors import InvalidParameter
from service.sources.rules import SourceRules, SqlDefaults
from service.sources.sql_query import bindable, check_query
from service.sources.store_text import settle_ns, zone_name

Name = Annotated[str, Field(min_length=1, max_length=500)]
UNITS = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
Unit = Literal["s", "ms", "us", "ns"]
_DEFAULT_MEASUREMENT = "sql"


class ValueType(StrEnum):
    """What values are: `NUMBER` also reads numbers from a text column, and refuses other texts."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class SqlColumns:
    """The names of the columns that are read. `order_by` orders rows of one time."""

    sensor: str
    value: str
    timestamp: str
    order_by: str | None = None


@dataclass(frozen=True)
class SqlDefinition:
    """What is read of which database.

    `place`: where the members stand, as errors say it. `trusted`: the operator set the address as a setting, so that
    any host, and a file, may stand in it. Either `table` or `query` is given. `zone`: of timestamps without an offset.
    `unit`: of timestamps that are numbers since 1970. `value_type` None: what the column says.
    """

    place: str
    url: sa.URL = field(repr=False)
    trusted: bool
    columns: SqlColumns
    measurement: str
    table: str | None = None
    schema: str | None = None
    query: str | None = None
    field: str = "value"
    zone: str | None = None
    unit: str | None = None
    value_type: ValueType | None = None
    settle_ns: int = 0
    timeout_s: float = 60.0

    def member(self, name: str) -> str:
        """The full name of a member, as errors say it."""
        return f"{self.place}.{name}"


class SqlText(BaseModel):
    """Each member that is absent has the value of the setting of the same name, such as SQL_SENSOR_COLUMN."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    url_env: str | None = Field(None, max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    table: Name | None = None
    schema_name: Name | None = Field(None, alias="schema")
    query: str | None = Field(None, min_length=1, max_length=20_000)
    sensor_column: Name | None = None
    value_column: Name | None = None
    timestamp_column: Name | None = None
    order_by: Name | None = None
    measurement: Name | None = None
    field: Name = "value"
    zone: str | None = None
    unit: Unit | None = None
    value_type: ValueType | None = None
    settle: str | None = None
    timeout: str | None = None

    def definition(self, place: str, rules: SourceRules) -> SqlDefinition:
        """The source, whose members stand at `place`. Nothing is connected to. Raises InvalidParameter."""
        defaults = rules.sql
        url, trusted = self._url(place, rules)
        table = self._table(place, defaults)
        zone = self.zone or defaults.zone
        return SqlDefinition(
            place=place,
            url=url,
            trusted=trusted,
            columns=self._columns(defaults),
            measurement=self.measurement or table or _DEFAULT_MEASUREMENT,
            table=table,
            schema=None if table is None else self.schema_name or defaults.schema,
            query=None if self.query is None else bindable(self.query),
            field=self.field,
            zone=None if zone is None else zone_name(zone, f"{place}.zone"),
            unit=self.unit or defaults.unit,
            value_type=self.value_type,
            settle_ns=settle_ns(self.settle or defaults.settle, f"{place}.settle"),
            timeout_s=parse_duration(self.timeout or defaults.timeout, f"{place}.timeout") / SECOND_NS,
        )

    def _columns(self, defaults: SqlDefaults) -> SqlColumns:
        return SqlColumns(
            self.sensor_column or defaults.sensor_column,
            self.value_column or defaults.value_column,
            self.timestamp_column or defaults.timestamp_column,
            self.order_by or defaults.order_by,
        )

    def _table(self, place: str, defaults: SqlDefaults) -> str | None:
        """The table to read; None where a query is given. The query is checked."""
        if self.query is not None:
            if self.table is not None or self.schema_name is not None:
                raise InvalidParameter(f"{place}.query", "Give either table or query, not both.")
            check_query(self.query, f"{place}.query")
            return None
        table = self.table or defaults.table
        if table is None:
            raise InvalidParameter(f"{place}.table", "Say what to read: give table, or query, or set SQL_TABLE.")
        return table

    def _url(self, place: str, rules: SourceRules) -> tuple[sa.URL, bool]:
        if self.url_env is not None:
            text = rules.variables.value(self.url_env, f"{place}.url_env", "addresses of databases")
            return parsed_url(text, f"{place}.url_env"), False
        if rules.sql.url is None:
            reason = "No database is configured. Set DATABASE_URL, or name the variable that holds the address here"
            raise InvalidParameter(f"{place}.url_env", f"{reason}: url_env.")
        return parsed_url(rules.sql.url, "DATABASE_URL"), True


def parsed_url(text: str, parameter: str) -> sa.URL:
    """The address of a database. The error never shows the text, which holds a password. Raises InvalidParameter."""
    try:
        return sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        example = "postgresql+psycopg://user:password@host/name"
        raise InvalidParameter(parameter, f"This is no address of a database. Write {example}.") from None
