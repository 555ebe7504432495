"""Values of SQL columns keep every digit: a decimal becomes a float only where that float is the same number."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sources.sql_text import ValueType
from service.sources.sql_values import WrongValue, exact_numbers, typed_values


def parts(values: pa.Array, wanted: ValueType | None = None) -> list[tuple[str, int, list[Any]]]:
    return [(str(part.values.type), part.first_row, part.values.to_pylist()) for part in typed_values(values, wanted)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1", 0.1),
        ("21.50", 21.5),
        ("-0.0", -0.0),
        ("1000000000000000000000", 1e21),
        ("123456789012345", 123456789012345.0),
        ("9007199254740993.0", None),
        ("0.1000000000000000055511151231257827", None),
        ("12345678901234567890.123", None),
        ("1e400", None),
        ("1e-320", 1e-320),
        ("1.23456789e-322", None),
        ("0.00000", 0.0),
    ],
)
def test_a_decimal_is_a_float_where_that_prints_as_the_same_number(text: str, number: float | None) -> None:
    ((kind, _, values),) = parts(pa.array([text]), ValueType.NUMBER)
    assert (kind, [repr(value) for value in values]) == (
        ("double", [repr(number)]) if number is not None else ("string", [repr(text)])
    )


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=None), min_size=1, max_size=20))
def test_no_digit_of_a_decimal_is_lost(decimals: list[Decimal]) -> None:
    read: dict[int, Decimal] = {}
    for part in exact_numbers(pa.array([str(number) for number in decimals])):
        for row, value in enumerate(part.values.to_pylist(), part.first_row):
            read[row] = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    assert [read[row] for row in range(len(decimals))] == decimals


def test_values_of_several_types_come_in_parts_in_their_order() -> None:
    texts = pa.array(["1", "9007199254740993", "2", "NaN"])
    assert [part[:2] for part in parts(texts, ValueType.NUMBER)] == [("double", 0), ("string", 1), ("double", 2)]


def test_whole_numbers_stay_whole() -> None:
    assert parts(pa.array([2**63 - 1, -(2**63)])) == [("int64", 0, [2**63 - 1, -(2**63)])]
    assert parts(pa.array([2**64 - 1], pa.uint64())) == [("uint64", 0, [2**64 - 1])]
    assert parts(pa.array([7], pa.int16())) == [("int64", 0, [7])]


def test_booleans() -> None:
    assert parts(pa.array([True, False])) == [("bool", 0, [True, False])]
    assert parts(pa.array([1, 0]), ValueType.BOOLEAN) == [("bool", 0, [True, False])]
    with pytest.raises(WrongValue, match="neither 0 nor 1: 2"):
        parts(pa.array([1, 2]), ValueType.BOOLEAN)


def test_texts() -> None:
    assert parts(pa.array(["on", ""])) == [("string", 0, ["on", ""])]
    assert parts(pa.array([1.5]), ValueType.TEXT) == [("string", 0, ["1.5"])]


@pytest.mark.parametrize("text", ["on", "", "1,5", "0x10", "1 2", "½"])
def test_a_text_that_is_no_number_is_refused_with_its_row(text: str) -> None:
    with pytest.raises(WrongValue, match="is no number") as wrong:
        parts(pa.array(["1", " 2.5 ", text]), ValueType.NUMBER)
    assert wrong.value.row == 2


def test_values_that_no_frame_has_are_refused() -> None:
    with pytest.raises(WrongValue, match="of the type binary"):
        parts(pa.array([b"\0"]))
