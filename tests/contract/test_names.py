"""What a store knows of names: those of filters that nothing has, and the values of tags."""

import pytest

from service.domain.schema import BucketSpec
from service.domain.selection import Selection
from service.domain.timerange import EVER
from service.domain.unknown_names import FilterKind, UnknownName
from service.errors import UnknownBucket
from service.stores.protocol import Store
from tests.support.rows import store_all

LINES = "power,meter=M1,site=x watts=1 1\npower,meter=M2 watts=1 1700000000000000000\nwind,mast=M3 speed=1 -1\n"


def test_the_plan_names_what_the_bucket_does_not_know(store: Store, bucket: str) -> None:
    store_all(store, bucket, LINES)
    reading = store.read(
        Selection(bucket, EVER, None, ("power", "Wind"), ("Watts", "speed"), (("Meter", ("M1",)), ("site", ("y",))))
    )
    reading.cancel()
    assert reading.plan.unknown == (
        UnknownName(FilterKind.MEASUREMENT, "Wind", ("wind",)),
        UnknownName(FilterKind.FIELD, "Watts", ("watts",)),
        UnknownName(FilterKind.FIELD, "speed"),
        UnknownName(FilterKind.TAG, "Meter", ("meter",)),
    )


def test_the_values_of_a_tag(store: Store, bucket: str) -> None:
    store_all(store, bucket, LINES)
    assert store.tag_values(bucket, "meter", ()) == ["M1", "M2"]
    assert store.tag_values(bucket, "meter", ("M2", "M3")) == ["M1", "M2"]
    assert store.tag_values(bucket, "nothing", ("M2",)) == []


def test_a_wanted_value_is_found_among_many(store: Store, bucket: str) -> None:
    store_all(store, bucket, "".join(f"m,n=v{number:05} f=1 1\n" for number in range(1_200)))
    values = store.tag_values(bucket, "n", ("v01100", "v09999"))
    assert values == [*(f"v{number:05}" for number in range(1_000)), "v01100"]
    assert store.tag_values(bucket, "n", (), 2) == ["v00000", "v00001"]
    assert len(store.tag_values(bucket, "n", (), 5_000) or ()) == 1_200


@pytest.mark.parametrize("key", ["a b", 'q"q', "back\\\\slash", "naïve 🌡"])
def test_values_of_tags_with_odd_names(store: Store, bucket: str, key: str) -> None:
    store_all(store, bucket, f"m,{key.replace(' ', chr(92) + ' ')}=x\\ y,b=2 f=1 1\n")
    (name,) = set(store.schema(bucket)[0].tags) - {"b"}
    assert store.tag_values(bucket, name, ("z",)) == ["x y"]


@pytest.mark.parametrize("key", ["_value", "_time", "a@b", "$"])
def test_a_store_says_nothing_of_a_tag_that_it_cannot_ask_for(store: Store, bucket: str, key: str) -> None:
    """Flux keeps some of these names for itself, and loses its way in others."""
    store_all(store, bucket, f"m,{key}=x f=1 1\n")
    assert store.tag_values(bucket, key, ("z",)) in (["x"], None)


def test_a_bucket_beside_the_default_policy_has_values_too(store: Store, bucket: str) -> None:
    store.create_bucket(BucketSpec(f"{bucket}/other"))
    store_all(store, f"{bucket}/other", LINES)
    assert store.tag_values(f"{bucket}/other", "meter", ()) == ["M1", "M2"]


def test_values_of_an_unknown_bucket_are_refused(store: Store) -> None:
    with pytest.raises(UnknownBucket):
        store.tag_values("no such bucket", "meter", ())
    with pytest.raises(UnknownBucket):
        store.tag_values("no such bucket", "_value", ())


@pytest.mark.parametrize("system", ["_monitoring", "_tasks"])
def test_values_of_a_system_bucket_are_refused_like_its_points(store: Store, system: str) -> None:
    with pytest.raises(UnknownBucket):
        store.schema(system)
    with pytest.raises(UnknownBucket):
        store.tag_values(system, "_measurement", ())
