"""Deleted points are gone for good: after a reopening, after a kill, for new reads and not for those under way."""

import subprocess
import sys
from pathlib import Path

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.domain.series import SeriesKey
from service.domain.timerange import EVER, TimeRange
from tests.support.clock import Clock
from tests.support.embedded_stores import BUCKET, NOON, WEEK_NS, open_store, points, store_with_bucket
from tests.support.rows import collect, read, row

ROOT = Path(__file__).parents[4]
HOUR_NS = parse_duration("1h", "retention")
PIECE, ROWS = 200, 20_000
DELETER = f"""
import sys
from pathlib import Path
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from tests.support.embedded_stores import BUCKET, NOON, floats, store_with_bucket
store = store_with_bucket(Path(sys.argv[1]))
store.write(BUCKET, floats("m", 2, [NOON + step for step in range({ROWS})]))
for start_ns in range(NOON, NOON + {ROWS}, {PIECE}):
    store.delete_points(BUCKET, SeriesKey("m", (("host", "h00000"),)), TimeRange(start_ns, start_ns + {PIECE}))
    print("deleted", flush=True)
"""


def test_a_killed_deletion_is_whole_or_absent_and_an_acknowledged_one_lasts(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DELETER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as deleter:
        assert deleter.stdout is not None
        for _ in range(20):
            assert deleter.stdout.readline() == "deleted\n"
        deleter.kill()
        acknowledged = 20 + len(deleter.stdout.read().splitlines())
    store = open_store(tmp_path)
    found = read(store, BUCKET, EVER)
    store.close()
    first, *_ = kept = [one.time_ns - NOON for one in found if one.tags == (("host", "h00000"),)]
    assert kept == list(range(first, ROWS))
    assert first in (acknowledged * PIECE, (acknowledged + 1) * PIECE)
    assert len(found) - len(kept) == ROWS


def test_a_reopened_store_says_what_it_said_after_a_deletion(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(
        BUCKET,
        points(
            f"m,host=a f=1,g=1i {NOON}\nm,host=a f=2i {NOON + WEEK_NS}\n"
            f"m,host=b f=3 {NOON + 1}\nn f=4 {NOON - WEEK_NS}\n"
        ),
    )
    store.delete_points(BUCKET, SeriesKey("m", (("host", "a"),)), EVER)
    store.delete_points(BUCKET, SeriesKey("n"), EVER)
    before = (store.schema(BUCKET), store.first_point(BUCKET), store.last_point(BUCKET), read(store, BUCKET, EVER))
    assert before[1:] == (NOON + 1, NOON + 1, [row("m", {"host": "b"}, "f", NOON + 1, 3.0)])
    store.close()
    store = open_store(tmp_path)
    assert (
        store.schema(BUCKET),
        store.first_point(BUCKET),
        store.last_point(BUCKET),
        read(store, BUCKET, EVER),
    ) == before
    store.close()


def test_only_the_series_of_exactly_these_tags_loses_points(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f"m f=1 {NOON}\nm,host=a f=2 {NOON}\nm,host=a,room=x f=3 {NOON}\n"))
    store.delete_points(BUCKET, SeriesKey("m"), EVER)
    store.delete_points(BUCKET, SeriesKey("m", (("host", "a"),)), EVER)
    assert read(store, BUCKET, EVER) == [row("m", {"host": "a", "room": "x"}, "f", NOON, 3.0)]
    store.close()


def test_a_read_under_way_sees_what_was_there_when_it_began(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    store.write(BUCKET, points(f"m f=1 {NOON}\n"))
    reading = store.read(Selection(BUCKET, EVER))
    store.delete_points(BUCKET, SeriesKey("m"), EVER)
    assert collect(reading) == [row("m", {}, "f", NOON, 1.0)]
    assert read(store, BUCKET, EVER) == []
    store.close()


def test_a_point_deleted_and_written_again_is_one(tmp_path: Path) -> None:
    store = store_with_bucket(tmp_path)
    for value in (1, 2):
        store.write(BUCKET, points(f"m f={value} {NOON}\nm f=9 {NOON + 1}\n"))
        store.delete_points(BUCKET, SeriesKey("m"), TimeRange(NOON + 1, NOON + 2))
    assert read(store, BUCKET, EVER) == [row("m", {}, "f", NOON, 2.0)]
    store.close()


def test_the_first_point_is_none_that_expired(tmp_path: Path) -> None:
    clock = Clock(NOON)
    store = store_with_bucket(tmp_path, clock, retention_ns=HOUR_NS)
    store.create_bucket(BucketSpec("keeps all"))
    store.write("keeps all", points(f"m f=1 {NOON - WEEK_NS}\n"))
    store.write(BUCKET, points(f"m f=1 {NOON - 60}\nm f=2i {NOON + HOUR_NS}\n"))
    assert store.first_point(BUCKET) == NOON - 60
    clock.now = NOON + HOUR_NS
    assert store.first_point(BUCKET) == NOON + HOUR_NS
    clock.now += HOUR_NS + 1
    assert store.first_point(BUCKET) is None
    assert store.first_point("keeps all") == NOON - WEEK_NS
    store.close()
