"""What InfluxDB cannot delete alone is refused before anything is gone.

This holds for names, and for series that its files keep in an odd order.
"""

import time
from collections.abc import Iterator

import pytest

from service.domain.series import SeriesKey
from service.domain.timerange import EVER, TimeRange, format_time
from service.errors import InvalidParameter, StoreDenied
from service.stores.influx.deleting import hidden_by
from service.stores.influx.store import InfluxStore
from tests.support.rows import at, read, row, span
from tests.support.servers import InfluxServer, running_influx
from tests.support.stores import influx_store

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
HOST_A = (("host", "a"),)


@pytest.fixture(scope="module")
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    opened = influx_store(influx)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def flushing() -> Iterator[InfluxServer]:
    """An InfluxDB that writes its files at once: only they have an order."""
    with running_influx("--storage-cache-snapshot-write-cold-duration=1s") as running:
        yield running


def wait_for_files(influx: InfluxServer) -> None:
    deadline = time.monotonic() + 60
    while not list(influx.folder.glob("engine/data/*/*/*/*.tsm")):
        assert time.monotonic() < deadline, "InfluxDB wrote no file"
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("measurement", "tags", "said"),
    [
        ("m", (("_field", "f"),), "cannot be a tag key"),
        ("m", (("_measurement", "m"),), "cannot be a tag key"),
        ("m", (("time", "x"),), "cannot be a tag key"),
        ("m", (("host", "a\rb"),), "carriage return"),
        ("m\0", (), "NUL"),
        ("m\\", HOST_A, "backslash"),
        ("m", (("host", "a\\"),), "backslash"),
        ("m\\=x", (), "backslash"),
        ("m", (("host", "\ud800"),), "Unicode"),
        ("", (), "empty"),
        ("m", (("host", ""),), "empty"),
        ("m", (("host", "a#!~#f"),), "ends a series"),
        ("host=a", HOST_A, "looks like the tag"),
        ("m", (("host", "a"), ("host", "b")), "twice"),
    ],
)
def test_a_name_that_a_predicate_cannot_say_is_refused_and_nothing_deleted(
    store: InfluxStore,
    influx: InfluxServer,
    influx_bucket: str,
    measurement: str,
    tags: tuple[tuple[str, str], ...],
    said: str,
) -> None:
    influx.write(influx_bucket, f"m,host=a f=1 {NOON}\nm f=2 {NOON}\nhost=a,host=b f=3 {NOON}\n")
    with pytest.raises(InvalidParameter, match=said) as refused:
        store.delete_points(influx_bucket, SeriesKey(measurement, tags), EVER)
    assert "Nothing was deleted" in refused.value.message
    assert len(read(store, influx_bucket, DAY)) == 3


def test_the_server_itself_deletes_nothing_or_too_much_by_a_name_that_looks_like_a_tag(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str
) -> None:
    """Why `host=a` is refused above: its key begins like the tag. When this fails, InfluxDB has learned."""
    influx.write(influx_bucket, f"host=a,host=b f=3 {NOON}\n")
    by_hand(influx, influx_bucket, '_measurement="host=a" AND "host"="a"')
    assert read(store, influx_bucket, DAY) == []


def test_a_line_feed_in_a_name_is_said(store: InfluxStore, influx: InfluxServer, influx_bucket: str) -> None:
    """It comes into InfluxDB behind a backslash, which stays."""
    influx.write(influx_bucket, f"m,host=a\\\nb f=1 {NOON}\nm,host=a f=2 {NOON}\n")
    assert len(read(store, influx_bucket, DAY)) == 2
    store.delete_points(influx_bucket, SeriesKey("m", (("host", "a\\\nb"),)), EVER)
    assert read(store, influx_bucket, DAY) == [row("m", {"host": "a"}, "f", NOON, 2.0)]


def by_hand(influx: InfluxServer, bucket: str, predicate: str, span: TimeRange = DAY) -> None:
    body = {"start": format_time(span.start_ns), "stop": format_time(span.stop_ns), "predicate": predicate}
    with influx.http() as http:
        http.post("/api/v2/delete", params={"bucket": bucket}, json=body).raise_for_status()


@pytest.mark.parametrize(
    ("lines", "measurement", "tags"),
    [
        (("m,host=a", "m,host=a!"), "m", HOST_A),
        (("m,host=a", "m,host=a!"), "m", (("host", "a!"),)),
        (("m,host=a", 'm,host=a"b",room=x'), "m", HOST_A),
        (("m,host=a", "m,host=a\tb"), "m", HOST_A),
        (("m,host=a", "m,host=a#!b"), "m", HOST_A),
        (("m,Time=a", "m,Time=a!"), "m", (("Time", "a"),)),
        (("m,host=a", "m,host=a,room=x", "m,host=a,room=x!"), "m", HOST_A),
        (("m,host=a", "m,host=a!"), "m", ()),
        (("m", "m!"), "m", ()),
        (("m", "m!"), "m!", ()),
    ],
)
def test_a_series_that_its_delete_would_mix_up_is_refused(
    store: InfluxStore,
    influx: InfluxServer,
    influx_bucket: str,
    lines: tuple[str, ...],
    measurement: str,
    tags: tuple[tuple[str, str], ...],
) -> None:
    influx.write(influx_bucket, "".join(f"{line} f=1 {NOON}\n" for line in lines))
    with pytest.raises(InvalidParameter, match="mixes up"):
        store.delete_points(influx_bucket, SeriesKey(measurement, tags), EVER)
    assert len(read(store, influx_bucket, DAY)) == len(lines)


def test_the_server_itself_loses_a_series_next_to_such_a_one(flushing: InfluxServer) -> None:
    """Why those are refused: one point was to go, and all went. When this fails, InfluxDB has learned."""
    opened, bucket = influx_store(flushing), flushing.new_bucket()
    flushing.write(bucket, "".join(f"m,host={host} f=1 {NOON + step}\n" for host in ("a", "a!") for step in range(3)))
    wait_for_files(flushing)
    by_hand(flushing, bucket, '_measurement="m" AND "host"="a"', TimeRange(NOON + 1, NOON + 2))
    assert {one.tags for one in read(opened, bucket, DAY)} == {(("host", "a!"),)}
    opened.close()


def test_what_is_not_refused_is_exact_in_files_too(flushing: InfluxServer) -> None:
    opened, bucket = influx_store(flushing), flushing.new_bucket()
    hosts = ["a", "a b", "a$", "a,b", "ab!", "b", "#!", "a#b", "!a"]
    lines = [f'm,host={host.replace(" ", chr(92) + " ").replace(",", chr(92) + ",")} f=1,s="x"' for host in hosts]
    flushing.write(bucket, "".join(f"{line} {NOON + step}\n" for line in lines for step in range(3)))
    deadline = time.monotonic() + 60
    while len(list(flushing.folder.glob("engine/data/*/*/*/*.tsm"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    for host in hosts:
        opened.delete_points(bucket, SeriesKey("m", (("host", host),)), TimeRange(NOON + 1, NOON + 2))
    kept = [
        row("m", {"host": host}, field, NOON + step, value)
        for host in hosts
        for field, value in (("f", 1.0), ("s", "x"))
        for step in (0, 2)
    ]
    assert read(opened, bucket, DAY) == sorted(kept)
    opened.close()


def test_a_token_that_may_only_read_is_denied(influx: InfluxServer, influx_bucket: str) -> None:
    influx.write(influx_bucket, f"m f=1 {NOON}\n")
    with influx.http() as http:
        found = http.get("/api/v2/buckets", params={"name": influx_bucket}).raise_for_status().json()["buckets"][0]
        right = {"action": "read", "resource": {"type": "buckets", "orgID": found["orgID"], "id": found["id"]}}
        made = (
            http.post("/api/v2/authorizations", json={"orgID": found["orgID"], "permissions": [right]})
            .raise_for_status()
            .json()
        )
    reader = influx_store(influx, token=made["token"])
    with pytest.raises(StoreDenied):
        reader.delete_points(influx_bucket, SeriesKey("m"), EVER)
    assert len(read(reader, influx_bucket, DAY)) == 1
    reader.close()


def test_which_shorter_keys_a_file_keeps_behind_a_longer_one() -> None:
    assert list(hidden_by("m,host=a!")) == ["m,host=a"]
    assert list(hidden_by("m,host=a#!b")) == ["m,host=a", "m,host=a#"]
    assert list(hidden_by("m,host=a#b,c$=#")) == []
