"""A SQL table or query as a source, on SQLite: what is read, in which order, and what is refused."""

import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.config.token_variables import TokenVariables
from service.domain.addresses import AddressPolicy
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, QueryRefused, StoreTimeout
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.rules import SourceRules, SqlDefaults
from service.sources.sql_address import sql_address
from service.sources.sql_database import SqlDatabase
from tests.support.rows import Row, at, row, span
from tests.support.sources import DAY, FREE, NEVER, QUERY, Log, opened, rows_in, sql_opener, sql_rows_in, sqlite_file

COLUMNS = "sensor TEXT, value REAL, timestamp TEXT"
READINGS = [
    ("boiler", 71.5, "2026-01-01 00:00:00"),
    ("boiler", 72.0, "2026-01-01 12:00:00.25"),
    ("tank", 3.0, "2026-01-01 12:00:00.25"),
    ("tank", 4.0, "2026-01-01 23:59:59.999999999"),
    ("tank", 5.0, "2026-01-02 00:00:00"),
]


def reading(sensor: str, time: str, value: float | int | str, measurement: str = "readings") -> Row:
    return row(measurement, {"sensor": sensor}, "value", time, value)


TABLE = {"table": "readings", "zone": "UTC"}
EXPECTED = [
    reading("boiler", "2026-01-01T00:00:00Z", 71.5),
    reading("boiler", "2026-01-01T12:00:00.25Z", 72.0),
    reading("tank", "2026-01-01T12:00:00.25Z", 3.0),
    reading("tank", "2026-01-01T23:59:59.999999999Z", 4.0),
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_file(tmp_path / "plant.db", COLUMNS, READINGS)


def refused(url: str, **members: Any) -> InvalidParameter:
    with pytest.raises(InvalidParameter) as wrong:
        sql_rows_in(url, **members)
    return wrong.value


def test_the_rows_of_a_table_from_the_start_of_a_window_and_before_its_stop(url: str) -> None:
    assert sql_rows_in(url, table="readings", zone="UTC") == EXPECTED


def test_a_query_gives_the_same_rows_whatever_its_order(url: str) -> None:
    query = f"{QUERY} ORDER BY value DESC -- newest first"
    assert sql_rows_in(url, query=query, zone="UTC", measurement="readings") == EXPECTED


def test_names_of_measurement_and_field(url: str) -> None:
    rows = sql_rows_in(url, table="readings", zone="UTC", measurement="plant", field="°C")
    assert {(found.measurement, found.field) for found in rows} == {("plant", "°C")}


def test_the_oldest_time(url: str, tmp_path: Path) -> None:
    for members in ({"table": "readings"}, {"query": QUERY}):
        with opened(sql_opener(url), {"sql": {"zone": "Europe/Berlin", **members}}) as source:
            assert source.oldest_ns() == at("2025-12-31T23:00:00Z")
    empty = sqlite_file(tmp_path / "empty.db", COLUMNS, [])
    for members in ({"table": "readings"}, {"query": QUERY}):
        with opened(sql_opener(empty), {"sql": {"zone": "UTC", **members}}) as source:
            source.check()
            assert source.oldest_ns() is None
            assert rows_in(source, DAY) == []


def test_rows_that_come_after_the_first_look_at_an_empty_table(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, [])
    with opened(sql_opener(url), {"sql": {"query": QUERY, "zone": "UTC"}}) as source:
        assert rows_in(source, DAY) == []
        with sqlite3.connect(tmp_path / "plant.db") as connection:
            connection.execute("INSERT INTO readings VALUES ('a', 1, '2026-01-01T10:00:00')")
        assert [found.shown for found in rows_in(source, DAY)] == ["1.0"]


def test_texts_with_a_space_and_with_a_t_are_both_found(tmp_path: Path) -> None:
    for number, separator in enumerate(" T"):
        times = [f"2026-01-0{day}{separator}0{hour}:00:00Z" for day in (1, 2) for hour in range(9)]
        url = sqlite_file(tmp_path / f"{number}.db", COLUMNS, [("a", 1.0, time) for time in times])
        for members in ({"table": "readings"}, {"query": QUERY}):
            window = span("2026-01-01T07:00:00Z", "2026-01-02T01:00:00Z")
            rows = sql_rows_in(url, window, **members)
            assert [found.time_ns for found in rows] == [
                at(time) for time in ("2026-01-01T07:00:00Z", "2026-01-01T08:00:00Z", "2026-01-02T00:00:00Z")
            ]


@pytest.mark.parametrize("mark", ["", "Z"])
@pytest.mark.parametrize("separator", [" ", "T"])
def test_texts_without_seconds_are_each_in_one_window(tmp_path: Path, separator: str, mark: str) -> None:
    times = [f"2026-01-01{separator}{time}{mark}" for time in ("07:59", "08:00", "08:05")]
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, [("a", 1.0, time) for time in times])
    zone = {} if mark else {"zone": "UTC"}
    for length_s in (10, 300):
        start_s = at("2026-01-01T07:55:00Z") // 10**9
        starts = range(start_s, start_s + 900, length_s)
        windows = [TimeRange(start * 10**9, (start + length_s) * 10**9) for start in starts]
        rows = [row for window in windows for row in sql_rows_in(url, window, table="readings", **zone)]
        assert [row.time_ns for row in rows] == [at(f"2026-01-01T{time}:00Z") for time in ("07:59", "08:00", "08:05")]


def test_a_text_of_a_day_alone_is_in_the_window_that_begins_with_it(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, [("a", 1.0, "2026-01-02")])
    windows = [
        span("2026-01-01T23:55:00Z", "2026-01-02T00:00:00Z"),
        span("2026-01-02T00:00:00Z", "2026-01-02T00:05:00Z"),
    ]
    assert [len(sql_rows_in(url, window, table="readings", zone="UTC")) for window in windows] == [0, 1]


def test_texts_of_two_forms_are_refused_where_their_order_is_not_that_of_time(tmp_path: Path) -> None:
    mixed = [("a", 1.0, "2026-01-01T07:00:00"), ("a", 2.0, "2026-01-01 08:00:00")]
    wrong = refused(sqlite_file(tmp_path / "plant.db", COLUMNS, mixed), table="readings", zone="UTC")
    assert wrong.parameter == "source.sql.timestamp_column"
    assert "not in the order of their times: the sensor 'a' at 2026-01-01T07:00:00Z" in wrong.message


def test_numbers_since_1970(tmp_path: Path) -> None:
    rows = [("a", 1, 1_767_225_600), ("a", 2.5, 1_767_225_600.5), ("a", 2**60 + 1, 1_767_312_000 - 1)]
    url = sqlite_file(tmp_path / "plant.db", "sensor TEXT, value NUMERIC, timestamp NUMERIC", rows)
    assert sql_rows_in(url, table="readings", unit="s") == [
        reading("a", "2026-01-01T00:00:00Z", 1.0),
        reading("a", "2026-01-01T00:00:00.5Z", 2.5),
        reading("a", "2026-01-01T23:59:59Z", "1152921504606846977"),  # no float holds it, so it stays a text
    ]
    assert refused(url, table="readings").parameter == "source.sql.unit"


def test_whole_numbers_of_an_integer_column_stay_whole(tmp_path: Path) -> None:
    rows = [("a", 2**63 - 1, "2026-01-01 00:00:00")]
    url = sqlite_file(tmp_path / "plant.db", "sensor TEXT, value INTEGER, timestamp TEXT", rows)
    assert sql_rows_in(url, table="readings", zone="UTC") == [reading("a", "2026-01-01T00:00:00Z", 2**63 - 1)]


def test_sensors_that_are_numbers(tmp_path: Path) -> None:
    rows = [(7, 1.0, "2026-01-01 00:00:00"), ("7a", 1.0, "2026-01-01 00:00:01")]
    url = sqlite_file(tmp_path / "plant.db", "sensor, value REAL, timestamp TEXT", rows)
    assert [dict(found.tags)["sensor"] for found in sql_rows_in(url, table="readings", zone="UTC")] == ["7", "7a"]


def test_rows_without_a_value_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [("a", None, "2026-01-01 00:00:00"), ("a", 1.0, "2026-01-01 00:00:01"), ("a", None, "2026-01-02 00:00:00")]
    log = Log()
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, rows)
    assert len(sql_rows_in(url, DAY, log, table="readings", zone="UTC")) == 1
    assert log == [("warning", "1 rows have no value in the column 'value', and are left out.")]


@pytest.mark.parametrize("sensor", [None, ""])
def test_a_row_without_a_sensor_is_refused_with_its_time(tmp_path: Path, sensor: str | None) -> None:
    rows = [("a", 1.0, "2026-01-01 00:00:00"), (sensor, 1.0, "2026-01-01 00:00:01")]
    with pytest.raises(QueryRefused, match="The row at 2026-01-01 00:00:01 has no sensor: the column 'sensor'"):
        sql_rows_in(sqlite_file(tmp_path / "plant.db", COLUMNS, rows), table="readings", zone="UTC")


def test_a_text_among_numbers_is_refused_with_its_sensor_and_time(tmp_path: Path) -> None:
    rows = [("a", 1.0, "2026-01-01 00:00:00"), ("b", "broken", "2026-01-01 00:00:01")]
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, rows)
    with pytest.raises(QueryRefused) as wrong, opened(sql_opener(url), {"sql": TABLE}) as source:
        source.check()
    assert wrong.value.message.startswith(
        "The value of the sensor 'b' at 2026-01-01T00:00:01Z is no number: 'broken'. Nothing after it is read."
    )


def test_numbers_in_a_text_column(tmp_path: Path) -> None:
    url = sqlite_file(
        tmp_path / "p.db", "sensor TEXT, value TEXT, timestamp TEXT", [("a", "1.5", "2026-01-01 00:00:00")]
    )
    assert [found.type for found in sql_rows_in(url, table="readings", zone="UTC")] == ["string"]
    assert [found.type for found in sql_rows_in(url, table="readings", zone="UTC", value_type="number")] == ["float"]


NAMES = ["read;ings", 'say "so"', "it's", "order", "Größe 🌡", "a b", "%(start_time)s", ":start_time", "x`y", "{url}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_a_column_and_a_sensor_of_any_name(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    columns = f"{quoted} TEXT, value REAL, timestamp TEXT"
    url = sqlite_file(tmp_path / "plant.db", columns, [(name, 1.0, "2026-01-01 00:00:00")], table=quoted)
    assert sql_rows_in(url, table=name, sensor_column=name, zone="UTC") == [
        reading(name, "2026-01-01T00:00:00Z", 1.0, measurement=name)
    ]
    wrong = refused(url, table=name, sensor_column=f"{name}!", zone="UTC")
    assert (wrong.parameter, repr(name) in wrong.message) == ("source.sql.sensor_column", True)


def test_what_is_not_there_is_named_with_near_names_before_anything_is_read(url: str) -> None:
    assert refused(url, table="reading").message == (
        "There is no table 'reading' that the user may see. Did you mean 'readings'?"
    )
    for member in ("sensor_column", "value_column", "timestamp_column", "order_by"):
        wrong = refused(url, table="readings", zone="UTC", **{member: "valeu"})
        assert wrong.parameter == f"source.sql.{member}"
        assert wrong.message == "There is no column 'valeu' in the table 'readings'. Did you mean 'value'?"
    assert refused(url, query=QUERY, zone="UTC", value_column="v").message == (
        "There is no column 'v' in what the query selects. There are: 'sensor', 'value', 'timestamp'."
    )
    assert refused(url, table="readings").parameter == "source.sql.zone"
    assert refused(url.replace("plant.db", "other.db"), table="readings").parameter == "DATABASE_URL"


def test_a_query_that_gives_rows_outside_its_binds_is_refused(url: str) -> None:
    wrong = refused(url, query=QUERY.replace("<", "<="), zone="UTC")
    assert wrong.parameter == "source.sql.query"
    assert "the sensor 'tank' at 2026-01-02T00:00:00Z" in wrong.message
    unbound = "SELECT sensor, value, timestamp FROM readings WHERE :start_time < :end_time"
    assert refused(url, query=unbound, zone="UTC").parameter == "source.sql.query"


def test_the_database_itself_refuses_to_write(url: str) -> None:
    database = SqlDatabase(sql_address(sa.make_url(url), "DATABASE_URL", AddressPolicy.ANYWHERE), 5.0)
    with pytest.raises(QueryRefused, match="because it writes"), database.session() as connection:
        connection.exec_driver_sql("DELETE FROM readings")
    database.close()
    assert sql_rows_in(url, table="readings", zone="UTC") == EXPECTED


def test_a_query_that_takes_too_long_is_ended(url: str) -> None:
    endless = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) {QUERY} AND (SELECT max(i) FROM n) > 0"
    with pytest.raises(StoreTimeout, match="silent for 1 s"):
        sql_rows_in(url, query=endless, zone="UTC", timeout="1s")


def test_rows_of_one_time_come_in_the_order_of_a_second_column(tmp_path: Path) -> None:
    rows = [("b", 1.0, "2026-01-01 00:00:00"), ("a", 3.0, "2026-01-01 00:00:00"), ("a", 2.0, "2026-01-01 00:00:00")]
    url = sqlite_file(tmp_path / "plant.db", COLUMNS, rows)
    shown = [found.shown for found in sql_rows_in(url, table="readings", zone="UTC")]
    assert shown == ["2.0", "3.0", "1.0"]  # by sensor, then value
    shown = [found.shown for found in sql_rows_in(url, table="readings", zone="UTC", order_by="value")]
    assert shown == ["1.0", "2.0", "3.0"]


def test_a_file_can_be_named_by_the_operator_alone(url: str) -> None:
    variables = TokenVariables(environment={"FLUXGATE_TOKEN_X": url})
    rules = SourceRules(AddressPolicy.PRIVATE_TOO, variables, SqlDefaults(table="readings"))
    opener = SourceOpener(sql_opener(url).store, rules)
    text = SourceText.model_validate({"sql": {"url_env": "FLUXGATE_TOKEN_X", "zone": "UTC"}})
    with pytest.raises(InvalidParameter, match="by the operator alone") as wrong:
        opener.open(text, FREE)
    assert wrong.value.parameter == "source.sql.url_env"


TIMES = st.builds(lambda half, jitter: max(0, half * 7_200 + jitter), st.integers(0, 48), st.integers(-1, 1))
"""Quarters of a second: half hours of a day, and a quarter before and after, so that many rows are at edges."""


@settings(max_examples=40)
@given(st.lists(TIMES, max_size=30), st.lists(TIMES, min_size=2, max_size=6, unique=True), st.sampled_from("ntr"))
@example([half * 7_200 + 1 for half in range(48)], [0, 28_800, 72_000, 144_000, 288_000, 345_600], "r")
def test_half_open_windows_partition_the_rows(
    tmp_path_factory: pytest.TempPathFactory, quarters: Sequence[int], cuts: Sequence[int], form: str
) -> None:
    """Quarters of a second, as numbers, as texts, and as texts of a local clock around the change in autumn."""
    zero_ns = at("2026-10-24T12:00:00Z")
    if form == "n":
        times: list[object] = [zero_ns / 1e9 + quarter / 4 for quarter in quarters]
        members: dict[str, Any] = {"table": "readings", "unit": "s"}
    else:
        times = [_text(zero_ns // 1_000_000_000, quarter) for quarter in quarters]
        members = {"table": "readings", "zone": "UTC" if form == "t" else "Europe/Berlin"}
    kind = "NUMERIC" if form == "n" else "TEXT"
    rows = [(str(number), float(number), time) for number, time in enumerate(times)]
    folder = tmp_path_factory.mktemp("partition")
    url = sqlite_file(folder / "plant.db", f"sensor TEXT, value REAL, timestamp {kind}", rows)
    edges = sorted(zero_ns + cut * 250_000_000 for cut in cuts)
    with opened(sql_opener(url), {"sql": members}) as source:
        pieces = [rows_in(source, TimeRange(*piece)) for piece in itertools.pairwise(edges)]
        assert [found for piece in pieces for found in piece] == rows_in(source, TimeRange(edges[0], edges[-1]))
        everything = rows_in(source, TimeRange(zero_ns - 86_400 * 10**9, zero_ns + 10 * 86_400 * 10**9))
        assert sorted(int(dict(found.tags)["sensor"]) for found in everything) == list(range(len(rows)))
        assert rows_in(source, NEVER) == []


def _text(zero_s: int, quarter: int) -> str:
    whole = zero_s + quarter // 4
    minute, second = divmod(whole % 3_600, 60)
    day, hour = 24 + (whole - at("2026-10-24T00:00:00Z") // 10**9) // 86_400, whole % 86_400 // 3_600
    fraction = ("", ".25", ".50", ".750")[quarter % 4]
    return f"2026-10-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}"
