"""Parquet and Arrow answers open in the tools people use, with nanoseconds, zones and types kept."""

import io
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.domain.schema import FieldType
from service.encoding.encoders import Format, Shape, encode
from tests.support.sample_blocks import Row, block_of, layout, plan_of

AT = 1_792_890_000_123_456_789
"""2026-10-25T01:00:00.123456789Z."""
ROWS = [
    Row(AT, 0.1, "power", tags=(("host", "a"),)),
    Row(AT + 1, 2**63 - 1, "count", tags=(("host", "b"),), type=FieldType.INTEGER),
    Row(AT + 2, 2**64 - 1, "total", tags=(("tag.x", "c"),), type=FieldType.UNSIGNED),
    Row(AT + 3, "", "state", type=FieldType.STRING),
    Row(AT + 4, True, "on", type=FieldType.BOOLEAN),
]


def answer(form: Format, shape: Shape = Shape.LONG, zone: str = "UTC", rows: list[Row] = ROWS) -> bytes:
    return b"".join(encode((block_of([row]) for row in rows), plan_of(rows), layout(form, shape, zone)))


def test_pandas_reads_parquet_with_nanoseconds_in_the_zone() -> None:
    frame = pd.read_parquet(io.BytesIO(answer(Format.PARQUET, zone="Europe/Berlin")))
    assert str(frame["_time"].dtype) == "datetime64[ns, Europe/Berlin]"
    assert frame["_time"].astype("int64").tolist() == [row.time_ns for row in ROWS]
    assert frame["_value_float"].tolist()[0] == 0.1
    assert frame["_value_string"].tolist()[3] == ""


@pytest.mark.parametrize("shape", list(Shape))
def test_duckdb_reads_parquet_with_exact_integers_and_nanoseconds(tmp_path: Path, shape: Shape) -> None:
    path = tmp_path / "answer.parquet"
    path.write_bytes(answer(Format.PARQUET, shape))
    integer, unsigned, tagged = {
        Shape.LONG: ("_value_integer", "_value_unsigned", "tag.x"),
        Shape.WIDE: ("count", "total", "tag.x"),
        Shape.TABLE: ("m.count{host=b}", "m.total{tag.x=c}", "m.total{tag.x=c}"),
    }[shape]
    with duckdb.connect() as database:
        asked = f'select max("{integer}"), max("{unsigned}"), max(epoch_ns(_time)) from read_parquet(?)'
        found = database.execute(asked, [str(path)]).fetchone()
        names = database.execute(
            "select name from parquet_schema(?) where num_children is null", [str(path)]
        ).fetchall()
    assert found == (2**63 - 1, 2**64 - 1, AT + 4)
    assert (tagged,) in names


@pytest.mark.parametrize("shape", list(Shape))
def test_duckdb_and_pandas_read_an_arrow_stream(shape: Shape) -> None:
    table = pa.ipc.open_stream(answer(Format.ARROW, shape)).read_all()
    with duckdb.connect() as database:
        database.register("answer", table)
        assert database.execute("select count(*), max(epoch_ns(_time)) from answer").fetchone() == (5, AT + 4)
    assert table.to_pandas()["_time"].astype("int64").max() == AT + 4
    assert not any(pa.types.is_dictionary(field.type) for field in table.schema)


def test_row_groups_are_bounded_and_hold_more_than_a_block() -> None:
    blocks = [block_of([Row(start * 10_000 + number, 1.0) for number in range(10_000)]) for start in range(20)]
    data = b"".join(encode(iter(blocks), plan_of([Row(0, 1.0)]), layout(Format.PARQUET)))
    found = pq.ParquetFile(io.BytesIO(data))
    assert [found.metadata.row_group(group).num_rows for group in range(found.num_row_groups)] == [140_000, 60_000]
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"


def test_pandas_reads_csv_and_keeps_nanoseconds() -> None:
    frame = pd.read_csv(io.BytesIO(answer(Format.CSV, rows=ROWS[:1])), parse_dates=["_time"])
    assert frame["_time"].iloc[0].value == AT
    assert frame["_value"].tolist() == [0.1]


def test_a_parquet_file_that_broke_off_does_not_open() -> None:
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(answer(Format.PARQUET)[:-8]))
