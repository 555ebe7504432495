"""What a backup needs of a bucket besides its points: shard groups as asked, changes afterwards, what hangs on it."""

import re
import secrets

import pytest

from service.domain.bucket_details import BucketDetails, DbrpMapping, Label
from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.timerange import EVER
from service.errors import InvalidParameter, UnknownBucket
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Store
from tests.support.rows import at, read, row, span, store_all

HOUR, DAY = parse_duration("1h", "length"), parse_duration("1d", "length")
NOON = at("2024-01-01T12:00:00Z")


def fresh(word: str = "Details") -> str:
    return f"{word} {secrets.token_hex(6)}"


def test_a_store_names_its_server_and_version(store: Store) -> None:
    assert re.fullmatch(r"influxdb \S+|embedded duckdb \d+\.\d+\.\d+", store.server())


@pytest.mark.parametrize("shard_ns", [HOUR, 90 * 60 * 1_000_000_000, DAY, 100 * DAY])
@pytest.mark.parametrize("retention_ns", [0, 100 * DAY])
def test_shard_groups_are_as_long_as_asked(store: Store, shard_ns: int, retention_ns: int) -> None:
    name = fresh()
    assert store.create_bucket(BucketSpec(name, "", retention_ns, shard_ns)) is True
    assert (store.bucket(name).retention_ns, store.bucket(name).shard_ns) == (retention_ns, shard_ns)


def test_types_of_a_field_are_told_apart_by_the_shard_groups_asked_for(store: Store) -> None:
    name = fresh()
    store.create_bucket(BucketSpec(name, "", 0, HOUR))
    store_all(store, name, f"m f=1 {NOON}\nm f=2i {NOON + HOUR}\n")
    assert [len(types) for types in store.schema(name)[0].fields.values()] == [2]


@pytest.mark.parametrize(
    ("retention_ns", "shard_ns"),
    [(0, -1), (0, HOUR - 1), (0, HOUR // 2), (0, HOUR + 1), (DAY, DAY + HOUR)],
)
def test_shard_groups_that_no_store_makes_are_refused(store: Store, retention_ns: int, shard_ns: int) -> None:
    """InfluxDB 2.9.1 makes an hour of less than one, without a word."""
    name = fresh()
    with pytest.raises(InvalidParameter, match="shard groups"):
        store.create_bucket(BucketSpec(name, "", retention_ns, shard_ns))


def test_a_bucket_gets_another_description_and_retention_and_keeps_all_else(store: Store) -> None:
    name = fresh()
    store.create_bucket(BucketSpec(name, "first", 0, DAY))
    store_all(store, name, f"m f=1 {NOON}\n")
    store.update_bucket(name, "second: 'ä' 🔌", 200 * 365 * DAY)
    changed = store.bucket(name)
    assert (changed.name, changed.description) == (name, "second: 'ä' 🔌")
    assert (changed.retention_ns, changed.shard_ns) == (200 * 365 * DAY, DAY)
    assert changed in store.buckets()
    assert read(store, name, span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")) == [row("m", {}, "f", NOON, 1.0)]
    store.update_bucket(name, "", 0)
    assert (store.bucket(name).description, store.bucket(name).retention_ns) == ("", 0)
    assert store.bucket(name).shard_ns == DAY


def test_points_outside_the_new_retention_are_refused(store: Store) -> None:
    name = fresh()
    store.create_bucket(BucketSpec(name, "", 0, DAY))
    store.update_bucket(name, "", 30 * DAY)
    outcome = store.write(name, parse_lines(f"m f=1 {NOON}\n".encode(), "ns", NOON).points)
    assert [refusal.code for refusal in outcome.refused] == ["outside_retention"]


@pytest.mark.parametrize("retention_ns", [-1, 1, HOUR - 1, HOUR, DAY - 1_000_000_000])
def test_a_retention_that_is_shorter_than_a_shard_group_changes_nothing(store: Store, retention_ns: int) -> None:
    name = fresh()
    store.create_bucket(BucketSpec(name, "first", 0, DAY))
    with pytest.raises(InvalidParameter):
        store.update_bucket(name, "second", retention_ns)
    assert (store.bucket(name).description, store.bucket(name).retention_ns) == ("first", 0)


def test_a_description_that_is_no_text_changes_nothing(store: Store, bucket: str) -> None:
    with pytest.raises(InvalidParameter):
        store.update_bucket(bucket, "\ud800", 0)
    assert store.bucket(bucket).description == ""


def test_an_unknown_bucket_has_no_details_and_cannot_be_changed(store: Store) -> None:
    for act in (
        lambda: store.update_bucket(fresh(), "", 0),
        lambda: store.bucket_details(fresh()),
        lambda: store.add_bucket_details(fresh(), BucketDetails()),
    ):
        with pytest.raises(UnknownBucket):
            act()


def test_a_new_bucket_has_no_details(store: Store, bucket: str) -> None:
    assert store.bucket_details(bucket) == BucketDetails()
    assert store.add_bucket_details(bucket, BucketDetails()) == []


def test_what_was_not_made_of_the_details_is_said_and_what_was_is_there(store: Store, bucket: str) -> None:
    """The embedded store makes none, and says so once for each."""
    label, mapping = Label(fresh("label"), (("color", "#ff0000"),)), DbrpMapping(secrets.token_hex(6), "week", True)
    sentences = store.add_bucket_details(bucket, BucketDetails((label,), (mapping,)))
    made = store.bucket_details(bucket)
    assert len(made.labels) + len(made.mappings) + len(sentences) == 2
    assert made == (BucketDetails((label,), (mapping,)) if store.name == "influx" else BucketDetails())
    assert all(bucket in sentence for sentence in sentences)
    assert store.add_bucket_details(bucket, BucketDetails((label,), (mapping,))) == sentences
    assert store.bucket_details(bucket) == made


def test_points_are_read_as_before_when_a_bucket_has_a_mapping(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\n")
    store.add_bucket_details(bucket, BucketDetails((), (DbrpMapping(secrets.token_hex(6), "autogen", True),)))
    assert read(store, bucket, EVER) == [row("m", {}, "f", NOON, 1.0)]
