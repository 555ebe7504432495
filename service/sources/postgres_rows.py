"""Rows of PostgreSQL as columns, by COPY: the server writes CSV, and Arrow parses it.

A row never becomes Python objects. Measured with a million rows of text, float8 and timestamptz on two cores:
twice as fast as a binary server-side cursor (bench/sql_source.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from service.errors import InvalidParameter, StoreBroken
from service.frames.frame import TEXT_CODES
from service.sources.postgres_copy import copied_chunks
from service.sources.row_frames import RowBatch
from service.sources.sql_statement import Statement
from service.sources.sql_text import SqlDefinition
from service.sources.sql_times import TimeForm

_FIRST_OWN_TYPE = 16_384
"""Types with a greater number were made in the database: enumerations and the like, which print as text."""
_INTEGERS, _FLOATS, _NUMERIC, _TEXTS = (20, 21, 23, 26), (700, 701), 1700, (25, 1042, 1043, 19, 2950, 18)
_BOOLEAN, _DATE, _TIMESTAMP, _TIMESTAMPTZ = 16, 1082, 1114, 1184
_EPOCH_DECIMAL = pa.decimal128(38, 12)
_VALUES: Mapping[int, pa.DataType] = {
    **dict.fromkeys(_INTEGERS, pa.int64()),
    **dict.fromkeys(_FLOATS, pa.float64()),
    **dict.fromkeys(_TEXTS, pa.string()),
    _NUMERIC: pa.string(),
    _BOOLEAN: pa.bool_(),
}
"""How a value column is parsed, by the number of its type (pg_type.h)."""
_TIMES: Mapping[int, tuple[pa.DataType, TimeForm]] = {
    _TIMESTAMPTZ: (pa.timestamp("us", tz="UTC"), TimeForm.INSTANT),
    _TIMESTAMP: (pa.timestamp("us"), TimeForm.LOCAL),
    _DATE: (pa.date32(), TimeForm.LOCAL),
    **dict.fromkeys(_INTEGERS, (pa.int64(), TimeForm.NUMBER)),
    **dict.fromkeys(_FLOATS, (pa.float64(), TimeForm.NUMBER)),
    _NUMERIC: (_EPOCH_DECIMAL, TimeForm.NUMBER),
    **dict.fromkeys(_TEXTS, (pa.string(), TimeForm.TEXT)),
}


@dataclass(frozen=True)
class PostgresTypes:
    """How the value and the timestamp are parsed."""

    value: pa.DataType
    value_is_numeric: bool
    time: pa.DataType
    form: TimeForm


def postgres_types(connection: sa.Connection, statement: Statement, definition: SqlDefinition) -> PostgresTypes:
    """The types of the columns that `statement`, which gives no row, selects. Raises InvalidParameter."""
    with connection.execute(statement) as result:
        cursor: Any = result.cursor
        numbers = {column.name: (column.type_code, column.type_display) for column in cursor.description}
    value, value_name = numbers[definition.columns.value]
    time, time_name = numbers[definition.columns.timestamp]
    if value not in _VALUES and value < _FIRST_OWN_TYPE:
        reason = f"The column {definition.columns.value!r} is of the type {value_name}."
        advice = "Values are numbers, booleans and texts; cast it in a query."
        raise InvalidParameter(definition.member("value_column"), f"{reason} {advice}")
    if time not in _TIMES:
        reason = f"The column {definition.columns.timestamp!r} is of the type {time_name}, which holds no time."
        raise InvalidParameter(definition.member("timestamp_column"), f"{reason} Name another column.")
    return PostgresTypes(_VALUES.get(value, pa.string()), value == _NUMERIC, *_TIMES[time])


def postgres_rows(
    connection: sa.Connection,
    statement: Statement,
    types: PostgresTypes,
    timeout_s: float,
    check: Callable[[], None],
) -> Iterator[RowBatch]:
    """The rows of `statement`, which selects sensor, value and timestamp, in its order.

    `timeout_s`: the longest silence of the server. Its own limit for a statement does not apply here, because it would
    also count the time in which the reader sends what it has. `check` is called while the server is waited for.
    """
    compiled = statement.compile(dialect=connection.dialect)
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    raw: Any = connection.connection.dbapi_connection
    try:
        copy = f"COPY ({compiled}) TO STDOUT (FORMAT csv)"
        for chunk in copied_chunks(raw, copy, compiled.params, timeout_s, check):
            yield _parsed(chunk, types)
    except BaseException:
        # The rest is not wanted, or cannot be read. Ending the connection is cheaper than reading it all.
        connection.invalidate()
        raise


def _parsed(chunk: bytearray, types: PostgresTypes) -> RowBatch:
    names: Sequence[str] = ("sensor", "value", "time")
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(chunk),
            pyarrow.csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(chunk) + 1),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                column_types=dict(zip(names, (TEXT_CODES, types.value, types.time), strict=True)),
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as broken:
        finding = "Rows of the SQL database cannot be read: a text is no UTF-8, or a time is infinite or before year 1."
        raise StoreBroken(finding, advice="Leave such rows out with a query.", upstream=str(broken)) from None
    sensors, values, times = (column.combine_chunks() for column in table.columns)
    return RowBatch(sensors, values, types.value_is_numeric, times)
