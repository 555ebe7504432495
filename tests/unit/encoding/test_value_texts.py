"""Values as text: the shortest exact numbers, and strings that every reader takes back unchanged."""

import csv
import io
import json
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.encoding.value_texts import csv_quoted, csv_values, json_escaped, json_numbers

anything = st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"))), min_size=1)


@pytest.mark.parametrize(
    ("value", "in_csv", "in_json"),
    [
        (7.0, "7", "7.0"),
        (-0.0, "-0", "-0.0"),
        (0.1, "0.1", "0.1"),
        (9_999_999_999.0, "9999999999", "9999999999.0"),
        (1e10, "1e+10", "1e+10"),
        (12_345_678_901.0, "1.2345678901e+10", "1.2345678901e+10"),
        (5e-324, "5e-324", "5e-324"),
        (math.nan, "NaN", "null"),
        (math.inf, "+Inf", "null"),
        (-math.inf, "-Inf", "null"),
        (None, None, None),
    ],
)
def test_floats_are_written_like_this(value: float | None, in_csv: str | None, in_json: str | None) -> None:
    assert csv_values(pa.array([value, 1.5], pa.float64()))[0].as_py() == in_csv
    assert json_numbers(pa.array([value, 1.5], pa.float64()))[0].as_py() == in_json


@given(
    st.lists(
        st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**17), 10**17).map(float)),
        min_size=1,
    )
)
def test_json_floats_come_back_as_floats_bit_for_bit(values: list[float]) -> None:
    back = [json.loads(text) for text in json_numbers(pa.array(values, pa.float64())).to_pylist()]
    assert [(type(value), value.hex()) for value in back] == [(float, value.hex()) for value in values]


def test_integers_are_written_in_full() -> None:
    assert json_numbers(pa.array([-(2**63), 2**63 - 1])).to_pylist() == ["-9223372036854775808", "9223372036854775807"]
    assert csv_values(pa.array([2**64 - 1], pa.uint64())).to_pylist() == ["18446744073709551615"]


def test_booleans_are_written_in_lower_case() -> None:
    assert csv_values(pa.array([True, False, None])).to_pylist() == ["true", "false", None]


@given(anything)
def test_escaped_strings_are_read_back_by_json(texts: list[str | None]) -> None:
    escaped = json_escaped(pa.array(texts, pa.string())).to_pylist()
    assert [None if text is None else json.loads(f'"{text}"') for text in escaped] == texts


def test_every_control_character_is_escaped() -> None:
    whole = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028'
    assert json.loads('"' + json_escaped(pa.array([whole]))[0].as_py() + '"') == whole


@given(anything)
def test_quoted_cells_are_read_back_by_the_csv_module(texts: list[str | None]) -> None:
    cells = csv_quoted(pa.array(texts, pa.string())).to_pylist()
    line = ",".join(["lead", *(cell or "" for cell in cells)]) + "\n"
    assert next(csv.reader(io.StringIO(line, newline=""))) == ["lead", *(text or "" for text in texts)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain text", "plain text"),
        ("é;", "é;"),
        ("", '""'),
        (None, None),
        (" lead", '" lead"'),
        ("a,b", '"a,b"'),
        ('"', '""""'),
        ("a\rb", '"a\rb"'),
    ],
)
def test_only_what_needs_quotes_gets_them_and_absent_is_not_empty(text: str | None, cell: str | None) -> None:
    assert csv_quoted(pa.array([text, "x"], pa.string()))[0].as_py() == cell


def test_slices_are_read_within_their_bounds() -> None:
    texts = pa.array(['"', "", "plain", "\\"]).slice(2, 1)
    assert csv_quoted(texts).to_pylist() == json_escaped(texts).to_pylist() == ["plain"]
