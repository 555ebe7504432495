"""Counting: how many points each slice holds, the same in every store, and as many as a read of them gives."""

from collections import Counter

import pytest

from service.domain.durations import parse_duration
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, floor_to
from service.errors import UnknownBucket
from service.stores.protocol import Store
from tests.contract.test_exactness import HOSTILE, escaped
from tests.support.rows import at, read, store_all

DAY = parse_duration("1d", "test")
HOUR = parse_duration("1h", "test")
NOON = at("2024-01-01T12:00:00Z")
ALL_TYPES = 'm,site=a f=1.5,i=7i,u=18446744073709551615u,s="text",b=true {}\n'


def test_every_value_of_every_type_and_series_counts(store: Store, bucket: str) -> None:
    store_all(
        store,
        bucket,
        "".join(ALL_TYPES.format(NOON + step * HOUR) for step in range(3))
        + f"m,site=b f=1 {NOON}\nn f=1 {NOON}\no f=1 {NOON}\n",
    )
    found = store.count_points(bucket, ("m", "n"), TimeRange(NOON, NOON + DAY), HOUR)
    assert found == {NOON: 7, NOON + HOUR: 5, NOON + 2 * HOUR: 5}
    assert store.count_points(bucket, ("m", "n"), TimeRange(NOON, NOON + DAY), DAY) == {NOON - 12 * HOUR: 17}
    assert store.count_points(bucket, ("m", "n", "o"), EVER, DAY) == {NOON - 12 * HOUR: 18}


def test_a_range_is_half_open_to_the_nanosecond(store: Store, bucket: str) -> None:
    store_all(store, bucket, "".join(f"m f={step} {NOON + step}\n" for step in range(5)))
    assert store.count_points(bucket, ("m",), TimeRange(NOON + 1, NOON + 4), HOUR) == {NOON: 3}


@pytest.mark.parametrize("step_ns", [DAY, HOUR, 600_000_000_000])
def test_all_of_time_can_be_counted(store: Store, bucket: str, step_ns: int) -> None:
    times = [EARLIEST_NS, EARLIEST_NS + 1, -DAY, -DAY - 1, -1, 0, 1, DAY - 1, DAY, LATEST_NS - 1, LATEST_NS]
    store_all(store, bucket, "".join(f"m v=1i,w=2 {time_ns}\n" for time_ns in times))
    expected = Counter(floor_to(time_ns, step_ns) for time_ns in times for _ in range(2))
    assert store.count_points(bucket, ("m",), EVER, step_ns) == expected


def test_nothing_is_counted_where_nothing_is(store: Store, bucket: str) -> None:
    assert store.count_points(bucket, ("m",), EVER, DAY) == {}
    store_all(store, bucket, f"m f=1 {NOON}\n")
    assert store.count_points(bucket, (), EVER, DAY) == {}
    assert store.count_points(bucket, ("n",), EVER, DAY) == {}
    assert store.count_points(bucket, ("m",), TimeRange(NOON + 1, NOON + DAY), DAY) == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_counted(store: Store, bucket: str, name: str) -> None:
    store_all(
        store, bucket, f"{escaped(name)},{escaped(name)}={escaped(name)} {escaped(name)}=1i {NOON}\nm f=1 {NOON}\n"
    )
    names = {one.name for one in store.schema(bucket)} - {"m"}
    assert store.count_points(bucket, names, EVER, DAY) == {NOON - 12 * HOUR: 1}


def test_a_field_of_several_types_is_counted_right_or_not_at_all(store: Store, bucket: str) -> None:
    store_all(store, bucket, f"m f=1 {NOON}\nm f=1i {NOON + 30 * DAY}\n" + f'm f="x" {NOON + 60 * DAY}\n')
    found = store.count_points(bucket, ("m",), EVER, DAY)
    assert found is None or found == {NOON - 12 * HOUR + days * DAY: 1 for days in (0, 30, 60)}


def test_a_thousand_fields_and_series_are_one_number(store: Store, bucket: str) -> None:
    fields = ",".join(f"f{number}={number}" for number in range(1_000))
    store_all(
        store, bucket, f"m {fields} {NOON}\n" + "".join(f"n,host=h{number} v=1i {NOON}\n" for number in range(1_000))
    )
    assert (
        store.count_points(bucket, ("m", "n"), EVER, DAY)
        == {NOON - 12 * HOUR: 2_000}
        == {NOON - 12 * HOUR: len(read(store, bucket, EVER))}
    )


def test_a_bucket_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(UnknownBucket):
        store.count_points("no such bucket", ("m",), EVER, DAY)
