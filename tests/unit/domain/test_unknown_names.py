"""Names of filters that a bucket does not know, and near ones, at a bounded cost."""

import pytest

from service.domain.near_names import near_names
from service.domain.schema import FieldType, MeasurementSchema
from service.domain.unknown_names import FilterKind, UnknownName, unknown_names
from tests.support.work import steps_of

F = (FieldType.FLOAT,)
SCHEMA = [
    MeasurementSchema("power", ("meter", "site"), {"watts": F, "volts": F}),
    MeasurementSchema("wind", ("mast",), {"speed": F}),
]


def test_case_does_not_hide_a_near_name() -> None:
    assert near_names("METER", ["meter", "site"]) == ("meter",)
    assert near_names("Watts", ["watts", "WATTS", "speed"]) == ("watts", "WATTS")
    assert near_names("zzz", ["meter"]) == ()


def test_near_names_cost_the_same_however_many_and_long_the_known_ones_are() -> None:
    known = [f"field number {number}" for number in range(100_000)]
    few, many = (steps_of(lambda names=names: near_names("another", names)) for names in (known[:1000], known))
    assert many < 1.1 * few
    assert near_names("x" * 4096, known) == ()
    assert near_names("x", ["x" * 4096]) == ()


@pytest.mark.parametrize(("place", "near"), [(1_000, ("meter",)), (1_001, ())])
def test_the_first_thousand_names_are_compared(place: int, near: tuple[str, ...]) -> None:
    others = [f"{number}" for number in range(place - 1)]
    assert near_names("metre", ["x" * 101, *others, "meter"]) == near


def test_at_most_three_names_are_near_and_a_name_of_100_letters_may_be() -> None:
    assert near_names("meter", ["meter1", "meter2", "meter3", "meter4"]) == ("meter4", "meter3", "meter2")
    long = "m" * 100
    assert near_names(long[:-1], [long]) == (long,)
    assert near_names(long, [long[:-1]]) == (long[:-1],)
    assert near_names(long, [long + "m"]) == ()
    assert near_names(long + "m", [long]) == ()


def test_fields_and_tags_are_looked_for_in_the_measurements_that_are_named() -> None:
    assert unknown_names(SCHEMA, (), ("speed",), ("mast",)) == ()
    assert unknown_names(SCHEMA, ("power",), ("speed", "watt"), ("mast",)) == (
        UnknownName(FilterKind.FIELD, "speed"),
        UnknownName(FilterKind.FIELD, "watt", ("watts",)),
        UnknownName(FilterKind.TAG, "mast"),
    )


def test_beside_an_unknown_measurement_the_others_are_looked_at() -> None:
    assert unknown_names(SCHEMA, ("Wind",), ("speed", "pace"), ()) == (
        UnknownName(FilterKind.MEASUREMENT, "Wind", ("wind",)),
        UnknownName(FilterKind.FIELD, "pace"),
    )


def test_near_names_are_looked_for_for_the_first_few_alone() -> None:
    names = unknown_names(SCHEMA, (), tuple(f"watts{number}" for number in range(9)), ())
    assert [bool(name.near) for name in names] == [True] * 5 + [False] * 4
