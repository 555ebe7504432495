"""A SQL database as a source: the rows of a table or of a query, window by window."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from service.domain.addresses import AddressPolicy
from service.domain.timerange import EVER, TimeRange
from service.errors import InvalidParameter
from service.sources.postgres_rows import PostgresTypes, postgres_rows, postgres_types
from service.sources.row_frames import RowBatch, RowFrames
from service.sources.sql_address import sql_address
from service.sources.sql_database import SqlDatabase
from service.sources.sql_rows import MixedTimes, sql_rows
from service.sources.sql_sample import sampled_time
from service.sources.sql_schema import check_columns, table_types
from service.sources.sql_statement import (
    Statement,
    TimeColumn,
    no_rows_statement,
    oldest_statement,
    rows_statement,
    sample_statement,
)
from service.sources.sql_text import SqlDefinition
from service.sources.sql_times import Bounds, TimeForm, bounds, instants, required_form, rounded, shown_times
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log

_SAMPLED_ROWS = 1_000


@dataclass(frozen=True)
class _Shape:
    """What is known of the columns. `places`: where sensor, value and timestamp stand in a row."""

    time: TimeColumn
    places: tuple[int, int, int] = (0, 1, 2)
    is_float: bool = False
    postgres: PostgresTypes | None = None


class SqlSource:
    """Rows as long frames with the tag `sensor`. Each window is one transaction that only reads.

    `addresses`: where a host that configuration names may lead. One thread uses it.
    """

    def __init__(self, definition: SqlDefinition, addresses: AddressPolicy, control: RunControl, log: Log) -> None:
        self._definition = definition
        policy = AddressPolicy.ANYWHERE if definition.trusted else addresses
        member = "DATABASE_URL" if definition.trusted else definition.member("url_env")
        self._database = SqlDatabase(sql_address(definition.url, member, policy), definition.timeout_s)
        self._control = control
        self._log = log
        self._known: _Shape | None = None

    def check(self) -> None:
        """Find the table, its columns and their types, or what the query selects. Of a table, look at some rows too."""
        with self._database.session() as connection:
            shape = self._shape(connection)
            if self._definition.query is not None:
                return
            ever = self._bounds(EVER, shape.time)
            rows = RowFrames(self._definition, shape.time.form, EVER, ever)
            statement = sample_statement(self._definition, shape.time, ever, _SAMPLED_ROWS)
            for batch in self._general_batches(connection, statement, shape):
                rows.check(batch)

    def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
        """Rows by time, and at one time by `order_by`, sensor and value. Null values are left out, and counted."""
        with self._database.session() as connection:
            shape = self._shape(connection)
            asked = self._bounds(window, shape.time)
            rows = RowFrames(self._definition, shape.time.form, window, asked)
            with contextlib.closing(self._batches(connection, shape, asked)) as batches:
                for batch in batches:
                    self._control.check()
                    yield from rows.frames(batch)
        if rows.nulls:
            column = self._definition.columns.value
            self._log("warning", f"{rows.nulls:,} rows have no value in the column {column!r}, and are left out.")

    def oldest_ns(self) -> int | None:
        """The oldest time, found by the database."""
        with self._database.session() as connection:
            shape = self._shape(connection)
            asked = self._bounds(EVER, shape.time)
            statement = oldest_statement(self._definition, self._database.backend, shape.time, asked)
            with self._database.limited(connection):
                row = connection.execute(statement).fetchone()
        place = shape.places[2] if self._is_taken_as_it_is() else 0
        if row is None or row[place] is None:
            return None
        return self._instant_ns(row[place], shape)

    def close(self) -> None:
        self._database.close()

    def _instant_ns(self, time: object, shape: _Shape) -> int:
        """Raises InvalidParameter."""
        shown, is_utc = shown_times(pa.array([time]), shape.time.form, self._definition)
        return int(instants(shown, is_utc, self._definition)[0].value)

    def _batches(self, connection: sa.Connection, shape: _Shape, asked: Bounds) -> Generator[RowBatch]:
        statement = rows_statement(self._definition, self._database.backend, shape.time, asked)
        if shape.postgres is not None:
            yield from postgres_rows(
                connection, statement, shape.postgres, self._definition.timeout_s, self._control.check
            )
            return
        yield from self._general_batches(connection, statement, shape)

    def _general_batches(self, connection: sa.Connection, statement: Statement, shape: _Shape) -> Iterator[RowBatch]:
        try:
            yield from sql_rows(connection, statement, self._database.limited, shape.places, shape.is_float)
        except MixedTimes as mixed:
            column = self._definition.columns.timestamp
            finding = f"Times of the column {column!r} {mixed}."
            raise InvalidParameter(self._definition.member("timestamp_column"), finding) from None

    def _bounds(self, window: TimeRange, time: TimeColumn) -> Bounds:
        limits = bounds(window, time.form, self._definition)
        is_rounded = self._database.backend == "mssql" and time.form is TimeForm.LOCAL
        return rounded(limits) if is_rounded else limits

    def _is_taken_as_it_is(self) -> bool:
        return self._database.backend == "mssql" and self._definition.query is not None

    def _shape(self, connection: sa.Connection) -> _Shape:
        if self._known is None:
            shape, is_certain = self._found_shape(connection)
            required_form(shape.time.form, self._definition)
            if not is_certain:
                return shape
            self._known = shape
        return self._known

    def _found_shape(self, connection: sa.Connection) -> tuple[_Shape, bool]:
        """The columns, and whether rows that come later cannot show them to be others."""
        with self._database.limited(connection):
            if self._definition.query is None:
                return self._table_shape(connection), True
            return self._query_shape(connection)

    def _table_shape(self, connection: sa.Connection) -> _Shape:
        types = table_types(connection, self._definition)
        if self._database.backend == "postgresql":
            return self._postgres_shape(connection)
        if types.form is None:
            column = self._definition.columns.timestamp
            reason = f"The column {column!r} is of the type {types.type_name}, which holds no time."
            raise InvalidParameter(self._definition.member("timestamp_column"), reason)
        return _Shape(self._time_column(types.form), is_float=types.is_float)

    def _query_shape(self, connection: sa.Connection) -> tuple[_Shape, bool]:
        time = self._time_column(self._bind_form())
        statement = no_rows_statement(self._definition, time, self._bounds(TimeRange(0, 1), time))
        options = {"stream_results": self._database.backend != "postgresql"}
        with contextlib.closing(connection.execute(statement, execution_options=options)) as result:
            names = list(result.keys())
        check_columns(self._definition, names)
        if self._database.backend == "postgresql":
            return self._postgres_shape(connection), True
        columns = self._definition.columns
        places = (0, 1, 2)
        if self._is_taken_as_it_is():
            places = (names.index(columns.sensor), names.index(columns.value), names.index(columns.timestamp))
        asked = self._bounds(EVER, time)
        sampled = sampled_time(
            connection, rows_statement(self._definition, self._database.backend, time, asked), places[2]
        )
        return _Shape(sampled or time, places), sampled is not None

    def _postgres_shape(self, connection: sa.Connection) -> _Shape:
        time = self._time_column(self._bind_form())
        statement = no_rows_statement(self._definition, time, self._bounds(TimeRange(0, 1), time))
        types = postgres_types(connection, statement, self._definition)
        return _Shape(self._time_column(types.form), postgres=types)

    def _time_column(self, form: TimeForm) -> TimeColumn:
        return TimeColumn(form, has_offset=self._database.backend not in ("mysql", "mariadb"))

    def _bind_form(self) -> TimeForm:
        """In which form a query gets its binds, before a row shows how its times stand."""
        if self._definition.unit is not None:
            return TimeForm.NUMBER
        if self._database.backend == "sqlite":
            return TimeForm.TEXT
        return TimeForm.INSTANT if self._definition.zone is None else TimeForm.LOCAL
