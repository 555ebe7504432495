"""Buckets: made once, listed whole, told apart, and described."""

import secrets

import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec, FieldType, MeasurementSchema
from service.domain.selection import Selection
from service.domain.shards import default_shard_ns
from service.domain.timerange import LATEST_NS
from service.errors import InvalidParameter, UnknownBucket
from service.stores.protocol import Store
from tests.support.rows import at, read, row, span, store_all

DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
DAYS = parse_duration("1d", "retention")


def fresh(word: str = "Bucket") -> str:
    return f"{word} {secrets.token_hex(6)}"


def test_a_created_bucket_is_as_asked(store: Store) -> None:
    name = fresh()
    assert store.create_bucket(BucketSpec(name, "what it holds: 'all' \"of\" it", 30 * DAYS)) is True
    made = store.bucket(name)
    assert (made.name, made.description, made.retention_ns) == (name, "what it holds: 'all' \"of\" it", 30 * DAYS)
    assert made.shard_ns > 0
    assert made in store.buckets()


def test_an_existing_bucket_is_left_alone(store: Store) -> None:
    name = fresh()
    store.create_bucket(BucketSpec(name, "first", 30 * DAYS))
    store_all(store, name, "")
    assert store.create_bucket(BucketSpec(name, "second", 0)) is False
    assert (store.bucket(name).description, store.bucket(name).retention_ns) == ("first", 30 * DAYS)


@pytest.mark.parametrize(
    ("retention", "shard"),
    [
        ("1h", "1h"), ("172799s", "1h"), ("2d", "1d"), ("172801s", "1d"), ("15551999s", "1d"),
        ("180d", "1w"), ("181d", "1w"), ("182d", "1w"), ("183d", "1w"), ("184d", "1w"),
    ],
)  # fmt: skip
def test_the_length_of_shard_groups_follows_the_retention_as_influxdb_chooses_it(
    store: Store, retention: str, shard: str
) -> None:
    """The embedded store once took a day up to 183 days."""
    name = fresh()
    store.create_bucket(BucketSpec(name, "", parse_duration(retention, "retention")))
    assert (
        store.bucket(name).shard_ns
        == parse_duration(shard, "shard")
        == default_shard_ns(parse_duration(retention, "retention"))
    )


@pytest.mark.parametrize(
    "name",
    ["", "_private", 'with "quotes"', "a\0b", "a\rb", "a\nb", "/lead", "tr/", ".", "..", "db/autogen", "x" * 1001],
)
def test_a_name_that_cannot_be_taken_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidParameter):
        store.create_bucket(BucketSpec(name))
    assert name not in [one.name for one in store.buckets()]


@pytest.mark.parametrize(
    "name",
    [
        " a",
        "a ",
        "-",
        "...",
        ".a",
        "a/.b",
        "a/b/autogen",
        "0123456789abcdef",
        "%00",
        "%2F",
        "\u200b",
        "\ufeffa",
        "a" * 900,
    ],
)
def test_an_odd_name_that_can_be_taken_is_found_again(store: Store, name: str) -> None:
    store.create_bucket(BucketSpec(name))
    assert store.bucket(name).name == name
    store_all(store, name, f"m f=1 {NOON}\n")
    assert store.last_point(name) == NOON
    assert read(store, name, DAY) == [row("m", {}, "f", NOON, 1.0)]


@pytest.mark.parametrize("retention_ns", [-1, 1, parse_duration("59m", "retention")])
def test_a_retention_that_cannot_be_kept_is_refused(store: Store, retention_ns: int) -> None:
    name = fresh()
    with pytest.raises(InvalidParameter):
        store.create_bucket(BucketSpec(name, "", retention_ns))
    assert name not in [one.name for one in store.buckets()]


@pytest.mark.parametrize(
    "word", ["a b", "it's", "${x}", "back\\slash", "sl/ash", "?q=1&x", "#h", "50%25", "naïve 🔌", "; DROP", ".*"]
)
def test_any_other_name_works(store: Store, word: str) -> None:
    name = fresh(word)
    assert store.create_bucket(BucketSpec(name)) is True
    assert store.bucket(name).name == name
    store_all(store, name, f"m f=1 {NOON}\n")
    assert store.last_point(name) == NOON
    assert read(store, name, DAY) == [row("m", {}, "f", NOON, 1.0)]


def test_buckets_are_listed_by_name_and_beyond_any_page_of_the_server(store: Store) -> None:
    names = [fresh(f"many {number:03}") for number in range(105)]
    for name in names:
        store.create_bucket(BucketSpec(name))
    listed = [one.name for one in store.buckets()]
    assert listed == sorted(listed)
    assert set(names) <= set(listed)
    assert not [name for name in listed if name.startswith("_")]


def test_an_unknown_bucket_is_named_with_its_neighbours(store: Store) -> None:
    name = fresh("Power Consumption")
    store.create_bucket(BucketSpec(name))
    wrong = name.replace("Consumption", "Consumtion").lower()
    asked = [
        lambda: store.bucket(wrong),
        lambda: store.schema(wrong),
        lambda: store.last_point(wrong),
        lambda: store.latest(wrong, DAY, "real"),
        lambda: store_all(store, wrong, f"m f=1 {NOON}\n"),
        lambda: read(store, wrong, DAY),
    ]
    for ask in asked:
        with pytest.raises(UnknownBucket) as refused:
            ask()
        assert name in refused.value.extra["near"]  # type: ignore[operator]


def test_a_read_of_an_unknown_bucket_fails_before_its_first_row(store: Store) -> None:
    with pytest.raises(UnknownBucket):
        store.read(Selection(fresh("nothing"), DAY))


def test_an_empty_bucket_has_no_measurements_no_rows_and_no_last_point(store: Store, bucket: str) -> None:
    assert store.schema(bucket) == []
    assert store.last_point(bucket) is None
    assert read(store, bucket, DAY) == []


def test_the_schema_names_everything_of_all_time(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        f'm,room=x,host=a f=1,i=1i {at("1969-01-01T00:00:00Z")}\nm,rack=r u=1u,s="x" {NOON}\n'
        f"a t=true {at('2100-01-01T00:00:00Z')}\n",
    )
    assert store.schema(bucket) == [
        MeasurementSchema("a", (), {"t": (FieldType.BOOLEAN,)}),
        MeasurementSchema(
            "m",
            ("host", "rack", "room"),
            {"f": (FieldType.FLOAT,), "i": (FieldType.INTEGER,), "s": (FieldType.STRING,), "u": (FieldType.UNSIGNED,)},
        ),
    ]


def test_the_schema_names_each_type_of_a_field_that_changed(store: Store, bucket: str) -> None:
    store_all(
        store, bucket, f'm f="x" {NOON}\nm f=1.5 {at("2024-01-10T00:00:00Z")}\nm f=1i {at("2024-01-17T00:00:00Z")}\n'
    )
    assert store.schema(bucket) == [
        MeasurementSchema("m", (), {"f": (FieldType.FLOAT, FieldType.INTEGER, FieldType.STRING)})
    ]


@pytest.mark.parametrize("newest", [NOON, -5, LATEST_NS, at("2100-01-01T00:00:00.000000001Z")])
def test_the_last_point_is_the_newest_whatever_its_type_and_time(store: Store, bucket: str, newest: int) -> None:
    store_all(store, bucket, f'm f=1 {newest - 10}\nn,host=a s="x" {newest}\nm f=2 {newest - 5}\n')
    assert store.last_point(bucket) == newest


def test_a_store_answers_ping_and_has_a_name(store: Store) -> None:
    store.ping()
    assert store.name in ("influx", "embedded")
