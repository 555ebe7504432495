"""What an attack on the mirror found with real InfluxDB servers.

Points were lost without a word, and a server was sent round for ever.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS
from service.stores.embedded.store import EmbeddedStore
from service.stores.influx.store import InfluxStore
from tests.support.mirrors import A, B, Rig, digests, points
from tests.support.rows import at, read, row, write
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
HOUR = parse_duration("1h", "hour")
NOON = at("2026-01-05T12:00:00Z")


@pytest.fixture
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    opened = InfluxStore(influx.url, influx.token, influx.org, silence_timeout_s=10, read_timeout_s=60)
    yield opened
    opened.close()


@pytest.fixture
def hourly(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A target with shard groups of an hour, so that it takes each type."""
    opened = EmbeddedStore(tmp_path / "hours", memory_mb=128, threads=1, shard_ns=HOUR, clock=lambda: NOON)
    yield opened
    opened.close()


@pytest.fixture
def bucket(store: InfluxStore) -> str:
    name = f"attacked {secrets.token_hex(4)}"
    store.create_bucket(BucketSpec(name))
    return name


def mirrored(folder: Path, bucket: str, source: InfluxStore, target: EmbeddedStore) -> Rig:
    rig = Rig(folder, {A: source, B: target})
    rig.configure(buckets=[bucket])
    return rig


def shard_groups_of(influx: InfluxServer, bucket: str, seconds: int) -> None:
    with influx.http(30) as http:
        found = http.get("/api/v2/buckets", params={"name": bucket}).json()["buckets"][0]["id"]
        rule = {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": seconds}
        http.patch(f"/api/v2/buckets/{found}", json={"retentionRules": [rule]}).raise_for_status()


def test_types_that_changed_each_hour_survive_a_longer_setting_of_shard_groups(
    influx: InfluxServer, store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    """Once they came as five floats, without the text and the boolean, and were called equal."""
    shard_groups_of(influx, bucket, 3600)
    for hour, value in enumerate(("1.5", "7i", '"text"', "true", "9u")):
        write(store, bucket, f"m f={value},other=1i {NOON + hour * HOUR}")
    shard_groups_of(influx, bucket, 7 * 86_400)
    rig = mirrored(tmp_path, bucket, store, hourly)
    assert rig.run()["state"] == "equal"
    assert sorted(name.type for name in digests(hourly, bucket) if name.field == "f") == [
        "boolean",
        "float",
        "integer",
        "string",
        "unsigned",
    ]
    assert points(hourly, bucket) == 10


def test_points_at_both_ends_of_time_are_mirrored(
    store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    """Once the question for their windows made InfluxDB loop for ever."""
    write(
        store,
        bucket,
        "\n".join(f"m v=1 {at_ns}" for at_ns in (EARLIEST_NS, EARLIEST_NS + 5, 0, NOON, LATEST_NS - 5, LATEST_NS)),
    )
    rig = mirrored(tmp_path, bucket, store, hourly)
    assert rig.run()["state"] == "equal"
    assert points(hourly, bucket) == 6
    assert rig.pair()["copied_slices"] == 0


def test_a_measurement_of_thousands_of_fields_is_mirrored(
    store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    """Once its counts could not be asked for: "Program is nested too deep"."""
    write(store, bucket, "wide " + ",".join(f"f{number}={number}i" for number in range(3_000)) + f" {NOON}")
    assert mirrored(tmp_path, bucket, store, hourly).run()["state"] == "equal"
    assert points(hourly, bucket) == 3_000


def test_a_field_of_two_types_next_to_an_absent_tag_is_mirrored(
    store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    """Once its counts held the absent tag as a text, and the comparison broke."""
    write(store, bucket, f"m f=1.5 {NOON}\nm,h=x f=2.5 {NOON}\nm f=1i {NOON + 400 * 24 * HOUR}")
    assert mirrored(tmp_path, bucket, store, hourly).run()["state"] == "equal"
    assert points(hourly, bucket) == 3


def test_a_text_next_to_an_absent_tag_is_mirrored(
    store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    write(store, bucket, f'm f=1.5,s="a" {NOON}\nm,h=x f=2.5,s="b" {NOON}\nm,g=y s="c" {NOON}')
    rig = mirrored(tmp_path, bucket, store, hourly)
    assert rig.run()["state"] == "equal"
    assert digests(store, bucket) == digests(hourly, bucket)
    assert rig.run(verify=True)["equal"]


def test_types_that_changed_over_centuries_are_copied(
    influx: InfluxServer, store: InfluxStore, hourly: EmbeddedStore, bucket: str, tmp_path: Path
) -> None:
    """2023 and 2262 lie more than 2^63 ns from the first instant: a subtraction overflowed, and nothing was copied."""
    lines = "chg v=1 -300000000000000000\nchg v=2i 1700000000000000000\nchg v=3 9214646400000000000\n"
    influx.write(bucket, lines)
    rig = mirrored(tmp_path, bucket, store, hourly)
    assert rig.run()["state"] == "equal"
    assert read(hourly, bucket, EVER) == [
        row("chg", {}, "v", -300_000_000_000_000_000, 1.0),
        row("chg", {}, "v", 1_700_000_000_000_000_000, 2),
        row("chg", {}, "v", 9_214_646_400_000_000_000, 3.0),
    ]
    assert rig.run(verify=True)["pairs"][0]["equal"]
