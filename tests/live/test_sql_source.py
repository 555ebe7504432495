"""SQL sources on real PostgreSQL and MariaDB: exact times and values, half-open windows, and nothing written."""

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from service.config.token_variables import TokenVariables
from service.domain.addresses import AddressPolicy
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, QueryRefused, StoreDenied, StoreError, StoreTimeout, StoreUnavailable
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.rules import SourceRules, SqlDefaults
from tests.support.proxy import End, Proxy, Toxic
from tests.support.rows import Row, at, row, span
from tests.support.sources import DAY, FREE, QUERY, Log, opened, rows_in, sql_opener, sql_rows_in

pytestmark = pytest.mark.live
START_NS = DAY.start_ns
"""2026-01-01T00:00:00Z."""


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()


@pytest.fixture
def postgres(fresh_postgres_url: str) -> str:
    """A PostgreSQL with a table of instants whose edges lie on a window's."""
    execute(
        fresh_postgres_url,
        "CREATE TABLE readings (sensor text, value double precision, timestamp timestamptz)",
        """INSERT INTO readings VALUES
           ('boiler', 71.5, '2026-01-01 00:00:00+00'), ('boiler', 0.1, '2025-12-31 23:59:59.999999+00'),
           ('tank', 'NaN', '2026-01-01 23:59:59.999999+00'), ('tank', 4, '2026-01-02 00:00:00+00'),
           ('tank', NULL, '2026-01-01 12:00:00+00'), ('tank', '-0', '2026-01-01 12:00:00.000001+00')""",
    )
    return fresh_postgres_url


def reading(sensor: str, time: str, value: float | int | str | bool) -> Row:
    return row("readings", {"sensor": sensor}, "value", time, value)


EXPECTED = [
    reading("boiler", "2026-01-01T00:00:00Z", 71.5),
    reading("tank", "2026-01-01T12:00:00.000001Z", -0.0),
    reading("tank", "2026-01-01T23:59:59.999999Z", float("nan")),
]


def test_a_table_of_instants(postgres: str) -> None:
    log = Log()
    assert sql_rows_in(postgres, DAY, log, table="readings") == EXPECTED
    assert log == [("warning", "1 rows have no value in the column 'value', and are left out.")]


def test_a_process_with_more_than_1024_open_files_reads_as_well(postgres: str) -> None:
    """The fast path waited with `select`, which takes no descriptor from 1024 on."""
    resource = pytest.importorskip("resource", reason="a descriptor of Windows is no small number")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as cleanup:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        cleanup.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        for _ in range(1_024):
            cleanup.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        assert sql_rows_in(postgres, table="readings") == EXPECTED


def test_a_query_with_its_two_binds(postgres: str) -> None:
    query = f"{QUERY.replace('value', 'value::numeric / 1 AS value')} AND sensor <> ':x' -- 100 % of :them"
    rows = sql_rows_in(postgres, query=query, measurement="readings")
    assert [found.shown for found in rows] == ["71.5", "0.0", "nan"]  # PostgreSQL's numeric has no -0
    with pytest.raises(InvalidParameter, match="Write >= :start_time and < :end_time"):
        sql_rows_in(postgres, query=QUERY.replace("< :end", "<= :end"))


def test_a_window_of_microseconds(postgres: str) -> None:
    edge_ns = at("2026-01-01T12:00:00.000001Z")
    for window, count in (
        (TimeRange(edge_ns - 1, edge_ns), 0),
        (TimeRange(edge_ns - 1, edge_ns + 1), 1),
        (TimeRange(edge_ns, edge_ns + 1), 1),
        (TimeRange(edge_ns + 1, edge_ns + 2), 0),
    ):
        assert len(sql_rows_in(postgres, window, table="readings")) == count


@pytest.mark.parametrize(
    ("column", "literal", "expected"),
    [
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("smallint", "-1", -1),
        ("real", "0.1", 0.1),
        ("numeric", "0.1", 0.1),
        ("numeric", "12345678901234567890.123", "12345678901234567890.123"),
        ("numeric(12,2)", "1000000000.25", 1000000000.25),
        ("boolean", "true", True),
        ("text", "E'line\\nend, \"quoted\"; 🌡'", 'line\nend, "quoted"; 🌡'),
        ("text", "''", ""),
        ("varchar(9)", "'NULL'", "NULL"),
        ("double precision", "'-Infinity'", float("-inf")),
        ("double precision", "5e-324", 5e-324),
        ("double precision", "0.1::float8 + 0.2::float8", 0.30000000000000004),
    ],
)
def test_values_are_exact(fresh_postgres_url: str, column: str, literal: str, expected: Any) -> None:
    execute(
        fresh_postgres_url,
        f"CREATE TABLE readings (sensor text, value {column}, timestamp timestamptz)",
        f"INSERT INTO readings VALUES ('a', {literal}, '2026-01-01+00')",
    )
    assert sql_rows_in(fresh_postgres_url, table="readings") == [reading("a", "2026-01-01T00:00:00Z", expected)]


def test_columns_that_are_refused_before_anything_is_read(postgres: str) -> None:
    execute(
        postgres,
        "CREATE TABLE odd (sensor text, value jsonb, timestamp timestamp, kind point)",
        "INSERT INTO odd VALUES ('a', '{}', '2026-01-01', NULL)",
    )
    for members, member, text in (
        ({"table": "odd", "zone": "UTC"}, "value_column", "of the type jsonb"),
        ({"table": "odd", "value_column": "sensor"}, "zone", "times without an offset"),
        ({"table": "odd", "value_column": "sensor", "timestamp_column": "kind"}, "timestamp_column", "type point"),
        ({"table": "odd", "value_column": "sensr"}, "value_column", "Did you mean 'sensor'"),
        ({"table": "reading"}, "table", "Did you mean 'readings'"),
        ({"table": "readings", "schema": "other"}, "table", "in the schema 'other'"),
        ({"query": QUERY.replace("sensor,", "")}, "sensor_column", "There are: 'value', 'timestamp'"),
    ):
        with pytest.raises(InvalidParameter, match=text) as wrong:
            sql_rows_in(postgres, **members)
        assert wrong.value.parameter == f"source.sql.{member}"
    with pytest.raises(QueryRefused, match="is no number: 'a'"):
        sql_rows_in(postgres, table="odd", zone="UTC", value_column="sensor", value_type="number")


def test_times_of_a_local_clock_in_the_hour_that_autumn_repeats(fresh_postgres_url: str) -> None:
    execute(
        fresh_postgres_url,
        "CREATE TABLE readings (sensor text, value int, timestamp timestamp)",
        """INSERT INTO readings VALUES ('a', 1, '2026-10-25 01:59:59'), ('a', 2, '2026-10-25 02:30:00'),
           ('a', 3, '2026-10-25 02:30:00'), ('a', 4, '2026-10-25 03:00:00')""",
    )
    edges = [at(f"2026-10-25T{hour:02}:00:00Z") for hour in range(4)]
    with opened(sql_opener(fresh_postgres_url), {"sql": {"table": "readings", "zone": "Europe/Berlin"}}) as source:
        source.check()
        hours = [[found.shown for found in rows_in(source, TimeRange(*piece))] for piece in itertools.pairwise(edges)]
        assert source.oldest_ns() == at("2026-10-24T23:59:59Z")
    assert hours == [[], ["2", "3"], ["4"]]  # both occurrences, in the window of the later one


def test_numbers_since_1970(fresh_postgres_url: str) -> None:
    for number, (kind, literal, unit) in enumerate(
        [
            ("bigint", "1767225600123", "ms"),
            ("double precision", "1767225600.125", "s"),
            ("numeric", "1767225600.123456789", "s"),
            ("bigint", "1767225600123456789", "ns"),
        ]
    ):
        table = f"t{number}"
        execute(
            fresh_postgres_url,
            f"CREATE TABLE {table} (sensor text, value int, timestamp {kind})",
            f"INSERT INTO {table} VALUES ('a', 1, {literal})",
        )
        (found,) = sql_rows_in(fresh_postgres_url, table=table, unit=unit)
        fraction = literal.removeprefix("1767225600").removeprefix(".").ljust(9, "0")
        assert found.time_ns == START_NS + int(fraction)


HOSTILE = ['say "so"; DROP TABLE x', "it's", "%(start_time)s :end_time", "Größe 🌡", "COPY"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name(fresh_postgres_url: str, mariadb: str, name: str) -> None:
    for url, quote in ((fresh_postgres_url, '"'), (mariadb, "`")):
        if quote == "`" and "🌡" in name:
            continue  # MariaDB takes no such character in a name
        quoted = quote + name.replace(quote, 2 * quote) + quote
        text = name.replace("'", "''")
        execute(
            url,
            f"CREATE TABLE {quoted} ({quoted} varchar(99), value int, timestamp timestamp)",
            f"INSERT INTO {quoted} VALUES ('{text}', 1, '2026-01-01')",
        )
        rows = sql_rows_in(url, table=name, sensor_column=name, zone="UTC")
        assert rows == [row(name, {"sensor": name}, "value", START_NS, 1)]


def test_times_without_an_end_are_in_no_window(postgres: str) -> None:
    execute(postgres, "INSERT INTO readings VALUES ('a', 1, '-infinity'), ('a', 1, 'infinity'), ('a', 1, NULL)")
    with opened(sql_opener(postgres), {"sql": {"table": "readings"}}) as source:
        source.check()
        assert source.oldest_ns() == at("2025-12-31T23:59:59.999999Z")
        assert rows_in(source, DAY) == EXPECTED


def test_a_query_that_writes_is_refused_by_the_database(postgres: str) -> None:
    execute(postgres, "CREATE SEQUENCE counter")
    with pytest.raises(QueryRefused, match="because it writes"):
        sql_rows_in(postgres, query=QUERY.replace("value", "nextval('counter') AS value"))


def test_a_slow_query_is_ended_here_and_at_the_server(postgres: str) -> None:
    slow = QUERY.replace("value", "pg_sleep(60)::text AS value")
    with pytest.raises(StoreTimeout, match="silent for 1 s"):
        sql_rows_in(postgres, query=slow, timeout="1s")
    engine = sa.create_engine(postgres)
    with engine.connect() as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
        assert connection.exec_driver_sql(running.replace("%", "%%") + " AND pid <> pg_backend_pid()").scalar() == 0
    engine.dispose()


def test_a_check_ends_in_time_too(postgres: str) -> None:
    execute(
        postgres,
        "CREATE VIEW slow AS SELECT sensor, value + length(pg_sleep(60)::text) AS value, timestamp FROM readings",
    )
    with (
        opened(sql_opener(postgres), {"sql": {"table": "slow", "timeout": "1s"}}) as source,
        pytest.raises(StoreTimeout),
    ):
        source.check()


def test_a_database_that_is_away_denies_or_breaks_off(postgres: str) -> None:
    engine_url = sa.make_url(postgres)
    away = engine_url.set(port=1).render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable) as unreachable:
        sql_rows_in(away, table="readings")
    assert "127.0.0.1" not in unreachable.value.message
    nobody = engine_url.set(username="nobody_here").render_as_string(hide_password=False)
    with pytest.raises(StoreDenied):
        sql_rows_in(nobody, table="readings")


def test_a_source_that_is_left_early_can_be_read_again(postgres: str) -> None:
    execute(
        postgres,
        "INSERT INTO readings SELECT 's' || i, i, timestamptz '2026-01-03+00' + i * interval '1 ms' "
        "FROM generate_series(0, 99999) i",
    )
    with opened(sql_opener(postgres), {"sql": {"table": "readings"}}) as source:
        frames = source.frames(span("2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"))
        next(frames)
        frames.close()  # type: ignore[attr-defined]
        assert rows_in(source, DAY) == EXPECTED


def test_a_row_that_is_no_text_is_refused_and_the_source_can_be_read_again(postgres: str) -> None:
    execute(postgres, "INSERT INTO readings VALUES ('', 1, '2026-01-05+00')")
    with opened(sql_opener(postgres), {"sql": {"table": "readings"}}) as source:
        with pytest.raises(QueryRefused, match="has no sensor"):
            rows_in(source, span("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"))
        assert rows_in(source, DAY) == EXPECTED


@pytest.mark.parametrize("end", End)
def test_a_connection_that_breaks_is_no_end_of_the_rows(postgres: str, end: End) -> None:
    execute(
        postgres,
        "INSERT INTO readings SELECT 's' || i, i, timestamptz '2026-01-03+00' + i * interval '1 ms' "
        "FROM generate_series(0, 199999) i",
    )
    with contextlib.closing(Proxy(sa.make_url(postgres).port or 0)) as proxy:
        through = sa.make_url(postgres).set(port=proxy.port).render_as_string(hide_password=False)
        with opened(sql_opener(through), {"sql": {"table": "readings", "timeout": "2s"}}) as source:
            proxy.become(Toxic(pass_bytes=2_000_000, end=end))
            with pytest.raises(StoreError):
                rows_in(source, span("2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"))


def test_an_address_that_configuration_names_leads_where_it_may(postgres: str) -> None:
    variables = TokenVariables(environment={"FLUXGATE_TOKEN_DB": postgres})
    text = SourceText.model_validate({"sql": {"url_env": "FLUXGATE_TOKEN_DB", "table": "readings"}})
    store = sql_opener(postgres).store
    private = SourceOpener(store, SourceRules(AddressPolicy.PRIVATE_TOO, variables, SqlDefaults()))
    public = SourceOpener(store, SourceRules(AddressPolicy.PUBLIC_ONLY, variables, SqlDefaults()))
    with contextlib.closing(private.open(text, FREE)) as source:
        assert rows_in(source, DAY) == EXPECTED
    with (
        contextlib.closing(public.open(text, FREE)) as source,
        pytest.raises(InvalidParameter, match="loopback") as wrong,
    ):
        source.check()
    assert wrong.value.parameter == "source.sql.url_env"


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[str]:
    """A new database of a real MariaDB."""
    port = sa.make_url(mariadb_url).port or 0
    with contextlib.closing(pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True)) as link:
        link.cursor().execute("CREATE DATABASE plant CHARACTER SET utf8mb4")
        yield mariadb_url.rsplit("/", 1)[0] + "/plant"
        link.cursor().execute("DROP DATABASE plant")


def test_mariadb_has_instants_and_local_times(mariadb: str) -> None:
    execute(
        mariadb,
        "SET time_zone = '+02:00'",
        "CREATE TABLE readings (id int, sensor varchar(50), value decimal(20,6), timestamp timestamp(6) NOT NULL "
        "DEFAULT '2000-01-01', local datetime(6))",
        """INSERT INTO readings VALUES (2, 'a🌡', 1.5, '2026-01-01 02:00:00.000001', '2026-10-25 02:30:00'),
           (1, 'b', 12345678901234.567891, '2026-01-01 02:00:00.000001', '2026-10-25 01:30:00'),
           (3, 'c', NULL, '2026-01-01 02:00:00.000001', NULL)""",
    )
    assert sql_rows_in(mariadb, table="readings", order_by="id") == [
        reading("b", "2026-01-01T00:00:00.000001Z", "12345678901234.567891"),
        reading("a🌡", "2026-01-01T00:00:00.000001Z", 1.5),
    ]
    day = span("2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z")
    local = sql_rows_in(mariadb, day, table="readings", timestamp_column="local", zone="Europe/Berlin")
    assert [found.time_ns for found in local] == [at("2026-10-24T23:30:00Z"), at("2026-10-25T01:30:00Z")]
    query = QUERY.replace("value", "value AS value")
    rows = sql_rows_in(mariadb, query=query, zone="UTC", measurement="readings")
    assert [found.shown for found in rows] == ["1.5", "'12345678901234.567891'"]


def test_a_source_of_mariadb_that_is_left_early_can_be_read_again(mariadb: str) -> None:
    execute(
        mariadb,
        "CREATE TABLE readings (sensor varchar(50), value int, timestamp datetime(6))",
        "INSERT INTO readings SELECT concat('s', seq), seq, '2026-01-01' + INTERVAL seq MICROSECOND "
        "FROM seq_0_to_29999",
    )
    for members in ({"table": "readings"}, {"query": QUERY}):
        with opened(sql_opener(mariadb), {"sql": {**members, "zone": "UTC"}}) as source:
            frames = source.frames(DAY)
            next(frames)
            frames.close()  # type: ignore[attr-defined]
            assert len(rows_in(source, TimeRange(START_NS, START_NS + 50_000))) == 50
            assert sum(frame.num_rows for frame in source.frames(DAY)) == 30_000


def test_mariadb_waits_for_a_reader_that_sends_what_it_has(mariadb: str) -> None:
    """The server ends a connection whose reader pauses for longer than `net_write_timeout`, 60 s by default."""
    rows = 60_000
    execute(
        mariadb,
        "SET GLOBAL net_write_timeout = 1",
        "CREATE TABLE readings (sensor varchar(500), value int, timestamp datetime(6))",
        "INSERT INTO readings SELECT repeat('s', 500), seq, '2026-01-01' + INTERVAL seq MICROSECOND "
        f"FROM seq_1_to_{rows}",
    )
    try:
        with opened(sql_opener(mariadb), {"sql": {"table": "readings", "zone": "UTC"}}) as source:
            frames = source.frames(DAY)
            first = next(frames)
            time.sleep(3)
            assert first.num_rows + sum(frame.num_rows for frame in frames) == rows
    finally:
        execute(mariadb, "SET GLOBAL net_write_timeout = DEFAULT")


def test_mariadb_refuses_to_write_and_ends_what_is_slow(mariadb: str) -> None:
    execute(
        mariadb,
        "CREATE TABLE readings (sensor varchar(50), value int, timestamp timestamp)",
        "INSERT INTO readings VALUES ('a', 1, '2026-01-01')",
        "CREATE FUNCTION busy() RETURNS int BEGIN INSERT INTO readings VALUES ('b', 1, now()); RETURN 1; END",
    )
    with pytest.raises(QueryRefused, match="because it writes"):
        sql_rows_in(mariadb, query=QUERY.replace("value", "busy() AS value"), zone="UTC")
    with pytest.raises(StoreError):
        sql_rows_in(mariadb, query=QUERY.replace("value", "sleep(30) AS value"), zone="UTC", timeout="1s")
    with pytest.raises(InvalidParameter, match="Did you mean 'readings'"):
        sql_rows_in(mariadb, table="reading", zone="UTC")
