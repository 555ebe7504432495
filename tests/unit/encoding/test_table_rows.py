"""A table: one row per time, one column per series, whatever the names; bounded, and refused before the first byte."""

import csv
import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from service.domain.schema import FieldType
from service.encoding.encoders import Format, Shape, encode
from service.encoding.series_columns import TableSeries, table_columns
from service.encoding.table_rows import MOST_CELLS, MOST_SERIES, table_of
from service.errors import TableTooLarge
from service.frames.frame import Block
from tests.support.sample_blocks import Row, block_of, hostile_rows, layout, plan_of

METERS = [
    Row(0, 230.0, "volts", "power", (("meter", "a"),)),
    Row(60_000_000_000, 231.5, "volts", "power", (("meter", "a"),)),
    Row(60_000_000_000, 229.0, "volts", "power", (("meter", "b"),)),
    Row(0, 7, "count", "power", (("meter", "a"),), FieldType.INTEGER),
    Row(120_000_000_000, "on", "mode", "site", (), FieldType.STRING),
]


def answer(rows: list[Row], form: Format, limit: int | None = None) -> bytes:
    return b"".join(encode(iter([block_of([row]) for row in rows]), plan_of(rows), layout(form, Shape.TABLE), limit))


def test_a_row_per_time_and_a_column_per_series() -> None:
    assert answer(METERS, Format.CSV).decode() == (
        "_time,power.count{meter=a},power.volts{meter=a},power.volts{meter=b},site.mode\n"
        "1970-01-01T00:00:00Z,7,230,,\n"
        "1970-01-01T00:01:00Z,,231.5,229,\n"
        "1970-01-01T00:02:00Z,,,,on\n"
    )


def test_absent_values_have_no_key_in_json() -> None:
    rows = json.loads(answer(METERS, Format.JSON))["rows"]
    assert rows[0] == {"_time": "1970-01-01T00:00:00Z", "power.count{meter=a}": 7, "power.volts{meter=a}": 230.0}
    assert rows[2] == {"_time": "1970-01-01T00:02:00Z", "site.mode": "on"}


def test_the_first_times_are_kept_by_a_limit() -> None:
    document = json.loads(answer(METERS, Format.JSON, limit=2))
    assert (len(document["rows"]), document["truncated"]) == (2, True)
    assert json.loads(answer(METERS, Format.JSON, limit=3))["truncated"] is False
    assert answer(METERS, Format.CSV, limit=1).decode().splitlines()[1:] == ["1970-01-01T00:00:00Z,7,230,,"]


def test_columns_have_their_types_in_arrow_and_parquet() -> None:
    arrow = pa.ipc.open_stream(answer(METERS, Format.ARROW)).read_all()
    assert [str(field.type) for field in arrow.schema] == [
        "timestamp[ns, tz=UTC]",
        "int64",
        "double",
        "double",
        "string",
    ]
    assert arrow.column(1).to_pylist() == [7, None, None]
    assert pq.read_table(io.BytesIO(answer(METERS, Format.PARQUET))).equals(arrow)


@pytest.mark.parametrize("form", list(Format))
def test_a_table_without_rows_has_the_time_alone(form: Format) -> None:
    body = b"".join(encode(iter([]), plan_of(METERS), layout(form, Shape.TABLE)))
    if form is Format.CSV:
        assert body == b"_time\n"
    elif form is Format.ARROW:
        assert pa.ipc.open_stream(body).read_all().schema.names == ["_time"]


def test_a_series_that_changed_its_type_has_a_column_for_each() -> None:
    rows = [Row(0, 1.5, "f"), Row(1, 2, "f", type=FieldType.INTEGER), Row(1, 3.0, "g")]
    assert answer(rows, Format.CSV).decode().splitlines()[0] == "_time,m.f|float,m.f|integer,m.g"


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (TableSeries("real.a", "b", (), FieldType.FLOAT), "real.a.b"),
        (TableSeries("real", "a.b", (), FieldType.FLOAT), "real.a\\.b"),
        (TableSeries("m", "f", (("a", "1,b=2"),), FieldType.FLOAT), "m.f{a=1\\,b\\=2}"),
        (TableSeries("m", "f", (("a", "1"), ("b", "2")), FieldType.FLOAT), "m.f{a=1,b=2}"),
        (TableSeries("m", "f{a=1}", (), FieldType.FLOAT), "m.f\\{a=1\\}"),
        (TableSeries("m", "f|float", (), FieldType.FLOAT), "m.f\\|float"),
        (TableSeries("Temp (C)", "x y", (("site", "Hall 3"),), FieldType.FLOAT), "Temp (C).x y{site=Hall 3}"),
    ],
)
def test_names_of_columns(series: TableSeries, name: str) -> None:
    assert series.name == name


@given(hostile_rows())
def test_no_two_columns_have_one_name_and_no_value_is_lost(rows: list[Row]) -> None:
    table = table_of(iter([block_of(rows)]))
    keys = {(row.measurement, row.field, row.tags, row.type) for row in rows}
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names) == len(keys) + 1
    assert len(table.rows) == len({row.time_ns for row in rows})
    cells = sum(len(column) - column.null_count for column in table.rows.values.values())
    assert cells == len({(row.measurement, row.field, row.tags, row.type, row.time_ns) for row in rows})


def test_a_million_series_are_refused_after_the_first_thousand() -> None:
    asked = []

    def blocks() -> Iterator[Block]:
        for number in range(1_000):
            asked.append(number)
            yield block_of([Row(0, 1.0, tags=(("n", f"{number}-{place}"),)) for place in range(1_000)])

    with pytest.raises(TableTooLarge, match=rf"more than {MOST_SERIES} columns, one for each series.*shape=long"):
        list(encode(blocks(), plan_of([Row(0, 1.0, tags=(("n", "x"),))]), layout(Format.CSV, Shape.TABLE)))
    assert asked == [0, 1]


def test_points_that_share_no_times_are_refused_when_the_table_would_be_mostly_empty() -> None:
    """A thousand series of 50 points each at times of their own: 50,000 rows of 1,000 columns."""
    rows = [Row(number, 1.0, tags=(("n", str(number % 1_000)),)) for number in range(50_000)]
    with pytest.raises(TableTooLarge, match=rf"more than {MOST_CELLS} cells \(50000 rows of 1000 columns\)"):
        table_of(iter([block_of(rows)]))


def test_the_widest_table_is_written_whole() -> None:
    rows = [
        Row(time, float(number), tags=(("n", f"{number:03}"),)) for number in range(MOST_SERIES) for time in range(20)
    ]
    for form in (Format.CSV, Format.NDJSON):
        chunks = list(encode(iter([block_of(rows)]), plan_of(rows), layout(form, Shape.TABLE)))
        assert max(map(len, chunks)) < 4 * 1024 * 1024
        text = b"".join(chunks).decode()
        if form is Format.CSV:
            header, *lines = csv.reader(io.StringIO(text))
            assert (len(header), len(lines), lines[7][1:4]) == (1_001, 20, ["0", "1", "2"])
        else:
            assert [len(json.loads(line)) for line in text.splitlines()] == [1_001] * 20


def test_columns_are_sorted_by_measurement_field_and_tags() -> None:
    keys = [
        TableSeries(m, f, t, FieldType.FLOAT) for m in "ba" for f in "dc" for t in ((("k", "2"),), (("k", "1"),), ())
    ]
    of_a = ["a.c", "a.c{k=1}", "a.c{k=2}", "a.d", "a.d{k=1}", "a.d{k=2}"]
    of_b = ["b.c", "b.c{k=1}", "b.c{k=2}", "b.d", "b.d{k=1}", "b.d{k=2}"]
    assert [column.name for column in table_columns(sorted(keys))] == ["_time", *of_a, *of_b]
