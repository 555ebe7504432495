"""Texts of repeating columns: one for each combination that occurs, whichever way the frame codes it."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from service.encoding.columns import Column, Role
from service.encoding.label_texts import LabelEncoder
from service.frames.label_combinations import combine, rows_by_code, texts_of

X, Y, Z = (Column(name, Role.TAG, name) for name in "xyz")
COMMA = ["<", ",", ",", ">"]


def dictionary(codes: pa.Array, values: list[str | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))


def written(labels: LabelEncoder, columns: list[Column], arrays: list[pa.DictionaryArray]) -> list[str]:
    def part(column: Column, values: pa.Array) -> pa.Array:
        return pa.array([value and value + column.name for value in values.to_pylist()], pa.string())

    found = labels.texts(columns, arrays, part, [*COMMA[: len(arrays)], ">"])
    texts = found.slice(0, len(arrays[0]))
    return [texts] * len(arrays[0]) if isinstance(texts, str) else texts.to_pylist()


def test_columns_that_share_their_codes_keep_their_own_values() -> None:
    codes = pa.array([1, 0, 1], pa.int32())
    assert written(LabelEncoder(), [X, Y], [dictionary(codes, ["a", "b"]), dictionary(codes, ["c", None])]) == [
        "<bx,>",
        "<ax,cy>",
        "<bx,>",
    ]


def test_an_absent_code_is_an_empty_text() -> None:
    codes = pa.array([None, 0], pa.int32())
    assert written(LabelEncoder(), [X, Y], [dictionary(codes, ["a"]), dictionary(codes, ["c"])]) == ["<,>", "<ax,cy>"]


def test_one_text_stands_for_all_rows_that_agree() -> None:
    found = LabelEncoder().texts(
        [X], [dictionary(pa.array([0, 0], pa.int32()), ["a"])], lambda _, values: values, ["<", ">"]
    )
    assert found.distinct == "<a>"


def test_what_is_remembered_of_one_frame_does_not_leak_into_the_next() -> None:
    labels, codes = LabelEncoder(), pa.array([0, 0], pa.int32())
    assert written(labels, [X], [dictionary(codes, ["a"])]) == ["<ax>", "<ax>"]
    assert written(labels, [X], [dictionary(codes, ["b"])]) == ["<bx>", "<bx>"]
    assert written(labels, [X], [dictionary(codes, ["c", "d"])]) == ["<cx>", "<cx>"]
    assert written(labels, [Y], [dictionary(codes, ["c", "d"])]) == ["<cy>", "<cy>"]
    assert written(labels, [Y], [dictionary(pa.array([1, 0], pa.int32()), ["c", "d"])]) == ["<dy>", "<cy>"]


def test_combinations_of_many_large_dictionaries_are_told_apart() -> None:
    draw, size = np.random.default_rng(7), 5_000
    codes = [draw.integers(0, size, 1_000, np.int32) for _ in range(3)]
    values = [f"v{n}" for n in range(size)]
    found = written(LabelEncoder(), [X, Y, Z], [dictionary(pa.array(some), values) for some in codes])
    assert found == [f"<v{x}x,v{y}y,v{z}z>" for x, y, z in zip(*codes, strict=True)]


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.sampled_from("abc"))] * 3), min_size=1, max_size=8))
def test_every_row_gets_its_own_values(rows: list[tuple[str | None, ...]]) -> None:
    arrays = [pa.array(column, pa.string()).dictionary_encode() for column in zip(*rows, strict=True)]
    wanted = [
        "<" + ",".join(f"{value}{name}" if value else "" for value, name in zip(row, "xyz", strict=True)) + ">"
        for row in rows
    ]
    assert written(LabelEncoder(), [X, Y, Z], arrays) == wanted


def test_each_row_is_told_its_combination_and_each_combination_its_texts() -> None:
    labels = [
        dictionary(pa.array([1, 0, 1, None], pa.int32()), ["a", "b"]),
        dictionary(pa.array([0, 0, 0, 0], pa.int32()), ["m"]),
    ]
    found = combine(labels)
    assert texts_of(labels, found) == [[None, "a", "b"], ["m", "m", "m"]]
    assert found.rows(4).tolist() == [2, 1, 2, 0]


def test_one_combination_of_all_rows_is_every_rows() -> None:
    found = combine([dictionary(pa.array([0, 0], pa.int32()), ["m"])])
    assert found.of_row is None
    assert found.rows(2).tolist() == [0, 0]


def test_groups_hold_the_places_of_each_code_in_their_order() -> None:
    assert [places.tolist() for places in rows_by_code(np.array([7, 2, 7, 2, 5]))] == [[1, 3], [4], [0, 2]]
    assert list(rows_by_code(np.zeros(0, np.int64))) == []
