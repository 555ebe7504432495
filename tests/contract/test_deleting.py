"""Deleting: exactly the points of one series in a half-open range, whatever its name; and where data begins."""

import pytest

from service.domain.schema import FieldType, MeasurementSchema
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange
from service.errors import UnknownBucket
from service.stores.protocol import Store
from tests.contract.test_exactness import HOSTILE, escaped
from tests.support.rows import Row, at, read, row, span, store_all

NOON = at("2024-01-01T12:00:00Z")
LATER = at("2024-01-10T12:00:00Z")
"""In the next shard group."""
YEAR = span("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
HOST_A = (("host", "a"),)


def left(store: Store, bucket: str) -> list[Row]:
    return read(store, bucket, YEAR)


def test_a_range_is_half_open_to_the_nanosecond(store: Store, bucket: str) -> None:
    store_all(store, bucket, "".join(f"m,host=a f={step} {NOON + step}\n" for step in range(5)))
    store.delete_points(bucket, SeriesKey("m", HOST_A), TimeRange(NOON + 1, NOON + 3))
    assert left(store, bucket) == [row("m", {"host": "a"}, "f", NOON + step, float(step)) for step in (0, 3, 4)]
    store.delete_points(bucket, SeriesKey("m", HOST_A), TimeRange(NOON + 4, NOON + 5))
    assert left(store, bucket) == [row("m", {"host": "a"}, "f", NOON + step, float(step)) for step in (0, 3)]


def test_all_fields_of_all_types_go(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm,host=a a=1.5,b=2i,c=3u,d="x",e=true {NOON}\nm,host=a a=2,d="y" {NOON + 1}\n')
    store.delete_points(bucket, SeriesKey("m", HOST_A), TimeRange(NOON, NOON + 1))
    assert left(store, bucket) == [
        row("m", {"host": "a"}, "a", NOON + 1, 2.0),
        row("m", {"host": "a"}, "d", NOON + 1, "y"),
    ]


def test_other_tags_measurements_and_buckets_stay(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        f"m f=1 {NOON}\nm,host=b f=2 {NOON}\nm,room=a f=3 {NOON}\nn,host=a f=4 {NOON}\nm,host=a,room=x f=5 {NOON}\n",
    )
    before = left(store, bucket)
    store.delete_points(bucket, SeriesKey("m", (("host", "a"), ("room", "a"))), EVER)
    store.delete_points(bucket, SeriesKey("m", (("host", "c"),)), EVER)
    store.delete_points(bucket, SeriesKey("nothing"), EVER)
    assert left(store, bucket) == before
    store.delete_points(bucket, SeriesKey("m", (("room", "x"), ("host", "a"))), EVER)
    assert left(store, bucket) == [one for one in before if one.tags != (("host", "a"), ("room", "x"))]


def test_a_series_with_more_tags_can_be_written_again_at_most(store: Store, bucket: str) -> None:
    more = f"m,host=a,room=x f=5 {NOON}\nm,host=a f=6 {NOON + 1}\n"
    store_all(store, bucket, f"m,host=a f=1 {NOON}\n{more}m,host=a,room=x f=7 {NOON + 1}\nm,host=b f=8 {NOON}\n")
    store.delete_points(bucket, SeriesKey("m", HOST_A), TimeRange(NOON, NOON + 1))
    store_all(store, bucket, more)
    assert left(store, bucket) == [
        row("m", {"host": "a"}, "f", NOON + 1, 6.0),
        row("m", {"host": "a", "room": "x"}, "f", NOON, 5.0),
        row("m", {"host": "a", "room": "x"}, "f", NOON + 1, 7.0),
        row("m", {"host": "b"}, "f", NOON, 8.0),
    ]


def test_a_series_without_tags_is_deleted_over_shard_groups(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\nm f=7i {LATER}\nm f=8i {LATER + 1}\nother f=1 {NOON}\n")
    store.delete_points(bucket, SeriesKey("m"), TimeRange(NOON, LATER + 1))
    assert left(store, bucket) == [row("m", {}, "f", LATER + 1, 8), row("other", {}, "f", NOON, 1.0)]


def test_all_of_time_can_be_deleted(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1i {EARLIEST_NS}\nm f=2i {LATEST_NS}\nm f=3i 0\nn f=1i {LATEST_NS}\n")
    store.delete_points(bucket, SeriesKey("m"), TimeRange(EARLIEST_NS, EARLIEST_NS + 1))
    assert [one.shown for one in read(store, bucket, EVER, measurements=("m",))] == ["3", "2"]
    store.delete_points(bucket, SeriesKey("m"), EVER)
    assert [(one.measurement, one.shown) for one in read(store, bucket, EVER)] == [("n", "1")]


TELLABLE = [name for name in HOSTILE if name != "a=b"]
"""As a measurement with a tag `a`, that one is refused by InfluxDB's store (tests/live/test_influx_deleting.py)."""


@pytest.mark.parametrize("name", TELLABLE)
def test_any_name_is_deleted_and_its_like_stays(store: Store, bucket: str, name: str) -> None:
    """Measurement, tag key and tag value by one name at once. The other series differ in one of the three."""
    word, measurement = escaped(name), name.replace(",", "\\,").replace(" ", "\\ ")
    others = [
        f"{measurement},{word}=x",
        f"{measurement},x={word}",
        f"x,{word}={word}",
        f"{measurement}x,{word}={word}",
        measurement,
    ]
    store_all(store, bucket, "".join(f"{series} f=1i {NOON}\n" for series in [f"{measurement},{word}={word}", *others]))
    before = read(store, bucket, YEAR)
    store.delete_points(bucket, SeriesKey(name, ((name, name),)), EVER)
    assert read(store, bucket, YEAR) == [
        one for one in before if (one.measurement, one.tags) != (name, ((name, name),))
    ]
    assert len(before) == len(others) + 1


@pytest.mark.parametrize(
    ("measurement", "key", "value"),
    [("a=b", "k=x", "v=y"), ("m", "a,b=c", "d e"), ("it's", "k", 'x" AND "y"="z'), ("m", "k", "a,k=b")],
)
def test_names_that_look_like_other_text_name_themselves_alone(
    store: Store, bucket: str, measurement: str, key: str, value: str
) -> None:
    mine = f"{measurement.replace(',', chr(92) + ',')},{escaped(key)}={escaped(value)}"
    store_all(store, bucket, f"{mine} f=1 {NOON}\nm,k=a f=2 {NOON}\na,k=x f=3 {NOON}\nit's,k=x,y=z f=4 {NOON}\n")
    store.delete_points(bucket, SeriesKey(measurement, ((key, value),)), EVER)
    assert [one.shown for one in left(store, bucket)] == ["3.0", "4.0", "2.0"]


def test_what_was_deleted_can_be_written_again_with_another_type(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m,host=a f=1 {NOON}\n")
    store.delete_points(bucket, SeriesKey("m", HOST_A), EVER)
    assert store.schema(bucket) == []
    assert store.latest(bucket, YEAR, "").fields == {}
    store_all(store, bucket, f"m,host=a f=7i {NOON}\n")
    assert left(store, bucket) == [row("m", {"host": "a"}, "f", NOON, 7)]
    assert store.schema(bucket) == [MeasurementSchema("m", ("host",), {"f": (FieldType.INTEGER,)})]


def test_a_type_is_held_as_long_as_the_measurement_has_points_in_the_shard_group(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m,host=a f=1 {NOON}\nm,host=a f=1i {LATER}\nm,host=b f=2 {NOON}\n")
    store.delete_points(bucket, SeriesKey("m", HOST_A), EVER)
    assert store.schema(bucket) == [MeasurementSchema("m", ("host",), {"f": (FieldType.FLOAT,)})]
    store_all(store, bucket, f'm,host=b f="x" {LATER}\nm,host=a f=3 {NOON}\n')
    assert [one.shown for one in left(store, bucket)] == ["3.0", "2.0", "'x'"]


def test_the_outermost_points_are_those_that_are_left(store: Store, bucket: str) -> None:
    store_all(store, bucket, f'm,host=a f=1,s="x" {NOON}\nm,host=a f=1 {NOON + 9}\nn f=1i {NOON + 5}\nn f=1i {LATER}\n')
    assert (store.first_point(bucket), store.last_point(bucket)) == (NOON, LATER)
    store.delete_points(bucket, SeriesKey("m", HOST_A), TimeRange(NOON, NOON + 1))
    store.delete_points(bucket, SeriesKey("n"), TimeRange(LATER, LATER + 1))
    assert (store.first_point(bucket), store.last_point(bucket)) == (NOON + 5, NOON + 9)
    store.delete_points(bucket, SeriesKey("m", HOST_A), EVER)
    assert (store.first_point(bucket), store.last_point(bucket)) == (NOON + 5, NOON + 5)
    store.delete_points(bucket, SeriesKey("n"), EVER)
    assert (store.first_point(bucket), store.last_point(bucket)) == (None, None)


@pytest.mark.parametrize("oldest", [NOON, -5, EARLIEST_NS, at("2100-01-01T00:00:00.000000001Z")])
def test_the_first_point_is_the_oldest_whatever_its_type_and_time(store: Store, bucket: str, oldest: int) -> None:
    assert store.first_point(bucket) is None
    store_all(store, bucket, f'm f=1 {oldest + 10}\nn,host=a s="x" {oldest}\nm f=2 {oldest + 5}\n')
    assert store.first_point(bucket) == oldest


def test_an_unknown_bucket_is_said(store: Store, bucket: str) -> None:
    for ask in (
        lambda: store.first_point(f"{bucket}x"),
        lambda: store.delete_points(f"{bucket}x", SeriesKey("m"), EVER),
    ):
        with pytest.raises(UnknownBucket) as refused:
            ask()
        assert bucket in refused.value.extra["near"]  # type: ignore[operator]
