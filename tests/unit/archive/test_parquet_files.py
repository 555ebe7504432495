"""Copies as Parquet hold the same values under the same digest, and engines find them by bucket and day."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings

from service.archive.checking import check_file
from service.archive.destination import Destination
from service.archive.local_folder import LocalFolder
from service.archive.parquet_files import SCHEMA, parquet_path, write_parquet
from service.archive.slice_files import write_slice
from service.domain.schema import FieldType
from service.domain.timerange import EVER
from service.frames.frame import Block
from tests.support.sample_blocks import Row, block_of, hostile_rows
from tests.unit.archive.sample_backups import DAY_1, rows_of_day
from tests.unit.archive.test_destination import content
from tests.unit.archive.test_slice_files import BACKUP, large_blocks, whole_digest
from tests.unit.lineprotocol.test_writer import bits, value_of

Fact = tuple[object, ...]


def facts(table: pa.Table) -> Iterator[Fact]:
    for row in table.to_pylist():
        [kind] = [kind for kind in FieldType if row[f"value_{kind.value}"] is not None]
        value = bits(row[f"value_{kind.value}"])
        yield (row["measurement"], tuple(sorted(row["tags"])), row["field"], kind, row["time_ns"], value)


def table_of(destination: Destination, path: str) -> pa.Table:
    return pq.ParquetFile(pa.BufferReader(content(destination, path))).read()


def test_a_copy_has_the_digest_of_the_slice(destination: Destination) -> None:
    blocks = [block_of(rows_of_day(DAY_1, "m"))]
    entry = write_slice(destination, BACKUP, "f", DAY_1, blocks).entry
    file, digest = write_parquet(destination, BACKUP, parquet_path(1, "plant a", DAY_1), blocks)
    assert entry is not None
    assert digest == entry.digest == whole_digest(*blocks)
    assert file.size == destination.size(file.path)
    assert check_file(destination, file) is None
    assert file.file == "parquet/bucket=plant%20a/day=2024-10-04/0001-20241004T000000Z-20241005T000000Z.parquet"


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(hostile_rows())
def test_any_values_come_back_bit_for_bit(folder: LocalFolder, rows: list[Row]) -> None:
    file, digest = write_parquet(folder, BACKUP, "f.parquet", [block_of(rows)])
    assert sorted(facts(table_of(folder, file.path)), key=repr) == sorted(map(value_of, rows), key=repr)
    assert digest == whole_digest(block_of(rows))


def test_times_are_exact_and_cut_downwards_for_engines(folder: LocalFolder) -> None:
    rows = [Row(EVER.start_ns, 1.0), Row(-1, 2.0), Row(1_999, 3.0), Row(EVER.stop_ns - 1, 4.0)]
    write_parquet(folder, BACKUP, "f.parquet", [block_of(rows)])
    table = table_of(folder, f"{BACKUP}/f.parquet")
    assert table["time_ns"].to_pylist() == [row.time_ns for row in rows]
    assert table["time"].cast(pa.int64()).to_pylist() == [row.time_ns // 1000 for row in rows]


def test_a_copy_without_values_is_a_file_with_the_same_columns(folder: LocalFolder) -> None:
    write_parquet(folder, BACKUP, "f.parquet", [])
    table = table_of(folder, f"{BACKUP}/f.parquet")
    assert (table.num_rows, table.schema.names) == (0, SCHEMA.names)


def test_large_copies_have_row_groups_of_bounded_size(folder: LocalFolder) -> None:
    file, digest = write_parquet(folder, BACKUP, "f.parquet", large_blocks(20))
    metadata = pq.ParquetFile(pa.BufferReader(content(folder, file.path))).metadata
    assert metadata.num_rows == 400_000
    assert metadata.num_row_groups == 3
    assert digest == whole_digest(*large_blocks(20))


def test_duckdb_finds_buckets_and_days(tmp_path: Path, folder: LocalFolder) -> None:
    blocks: list[Block] = [block_of([Row(DAY_1.start_ns + 1, 1.5, "power", "m", (("host", "a"),))])]
    for number, bucket in enumerate(("plant a/b", "..🚜"), start=1):
        write_parquet(folder, BACKUP, parquet_path(number, bucket, DAY_1), blocks)
    path = tmp_path / "backups" / BACKUP / "parquet" / "**" / "*.parquet"
    query = (
        "select bucket, day::varchar, measurement, tags['host'], field, value_float, time_ns"
        f" from read_parquet('{path}', hive_partitioning=true) order by bucket"
    )
    expected = ("2024-10-04", "m", "a", "power", 1.5, DAY_1.start_ns + 1)
    assert duckdb.sql(query).fetchall() == [("..🚜", *expected), ("plant a/b", *expected)]
