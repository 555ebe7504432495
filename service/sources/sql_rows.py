"""Rows of any database that SQLAlchemy speaks to, as columns. The driver makes one object per value; nothing else does.

The cursor stays at the server where the driver offers that, and a bounded number of rows is fetched at a time.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from service.sources.row_frames import RowBatch
from service.sources.sql_statement import Statement

_ROWS = 20_000
Limited = Callable[[sa.Connection], AbstractContextManager[None]]


class MixedTimes(ValueError):
    """Times of one column have several types. The message is the end of a sentence."""


def sql_rows(
    connection: sa.Connection,
    statement: Statement,
    limited: Limited,
    columns: Sequence[int],
    is_float: bool,
) -> Iterator[RowBatch]:
    """The rows of `statement` in its order. `columns`: where sensor, value and timestamp stand in a row.

    `limited` bounds each wait for the database. `is_float`: whole numbers are meant as floats. Raises MixedTimes.
    """
    with limited(connection):
        options = {"stream_results": True, "max_row_buffer": _ROWS}
        result = connection.execute(statement, execution_options=options)
    try:
        while True:
            with limited(connection):
                rows = result.fetchmany(_ROWS)
            if not rows:
                break
            whole = list(zip(*rows, strict=True))
            sensors, values, times = (whole[column] for column in columns)
            yield RowBatch(_texts(sensors), *_values(values, is_float), _times(times))
    except BaseException:
        # The rest is not wanted, or cannot be read.
        _forget_rest(result)
        connection.invalidate()
        raise
    result.close()


def _forget_rest(result: sa.CursorResult[Any]) -> None:
    """PyMySQL reads all rows that are left before it closes a cursor, also from a connection that is closed."""
    rest: Any = getattr(result.cursor, "_result", None)
    if hasattr(rest, "unbuffered_active"):
        rest.unbuffered_active = False


def _texts(names: Sequence[Any]) -> pa.Array:
    """Sensors of other types than text (numbers, UUIDs) by how Python prints them."""
    if set(map(type, names)) <= {str, type(None)}:
        return pa.array(names, pa.string())
    return pa.array([None if name is None else _printed(name) for name in names], pa.string())


def _values(values: Sequence[Any], is_float: bool) -> tuple[pa.Array, bool]:
    """The values, and whether they are numbers as text: decimals, and numbers of several types, are read exactly later.

    A text among numbers is among them, and refused then.
    """
    types = set(map(type, values)) - {type(None)}
    if types == {float}:
        return pa.array(values, pa.float64(), from_pandas=False), False
    if types == {int} and not is_float:
        present = [value for value in values if value is not None]
        if min(present) >= -(2**63) and max(present) < 2**63:
            return pa.array(values, pa.int64()), False
        if min(present) >= 0 and max(present) < 2**64:
            return pa.array(values, pa.uint64()), False
    if types in ({bool}, {str}, set()) or not types <= {int, float, Decimal, bool, str}:
        return _single_type(values), False
    return pa.array([None if value is None else _printed(value) for value in values], pa.string()), True


def _single_type(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value).encode() for value in values], pa.binary())


def _times(times: Sequence[Any]) -> pa.Array:
    types = set(map(type, times)) - {type(None)}
    if types == {int, float}:
        return pa.array(list(map(float, times)), pa.float64())
    if len(types) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in types))
        raise MixedTimes(f"have several types: {names}")
    if types == {Decimal}:
        return pa.array(times, pa.decimal128(38, 9))
    if types and not types <= {str, int, float, dt.datetime, dt.date}:
        raise MixedTimes(f"are of the type {types.pop().__name__}, which holds no time")
    return pa.array(times)


def _printed(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, float) else str(value)
