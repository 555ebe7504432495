"""One file, one process: what is opened, what is refused, and what outlives a close."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from service.domain.selection import Selection
from service.domain.timerange import TimeRange
from service.errors import ConfigurationError, StoreFailed
from service.stores.embedded.file import open_file
from service.stores.protocol import WriteBounds
from tests.support.embedded_stores import BUCKET, NOON, open_store, points, store_with_bucket
from tests.support.rows import read, row

ROOT = Path(__file__).parents[4]
DAY = TimeRange(NOON, NOON + 86_400_000_000_000)
SECOND_PROCESS = """
import sys, time
from pathlib import Path
from service.errors import ConfigurationError
from service.stores.embedded.store import EmbeddedStore
try:
    EmbeddedStore(Path(sys.argv[1]), memory_mb=64, threads=1, shard_ns=3600 * 10**9, clock=time.time_ns)
except ConfigurationError as refused:
    print(refused.message)
"""


def test_a_second_process_is_refused_with_a_clear_sentence(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    path = tmp_path / "store.duckdb"
    said = subprocess.run(
        [sys.executable, "-c", SECOND_PROCESS, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    store.close()
    assert said.stdout.strip() == (
        f"The embedded store {path} is in use by another process; one process at a time may have it."
        " Stop the other one, give this one a DATA_DIR of its own, or set INFLUXDB_URL to share a server."
    )


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.duckdb").write_bytes(b"not a database " * 1000)
    with pytest.raises(ConfigurationError, match=r"cannot be opened: .*Check that DATA_DIR"):
        open_store(tmp_path)


def test_a_file_of_a_later_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with duckdb.connect(str(tmp_path / "store.duckdb")) as other:
        other.execute("UPDATE format SET version = 2")
    with pytest.raises(ConfigurationError, match="has format 2, and this version reads format 1"):
        open_store(tmp_path)
    with duckdb.connect(str(tmp_path / "store.duckdb")) as other:
        assert other.execute("FROM format").fetchall() == [(2,)]


def test_a_directory_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        open_store(tmp_path / "file")


def test_everything_is_there_after_a_close_and_rewrites_still_replace(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f'm,a=1,b=é f=1,i=2i,u=3u,s="x\\"y",t=t {NOON}\n'))
    before = (store.buckets(), store.schema(BUCKET), store.last_point(BUCKET), read(store, BUCKET, DAY))
    store.close()
    store = open_store(tmp_path)
    assert (store.buckets(), store.schema(BUCKET), store.last_point(BUCKET), read(store, BUCKET, DAY)) == before
    store.write(BUCKET, points(f"m,a=1,b=é i=7i {NOON}\nn f=1 {NOON}\n"))
    tags = {"a": "1", "b": "é"}
    assert row("m", tags, "i", NOON, 7) in read(store, BUCKET, DAY)
    assert len(read(store, BUCKET, DAY)) == 6
    store.close()


def test_closing_ends_open_reads_and_frees_the_file(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    left_open = store.read(Selection(BUCKET, DAY))
    store.close()
    left_open.cancel()
    again = open_store(tmp_path)
    assert len(read(again, BUCKET, DAY)) == 1
    again.close()


def give_up() -> None:
    raise duckdb.FatalException("the database has been invalidated")


def test_a_file_that_duckdb_gave_up_is_opened_anew_at_the_next_use(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    left_open = store.read(Selection(BUCKET, DAY))
    with pytest.raises(StoreFailed, match="the database has been invalidated"):
        store.write(BUCKET, points(f"m f=3 {NOON + 2}\n"), WriteBounds(check=give_up))
    store.write(BUCKET, points(f"m f=2 {NOON + 1}\n"))
    assert [one.shown for one in read(store, BUCKET, DAY)] == ["1.0", "2.0"]
    with pytest.raises(StoreFailed, match="cancelled"):
        list(left_open.blocks)
    store.close()


def test_a_statement_cannot_reach_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    connection = open_file(tmp_path / "store.duckdb", memory_mb=128, threads=2)
    with pytest.raises(duckdb.PermissionException):
        connection.execute(f"FROM read_csv('{tmp_path}/secret.csv')")
    connection.close()
