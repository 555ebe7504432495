"""How the times of a query stand in its rows, where only a row can tell: in SQLite, MySQL and SQL Server."""

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa

from service.sources.sql_statement import LETTER, SPACE, Statement, TimeColumn
from service.sources.sql_times import TimeForm


def sampled_time(connection: sa.Connection, statement: Statement, place: int) -> TimeColumn | None:
    """The form of the time in the first row of `statement`; None without any row, or with another type there."""
    options = {"stream_results": True, "max_row_buffer": 1}
    with connection.execute(statement, execution_options=options) as result:
        row = result.fetchone()
    if row is None:
        return None
    time = row[place]
    if isinstance(time, dt.datetime):
        return TimeColumn(TimeForm.LOCAL if time.tzinfo is None else TimeForm.INSTANT)
    if isinstance(time, dt.date):
        return TimeColumn(TimeForm.LOCAL)
    if isinstance(time, (int, float, Decimal)):
        return TimeColumn(TimeForm.NUMBER)
    if isinstance(time, str):
        return TimeColumn(TimeForm.TEXT, LETTER if time[10:11] == LETTER else SPACE)
    return None
