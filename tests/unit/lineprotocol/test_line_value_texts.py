"""Values as line protocol writes them: each type by its mark, each float and text exact."""

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.frames.frame import VALUE_TYPES
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.single_line import MAX_STRING_BYTES
from service.lineprotocol.value_texts import unwritable_values, value_texts


def texts(kind: FieldType, values: list[Any]) -> list[str]:
    return list(value_texts("", pa.array(values, VALUE_TYPES[kind])).to_pylist())


def read_back(kind: FieldType, values: list[Any]) -> list[Any]:
    lines = value_texts("m f=", pa.array(values, VALUE_TYPES[kind])).to_pylist()
    [column] = parse_lines("".join(f"{line} 1\n" for line in lines).encode(), "ns", 0).points.columns
    assert column.type is kind
    return list(column.values.to_pylist())


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            FieldType.FLOAT,
            [1.5, 7.0, -0.0, 1e300, 5e-324, 0.1 + 0.2],
            ["1.5", "7", "-0", "1e+300", "5e-324", "0.30000000000000004"],
        ),
        (FieldType.INTEGER, [-(2**63), 2**63 - 1], ["-9223372036854775808i", "9223372036854775807i"]),
        (FieldType.UNSIGNED, [0, 2**64 - 1], ["0u", "18446744073709551615u"]),
        (FieldType.BOOLEAN, [True, False], ["true", "false"]),
        (FieldType.STRING, ["", 'a "b" \\ \n'], ['""', '"a \\"b\\" \\\\ \n"']),
    ],
)
def test_every_type_keeps_its_mark(kind: FieldType, values: list[Any], expected: list[str]) -> None:
    assert texts(kind, values) == expected
    assert value_texts("x=", pa.array(values, VALUE_TYPES[kind]).slice(1)).to_pylist() == [
        f"x={text}" for text in expected[1:]
    ]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_come_back_bit_for_bit(values: list[float]) -> None:
    back = read_back(FieldType.FLOAT, values)
    assert [struct.pack(">d", one) for one in back] == [struct.pack(">d", one) for one in values]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_strings_come_back_whole(values: list[str]) -> None:
    assert read_back(FieldType.STRING, values) == values


def test_what_no_line_can_hold_is_told_with_the_reason() -> None:
    bad, reason = unwritable_values(pa.array([1.0, float("nan"), float("-inf")])) or (None, "")
    assert bad is not None
    assert (bad.tolist(), reason) == ([False, True, True], "NaN and infinity cannot be stored")
    bad, reason = unwritable_values(pa.array(["x" * MAX_STRING_BYTES, "é" * (MAX_STRING_BYTES // 2) + "x"])) or (
        None,
        "",
    )
    assert bad is not None
    assert (bad.tolist(), reason) == ([False, True], "a string holds at most 1048576 bytes")
    for sound in (pa.array([1.0]), pa.array([1]), pa.array([True]), pa.array(["nan"])):
        assert unwritable_values(sound) is None
