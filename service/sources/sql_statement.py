"""The SQL of a source: rows of a window in a stable order, and the oldest time. SQLAlchemy writes it for each database.

Names are always quoted, so that a table may have any name; values go as binds.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.domain.timerange import format_time
from service.sources.sql_query import START, STOP
from service.sources.sql_text import UNITS, SqlDefinition
from service.sources.sql_times import Bounds, TimeForm, naive_datetime

_ALIAS = "source_rows"
Statement = sa.Select[Any] | sa.TextClause
SPACE, LETTER = " ", "T"
"""What stands between day and time in a text."""


@dataclass(frozen=True)
class TimeColumn:
    """How a database holds the times: their form, and for texts what stands between day and time.

    `has_offset`: the database takes a datetime with an offset, as PostgreSQL's `timestamptz`; else one in UTC.
    """

    form: TimeForm
    separator: str = SPACE
    has_offset: bool = True


def rows_statement(definition: SqlDefinition, backend: str, time: TimeColumn, limits: Bounds) -> Statement:
    """Sensor, value and timestamp of the rows in `limits`, by time, and in a stable order where times are equal.

    A query for SQL Server is taken as it is: there a query inside another can have neither ORDER BY nor WITH.
    """
    columns = definition.columns
    selected = [_column(name) for name in (columns.sensor, columns.value, columns.timestamp)]
    sensor, value, timestamp = selected
    order = [timestamp, *([_column(columns.order_by)] if columns.order_by else []), sensor, value]
    if definition.query is None:
        in_window = _in_window(timestamp, time, limits, definition)
        return sa.select(*selected).select_from(_table(definition)).where(in_window).order_by(*order)
    query = bound_query(definition, time, limits)
    if backend == "mssql":
        return query
    inner = query.columns(*(sa.column(column.name) for column in selected)).subquery(_ALIAS)
    return sa.select(*selected).select_from(inner).order_by(*order)


def oldest_statement(definition: SqlDefinition, backend: str, time: TimeColumn, limits: Bounds) -> Statement:
    """One row with the smallest time in `limits`, null when there is none. A query for SQL Server gives all rows."""
    timestamp = _column(definition.columns.timestamp)
    smallest = sa.select(sa.func.min(timestamp))
    if definition.query is None:
        return smallest.select_from(_table(definition)).where(_ever(timestamp, time, limits, definition))
    query = bound_query(definition, time, limits)
    if backend == "mssql":
        return query
    return smallest.select_from(query.columns(sa.column(definition.columns.timestamp)).subquery(_ALIAS))


def no_rows_statement(definition: SqlDefinition, time: TimeColumn, limits: Bounds) -> Statement:
    """A statement whose result has the columns of the source. The caller fetches no row."""
    if definition.query is not None:
        return bound_query(definition, time, limits)
    names = (definition.columns.sensor, definition.columns.value, definition.columns.timestamp)
    return sa.select(*map(_column, names)).select_from(_table(definition)).where(sa.false())


def sample_statement(definition: SqlDefinition, time: TimeColumn, limits: Bounds, most: int) -> Statement:
    """Some rows of the table that have a time, whichever are found first."""
    columns = definition.columns
    selected = [_column(name) for name in (columns.sensor, columns.value, columns.timestamp)]
    rows = sa.select(*selected).select_from(_table(definition))
    return rows.where(_ever(selected[2], time, limits, definition)).limit(most)


def bound_query(definition: SqlDefinition, time: TimeColumn, limits: Bounds) -> sa.TextClause:
    """The operator's query with its two binds."""
    assert definition.query is not None
    # A line end, because the query may end with a comment.
    return sa.text(f"{definition.query}\n").bindparams(
        _bind(START, limits.low_ns, time, time.separator, definition),
        _bind(STOP, limits.high_ns, time, time.separator, definition),
    )


def _ever(
    timestamp: sa.ColumnClause[Any],
    time: TimeColumn,
    limits: Bounds,
    definition: SqlDefinition,
) -> sa.ColumnElement[bool]:
    """Rows with a time that some window holds: PostgreSQL has infinite ones too. Texts are told apart when read."""
    return timestamp.is_not(None) if time.form is TimeForm.TEXT else _in_window(timestamp, time, limits, definition)


def _in_window(
    timestamp: sa.ColumnClause[Any],
    time: TimeColumn,
    limits: Bounds,
    definition: SqlDefinition,
) -> sa.ColumnElement[bool]:
    """Texts are compared as texts, so those with a space and those with a T are asked for by themselves."""
    separators = (SPACE, LETTER) if time.form is TimeForm.TEXT else (SPACE,)
    ranges = []
    for number, separator in enumerate(separators):
        low = _edge(f"{START}_{number}", limits.low_ns, time, separator, definition)
        high = _edge(f"{STOP}_{number}", limits.high_ns, time, separator, definition)
        ranges.append(sa.and_(timestamp >= low, timestamp < high))
    return sa.or_(*ranges)


def _edge(
    name: str, time_ns: int, time: TimeColumn, separator: str, definition: SqlDefinition
) -> sa.BindParameter[Any]:
    """A text without what is zero at its end: `08:00` comes before `08:00:00`, and both are the same time."""
    bind = _bind(name, time_ns, time, separator, definition)
    if time.form is TimeForm.TEXT:
        text = str(bind.value).removesuffix(":00")
        bind.value = text.removesuffix(f"{separator}00:00")
    return bind


def _bind(
    name: str, time_ns: int, time: TimeColumn, separator: str, definition: SqlDefinition
) -> sa.BindParameter[Any]:
    if time.form is TimeForm.NUMBER:
        return sa.bindparam(name, time_ns // UNITS[definition.unit or "s"], sa.BigInteger())
    if time.form is TimeForm.TEXT:
        text = format_time(time_ns).removesuffix("Z").replace(LETTER, separator)
        return sa.bindparam(name, text, sa.String())
    moment = naive_datetime(time_ns)
    if time.form is TimeForm.INSTANT and time.has_offset:
        return sa.bindparam(name, moment.replace(tzinfo=dt.UTC), sa.DateTime(timezone=True))
    return sa.bindparam(name, moment, sa.DateTime())


def _column(name: str) -> sa.ColumnClause[Any]:
    return sa.column(sa.sql.quoted_name(name, quote=True))


def _table(definition: SqlDefinition) -> sa.TableClause:
    assert definition.table is not None
    schema = None if definition.schema is None else sa.sql.quoted_name(definition.schema, quote=True)
    return sa.table(sa.sql.quoted_name(definition.table, quote=True), schema=schema)
