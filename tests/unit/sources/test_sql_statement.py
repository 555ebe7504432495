"""The SQL of a source, as each database gets it. SQL Server is in no test that runs, so its text is compared."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql, sqlite

from service.sources.sql_statement import Statement, TimeColumn, oldest_statement, rows_statement
from service.sources.sql_text import SqlColumns, SqlDefinition
from service.sources.sql_times import TimeForm, bounds
from tests.support.rows import span

WINDOW = span("2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z")
QUERY = "SELECT s, v, t FROM r WHERE t >= :start_time AND t < :end_time"
DIALECTS = {
    "mssql": mssql.dialect(),
    "mysql": mysql.dialect(),
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(),
}


def definition(**members: Any) -> SqlDefinition:
    members = {"table": "r", **members}
    return SqlDefinition("source.sql", sa.make_url("sqlite://"), True, SqlColumns("s", "v", "t"), "m", **members)


def text(statement: Statement, backend: str) -> str:
    return " ".join(str(statement.compile(dialect=DIALECTS[backend])).split())


@pytest.mark.parametrize(
    ("backend", "form", "expected"),
    [
        (
            "mssql",
            TimeForm.LOCAL,
            "SELECT [s], [v], [t] FROM [dbo].[r] WHERE [t] >= :start_time_0 AND [t] < :end_time_0 "
            "ORDER BY [t], [s], [v]",
        ),
        (
            "mysql",
            TimeForm.LOCAL,
            "SELECT `s`, `v`, `t` FROM `dbo`.`r` WHERE `t` >= %s AND `t` < %s ORDER BY `t`, `s`, `v`",
        ),
        (
            "sqlite",
            TimeForm.TEXT,
            'SELECT "s", "v", "t" FROM "dbo"."r" WHERE "t" >= ? AND "t" < ? OR "t" >= ? AND "t" < ? '
            'ORDER BY "t", "s", "v"',
        ),
    ],
)
def test_the_rows_of_a_table(backend: str, form: TimeForm, expected: str) -> None:
    source = definition(schema="dbo", zone="UTC")
    statement = rows_statement(source, backend, TimeColumn(form), bounds(WINDOW, form, source))
    assert text(statement, backend) == expected


def test_a_query_of_sql_server_is_taken_as_it_is() -> None:
    source = definition(table=None, query=f"WITH r AS (SELECT * FROM x) {QUERY} ORDER BY t", zone="UTC")
    limits = bounds(WINDOW, TimeForm.LOCAL, source)
    for make in (rows_statement, oldest_statement):
        statement = make(source, "mssql", TimeColumn(TimeForm.LOCAL), limits)
        assert text(statement, "mssql") == str(source.query)


def test_a_query_of_another_database_is_put_in_order() -> None:
    source = definition(table=None, query=QUERY, unit="s")
    statement = rows_statement(source, "mysql", TimeColumn(TimeForm.NUMBER), bounds(WINDOW, TimeForm.NUMBER, source))
    inner = "SELECT s, v, t FROM r WHERE t >= %s AND t < %s"
    assert text(statement, "mysql") == f"SELECT `s`, `v`, `t` FROM ({inner} ) AS source_rows ORDER BY `t`, `s`, `v`"
    assert statement.compile(dialect=DIALECTS["mysql"]).params == {"start_time": 1767225600, "end_time": 1767226200}


def test_a_statement_of_postgresql_says_the_type_of_its_binds() -> None:
    source = definition()
    statement = rows_statement(
        source, "postgresql", TimeColumn(TimeForm.INSTANT), bounds(WINDOW, TimeForm.INSTANT, source)
    )
    compiled = statement.compile(dialect=DIALECTS["postgresql"])
    assert [str(value) for value in compiled.params.values()] == [
        "2026-01-01 00:00:00+00:00",
        "2026-01-01 00:10:00+00:00",
    ]
