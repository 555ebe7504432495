"""Frames become lines that say the same, value for value."""

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.frames.frame import constant_codes, long_schema
from service.frames.lineprotocol import parse_lines
from service.frames.lineprotocol_encoder import encode_lines
from service.frames.lineprotocol_names import Unwritable


def frame(kind: FieldType, values: list[Any], tags: dict[str, list[str | None]] | None = None, name: str = "f") -> pa.RecordBatch:
    tags = tags or {}
    rows = len(values)
    schema = long_schema(kind, tuple(tags))
    fixed = [
        pa.array(range(rows), pa.int64()).cast(schema.field(0).type),
        pa.array(values, schema.field(1).type),
        constant_codes(name, rows),
        constant_codes("my m", rows),
    ]
    codes = [pa.array(column, pa.string()).dictionary_encode() for column in tags.values()]
    return pa.RecordBatch.from_arrays(fixed + codes, schema=schema)


def test_each_value_is_a_line_with_its_tags_and_an_absent_tag_is_left_out() -> None:
    batch = frame(FieldType.FLOAT, [1.5, -0.0, 1e300], {"a": ["x y", None, "z"], "b": [None, None, "q"]}, "f=1")
    assert encode_lines(batch) == b"my\\ m,a=x\\ y f\\=1=1.5 0\nmy\\ m f\\=1=-0 1\nmy\\ m,a=z,b=q f\\=1=1e+300 2\n"


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (FieldType.INTEGER, [-(2**63), 2**63 - 1], [b"-9223372036854775808i", b"9223372036854775807i"]),
        (FieldType.UNSIGNED, [0, 2**64 - 1], [b"0u", b"18446744073709551615u"]),
        (FieldType.BOOLEAN, [True, False], [b"true", b"false"]),
        (FieldType.STRING, ["", 'a "b" \\ \n'], [b'""', b'"a \\"b\\" \\\\ \n"']),
    ],
)
def test_every_type_keeps_its_mark(kind: FieldType, values: list[Any], texts: list[bytes]) -> None:
    assert encode_lines(frame(kind, values)) == b"".join(b"my\\ m f=%s %d\n" % (text, place) for place, text in enumerate(texts))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_come_back_bit_for_bit(values: list[float]) -> None:
    [column] = parse_lines(encode_lines(frame(FieldType.FLOAT, values)), "ns", 0).points.columns
    assert [struct.pack(">d", back) for back in column.values.to_pylist()] == [struct.pack(">d", value) for value in values]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_strings_come_back_whole(values: list[str]) -> None:
    [column] = parse_lines(encode_lines(frame(FieldType.STRING, values)), "ns", 0).points.columns
    assert column.values.to_pylist() == values


def test_what_line_protocol_cannot_hold_is_refused() -> None:
    with pytest.raises(Unwritable, match="NaN"):
        encode_lines(frame(FieldType.FLOAT, [1.0, float("nan")]))
    with pytest.raises(Unwritable, match="backslash"):
        encode_lines(frame(FieldType.FLOAT, [1.0], {"t": ["C:\\"]}))


def test_an_empty_frame_and_a_sliced_one_give_their_rows() -> None:
    batch = frame(FieldType.INTEGER, [1, 2, 3], {"t": ["a", "b", None]})
    assert encode_lines(batch.slice(0, 0)) == b""
    assert encode_lines(batch.slice(1)) == b"my\\ m,t=b f=2i 1\nmy\\ m f=3i 2\n"


def test_times_before_1970_keep_their_nanoseconds() -> None:
    batch = frame(FieldType.INTEGER, [1])
    early = pa.array([-1], pa.int64()).cast(batch.schema.field(0).type)
    assert encode_lines(pa.RecordBatch.from_arrays([early, *batch.columns[1:]], schema=batch.schema)) == b"my\\ m f=1i -1\n"
