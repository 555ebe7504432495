"""What a bucket no longer keeps is not read, not named and in the end not there."""

from pathlib import Path

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.selection import Fn, Windows
from service.domain.timerange import TimeRange
from service.stores.embedded.file import open_file
from tests.support.clock import Clock
from tests.support.embedded_stores import BUCKET, NOON, WEEK_NS, open_store, points, store_with_bucket
from tests.support.rows import read, row

HOUR_NS = parse_duration("1h", "h")
DAY_NS = 24 * HOUR_NS
ALWAYS = TimeRange(0, 2 * NOON)


def rows_in_the_file(directory: Path) -> int:
    """Also those that no read gives. The store must be closed."""
    connection = open_file(directory / "store.duckdb", memory_mb=128, threads=2)
    try:
        return int(connection.execute("SELECT count(*) FROM floats").fetchall()[0][0])
    finally:
        connection.close()


def test_an_expired_point_is_no_longer_read(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock, retention_ns=HOUR_NS)
    store.write(BUCKET, points(f"m f=1 {NOON - 60}\nm f=2 {NOON}\n"))
    clock.now = NOON + HOUR_NS
    assert read(store, BUCKET, ALWAYS) == [row("m", {}, "f", NOON, 2.0)]
    assert read(store, BUCKET, ALWAYS, Windows(2 * NOON, Fn.COUNT)) == [row("m", {}, "f", 2 * NOON, 1)]
    assert store.last_point(BUCKET) == NOON
    clock.now += 1
    assert read(store, BUCKET, ALWAYS) == []
    assert store.last_point(BUCKET) is None
    store.close()


def test_fields_of_expired_shard_groups_are_forgotten(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock, retention_ns=HOUR_NS)
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    clock.now = NOON + 3 * HOUR_NS
    assert store.schema(BUCKET) == []
    store.write(BUCKET, points(f"m f=7i {clock.now}\n"))
    assert read(store, BUCKET, ALWAYS) == [row("m", {}, "f", clock.now, 7)]
    store.close()


def test_the_next_write_after_a_shard_group_expired_deletes_it(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock, retention_ns=HOUR_NS)
    store.create_bucket(BucketSpec("keeps all"))
    store.write("keeps all", points(f"m f=1 {NOON}\n"))
    store.write(BUCKET, points(f"m f=1 {NOON}\nm f=2 {NOON + HOUR_NS}\n"))
    clock.now = NOON + HOUR_NS + 5
    store.write(BUCKET, points(f"m f=3 {clock.now}\n"))
    store.close()
    assert rows_in_the_file(tmp_path) == 4
    store, clock.now = open_store(tmp_path, clock), NOON + 2 * HOUR_NS
    store.write(BUCKET, points(f"m f=4 {clock.now}\n"))
    store.close()
    assert rows_in_the_file(tmp_path) == 4
    store = open_store(tmp_path, clock)
    assert [one.shown for one in read(store, BUCKET, ALWAYS)] == ["2.0", "3.0", "4.0"]
    assert len(read(store, "keeps all", ALWAYS)) == 1
    store.close()


def test_shard_groups_are_as_long_as_influxdb_makes_them_for_a_retention(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    for name, retention_ns in (("hour", HOUR_NS), ("month", 30 * DAY_NS), ("year", 365 * DAY_NS)):
        store.create_bucket(BucketSpec(name, "", retention_ns))
    assert {one.name: one.shard_ns for one in store.buckets()} == {
        BUCKET: WEEK_NS,
        "hour": HOUR_NS,
        "month": DAY_NS,
        "year": WEEK_NS,
    }
    store.close()


def test_a_retention_that_is_given_later_ends_what_is_older(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock)
    store.write(BUCKET, points(f"m f=1 {NOON - WEEK_NS - 1}\nm f=2 {NOON - WEEK_NS}\nm f=3 {NOON}\n"))
    store.update_bucket(BUCKET, "", WEEK_NS)
    assert read(store, BUCKET, ALWAYS) == [row("m", {}, "f", NOON - WEEK_NS, 2.0), row("m", {}, "f", NOON, 3.0)]
    store.update_bucket(BUCKET, "", 0)
    assert read(store, BUCKET, ALWAYS) == [
        row("m", {}, "f", NOON - WEEK_NS - 1, 1.0),
        row("m", {}, "f", NOON - WEEK_NS, 2.0),
        row("m", {}, "f", NOON, 3.0),
    ]
    store.close()


def test_shard_groups_that_expired_as_a_whole_do_not_come_back_with_a_longer_retention(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock)
    store.write(BUCKET, points(f"m f=1 {NOON - 3 * WEEK_NS}\nm f=2 {NOON}\n"))
    store.update_bucket(BUCKET, "", WEEK_NS)
    store.update_bucket(BUCKET, "", 0)
    assert read(store, BUCKET, ALWAYS) == [row("m", {}, "f", NOON, 2.0)]
    store.close()
    assert rows_in_the_file(tmp_path) == 1


def test_a_changed_bucket_is_the_same_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    store.create_bucket(BucketSpec("other", "", 0, HOUR_NS))
    store.update_bucket(BUCKET, "meters", 2 * WEEK_NS)
    before = store.buckets()
    store.close()
    store = open_store(tmp_path)
    assert store.buckets() == before
    assert [(bucket.description, bucket.retention_ns, bucket.shard_ns) for bucket in before] == [
        ("meters", 2 * WEEK_NS, WEEK_NS),
        ("", 0, HOUR_NS),
    ]
    assert read(store, BUCKET, ALWAYS) == [row("m", {}, "f", NOON, 1.0)]
    store.close()
