"""A query of the configuration is one statement that reads, and holds the two binds of its window."""

import pytest
import sqlalchemy as sa

from service.errors import InvalidParameter
from service.sources.sql_query import bindable, check_query

BOUND = "t >= :start_time AND t < :end_time"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT a FROM b WHERE {BOUND}",
        f"  select a from b where {BOUND} ;  ",
        f"WITH x AS (SELECT 1) SELECT a FROM x WHERE {BOUND} -- a comment; with DELETE",
        f"SELECT 'DROP; it''s :other' AS a, \"update\" FROM b WHERE {BOUND}",
        f"SELECT b.update, a::int /* ; */ FROM b WHERE {BOUND}",
        f"SELECT $x$ ; :y $x$, `insert` FROM b WHERE {BOUND}",
        "SELECT a FROM b WHERE t BETWEEN :start_time AND :end_time AND c = '\\:'",
    ],
)
def test_a_query_that_reads(query: str) -> None:
    check_query(query, "query")
    assert set(sa.text(bindable(query))._bindparams) == {"start_time", "end_time"}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "no SELECT"),
        ("DELETE FROM b", "no SELECT"),
        ("-- SELECT\nDROP TABLE b", "no SELECT"),
        (f"SELECT a FROM b WHERE {BOUND}; DROP TABLE b", "more than one statement"),
        (f"WITH x AS (DELETE FROM b RETURNING *) SELECT * FROM x WHERE {BOUND}", "DELETE"),
        (f"SELECT a INTO c FROM b WHERE {BOUND}", "INTO"),
        (f"SELECT a FROM b WHERE {BOUND} FOR UPDATE", "UPDATE"),
        ("SELECT a FROM b WHERE t >= :start_time", "lacks :end_time"),
        ("SELECT a FROM b", "lacks :start_time and :end_time"),
        ("SELECT ':start_time', ':end_time' FROM b", "lacks :start_time and :end_time"),
        ("SELECT a FROM b -- :start_time :end_time", "lacks :start_time and :end_time"),
        ("SELECT a FROM b WHERE t >= :start_times AND t < :end_time", "lacks :start_time"),
        (f"SELECT a FROM b WHERE {BOUND} AND c = :site", "put in for :site"),
        (f"SELECT 'a FROM b WHERE {BOUND}", "never closed"),
        (f"SELECT a FROM b WHERE {BOUND} /* open", "never closed"),
    ],
)
def test_a_query_that_is_refused(query: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        check_query(query, "source.sql.query")
