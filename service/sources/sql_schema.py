"""Finds the tables and columns of a source in its database, and how times and values stand there."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.mssql import DATETIMEOFFSET
from sqlalchemy.dialects.mysql import TIMESTAMP as MYSQL_TIMESTAMP

from service.domain.near_names import near_names
from service.errors import InvalidParameter
from service.sources.sql_text import SqlDefinition
from service.sources.sql_times import TimeForm


@dataclass(frozen=True)
class ColumnTypes:
    """What a table declares. `form` None: a type that holds no time. `is_float`: every value is meant as a float."""

    form: TimeForm | None
    type_name: str
    is_float: bool


def table_types(connection: sa.Connection, definition: SqlDefinition) -> ColumnTypes:
    """The types of the columns of the table. Raises InvalidParameter when the table or a column is not there."""
    inspector = sa.inspect(connection)
    assert definition.table is not None
    try:
        found = inspector.get_columns(definition.table, definition.schema)
    except sa.exc.NoSuchTableError:
        found = []
    if not found:
        raise _no_table(inspector, definition)
    types = {column["name"]: column["type"] for column in found}
    check_columns(definition, types)
    time, value = types[definition.columns.timestamp], types[definition.columns.value]
    form = _form(time, connection.dialect.name)
    return ColumnTypes(form, str(time.__class__.__name__).lower(), isinstance(value, (sa.Float, sa.Numeric)))


def check_columns(definition: SqlDefinition, names: Iterable[str]) -> None:
    """Raises InvalidParameter, with near names, for a column of the source that is not among `names`."""
    known = list(names)
    columns = definition.columns
    wanted = {
        "sensor_column": columns.sensor,
        "value_column": columns.value,
        "timestamp_column": columns.timestamp,
        **({"order_by": columns.order_by} if columns.order_by else {}),
    }
    for member, name in wanted.items():
        if name not in known:
            place = f"the table {definition.table!r}" if definition.query is None else "what the query selects"
            near = near_names(name, known)
            listed = ", ".join(map(repr, known[:20]))
            hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are: {listed}."
            raise InvalidParameter(definition.member(member), f"There is no column {name!r} in {place}. {hint}")


def _no_table(inspector: sa.Inspector, definition: SqlDefinition) -> InvalidParameter:
    assert definition.table is not None
    known = [*inspector.get_table_names(definition.schema), *inspector.get_view_names(definition.schema)]
    near = near_names(definition.table, known)
    hint = (
        f"Did you mean {' or '.join(map(repr, near))}?" if near else "Check its name, and give `schema` if it has one."
    )
    schema = "" if definition.schema is None else f" in the schema {definition.schema!r}"
    finding = f"There is no table {definition.table!r}{schema} that the user may see. {hint}"
    return InvalidParameter(definition.member("table"), finding)


def _form(column_type: sa.types.TypeEngine[object], dialect: str) -> TimeForm | None:
    """SQLite declares types and keeps whatever is stored: there a time is a text, or a number where it says so."""
    if isinstance(column_type, (DATETIMEOFFSET, MYSQL_TIMESTAMP)):
        return TimeForm.INSTANT
    if isinstance(column_type, (sa.DateTime, sa.Date)):
        if dialect == "sqlite":
            return TimeForm.TEXT
        return TimeForm.INSTANT if getattr(column_type, "timezone", False) else TimeForm.LOCAL
    if isinstance(column_type, (sa.Integer, sa.Numeric)):
        return TimeForm.NUMBER
    if isinstance(column_type, sa.String) or (dialect == "sqlite" and isinstance(column_type, sa.types.NullType)):
        return TimeForm.TEXT
    return None
