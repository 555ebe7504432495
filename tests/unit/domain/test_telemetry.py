"""Which values count, in the object of which device, and under which names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.series import Tags
from service.domain.telemetry import Missing, Newest, Part, Value, fold
from service.domain.telemetry_names import flat_names, measurement_names, rest_name

PUMP = ("b", "pump")
KNOWN = {PUMP: {"bar": ("float",), "rpm": ("float",), "mode": ("string",)}}


def newest(field: str, value: Value, tags: Tags = (), time_ns: int = 1) -> Newest:
    return Newest("b", "pump", field, tags, time_ns, value)


def device(name: str) -> Tags:
    return (("dev", name),)


def test_the_newest_value_of_a_field_counts_and_a_silent_field_is_zero() -> None:
    rows = [newest("bar", 1.0, device("A"), 1), newest("bar", 2.0, device("B"), 2)]
    assert fold(rows, KNOWN) == [Part(None, PUMP, {"bar": 2.0, "rpm": 0.0}, ("mode",), ("rpm",), merged=True)]


def test_each_device_has_its_own_values() -> None:
    rows = [newest("bar", 1.0, device("A")), newest("rpm", 2.0, device("B")), newest("rpm", 3.0)]
    assert fold(rows, KNOWN, by="dev", missing=Missing.OMIT) == [
        Part(None, PUMP, {"rpm": 3.0}, ("mode",), ("bar",)),
        Part("A", PUMP, {"bar": 1.0}, ("mode",), ("rpm",)),
        Part("B", PUMP, {"rpm": 2.0}, ("mode",), ("bar",)),
    ]


def test_two_series_of_one_device_are_merged() -> None:
    rows = [newest("bar", 1.0, (("dev", "A"), ("side", "l"))), newest("bar", 2.0, (("dev", "A"), ("side", "r")))]
    (part,) = fold(rows, KNOWN, by="dev")
    assert (part.device, part.merged) == ("A", True)


def test_parts_are_sorted_by_device_and_then_by_bucket_and_measurement() -> None:
    rows = [
        Newest(bucket, measurement, "f", tags, 1, 1.0)
        for bucket, measurement, tags in [
            ("b", "z", device("A")), ("b", "y", ()), ("b", "a", device("A")), ("a", "z", device("A")), ("b", "x", ()),
        ]
    ]  # fmt: skip
    assert [(part.device, part.source) for part in fold(rows, {}, by="dev")] == [
        (None, ("b", "x")),
        (None, ("b", "y")),
        ("A", ("a", "z")),
        ("A", ("b", "a")),
        ("A", ("b", "z")),
    ]


def test_coordinates_that_a_measurement_has_as_tags_are_among_its_values() -> None:
    """The place of the newest row counts; other tags are no values, whatever they hold."""
    rows = [
        newest("bar", 1.0, (("latitude", "52.5"), ("longitude", "-13.25"), ("altitude", "34")), 2),
        newest("rpm", 2.0, (("latitude", "1.5"), ("longitude", "2.5")), 1),
    ]
    (part,) = fold(rows, KNOWN)
    assert part.values == {"bar": 1.0, "latitude": 52.5, "longitude": -13.25, "rpm": 2.0}


@pytest.mark.parametrize("text", ["north", "", "nan", "inf", "-inf", "52,5"])
def test_a_tag_that_is_no_number_is_no_coordinate(text: str) -> None:
    (part,) = fold([newest("bar", 1.0, (("latitude", text), ("longitude", "13.5")))], KNOWN)
    assert part.values == {"bar": 1.0, "longitude": 13.5, "rpm": 0.0}


def test_a_field_named_like_a_coordinate_counts_and_the_tag_does_not() -> None:
    known = {PUMP: {"latitude": ("float",), "bar": ("float",)}}
    tags = (("latitude", "52.5"), ("longitude", "13.5"))
    (part,) = fold([newest("latitude", 7.0, tags, 1), newest("bar", 1.0, tags, 2)], known)
    assert part.values == {"bar": 1.0, "latitude": 7.0, "longitude": 13.5}


def test_what_is_no_number_is_silent() -> None:
    rows = [newest("bar", float("nan")), newest("rpm", float("inf"))]
    assert fold(rows, KNOWN)[0].values == {"bar": 0.0, "rpm": 0.0}
    (part,) = fold(rows, KNOWN, missing=Missing.NULL)
    assert (part.values, part.silent) == ({"bar": None, "rpm": None}, ("bar", "rpm"))


def test_text_is_named_also_where_another_series_has_a_number() -> None:
    """It was left out without a word."""
    (part,) = fold([newest("bar", "high", device("A")), newest("bar", 1.0, device("B"))], KNOWN)
    assert (part.values["bar"], part.text) == (1.0, ("bar", "mode"))


def test_a_measurement_of_one_bucket_has_its_plain_name_and_of_several_that_of_its_bucket() -> None:
    names = measurement_names([("north", "p"), ("south", "p"), ("south", "q")])
    assert dict(names.shown) == {("north", "p"): "north/p", ("south", "p"): "south/p", ("south", "q"): "q"}
    assert names.renamed == ("north/p", "south/p")


def test_fields_of_a_measurement_that_two_buckets_hold_are_named_by_their_buckets_also_where_they_differ() -> None:
    parts = [Part(None, ("north", "p"), {"a": 1.0}), Part(None, ("south", "p"), {"b": 1.0})]
    assert sorted(flat_names(parts).shown.values()) == ["north/p.a", "south/p.b"]


def test_a_measurement_that_is_named_like_another_one_in_its_bucket_loses_neither() -> None:
    """`bucket1/real_two` was one of the two."""
    names = measurement_names([("bucket1", "real_two"), ("other", "real_two"), ("third", "bucket1/real_two")])
    assert dict(names.shown) == {
        ("bucket1", "real_two"): "bucket1/real_two",
        ("other", "real_two"): "other/real_two",
        ("third", "bucket1/real_two"): "third/bucket1/real_two",
    }


def test_a_measurement_is_never_named_like_a_coordinate() -> None:
    assert measurement_names([("b", "latitude")])["b", "latitude"] == "b/latitude"


def test_flat_names_that_would_be_equal_have_their_parts_encoded() -> None:
    """`real.a b.c=1` and `real a.b.c=2` were one."""
    parts = [Part(None, ("b", "real.a"), {"b.c": 1.0}), Part(None, ("b", "real"), {"a.b.c": 2.0, "d": 3.0})]
    names = flat_names(parts)
    assert dict(names.shown) == {
        (("b", "real.a"), "b.c"): "b/real%2Ea.b%2Ec",
        (("b", "real"), "a.b.c"): "b/real.a%2Eb%2Ec",
        (("b", "real"), "d"): "real.d",
    }
    assert names.renamed == ("b/real%2Ea.b%2Ec", "b/real.a%2Eb%2Ec")


def test_a_longest_name_stays_and_what_is_named_like_it_takes_a_longer_one() -> None:
    """`b/x%2Fy` is the encoded name of one measurement, and would be the name with its bucket of another."""
    names = measurement_names(
        [("b", "x/y"), ("c", "x/y"), ("b/x", "y"), ("d", "y"), ("b", "x%2Fy"), ("c", "x%2Fy")],
    )
    assert names["b", "x/y"] == "b/x%2Fy"
    assert names["b/x", "y"] == "b%2Fx/y"
    assert names["b", "x%2Fy"] == "b/x%252Fy"
    assert names["c", "x%2Fy"] == "c/x%2Fy"


WORDS = st.text("ab/.%25", min_size=1, max_size=6) | st.sampled_from(["latitude", "a/latitude", "a%2Fb"])


@given(st.lists(st.tuples(WORDS, WORDS)))
def test_no_two_measurements_share_a_name(sources: list[tuple[str, str]]) -> None:
    shown = measurement_names(sources).shown
    assert len({*shown.values(), "latitude", "longitude"}) == len(set(sources)) + 2


@given(st.lists(st.tuples(WORDS, WORDS, WORDS)))
def test_no_two_fields_share_a_flat_name(leaves: list[tuple[str, str, str]]) -> None:
    shown = flat_names(Part(None, (bucket, name), {field: 1.0}) for bucket, name, field in leaves).shown
    assert len(set(shown.values())) == len(set(leaves))


def test_what_has_no_device_never_has_the_name_of_one() -> None:
    assert rest_name("dev", {"A"}) == "(without dev)"
    assert rest_name("dev", {"(without dev)"}) == "((without dev))"
