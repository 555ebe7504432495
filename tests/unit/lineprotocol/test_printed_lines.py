"""Lines that are not parsed again give the points that parsing them gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.printed_lines import printed_points
from service.lineprotocol.writer import write_block
from tests.support.sample_blocks import Row, block_of, hostile_rows


def must_be_the_same(text: bytes) -> None:
    parsed, printed = parse_lines(text, "ns", 0).points, printed_points(text)
    assert members(printed) == members(parsed)


def members(points: Points) -> tuple[object, ...]:
    columns = [(column.type, column.keys.tolist(), column.lines.tolist(), column.values) for column in points.columns]
    arrays = (points.offsets, points.times_ns)
    return (points.text, *(array.tolist() for array in arrays), points.keys, columns)


@given(hostile_rows())
def test_any_lines_of_the_writer(rows: list[Row]) -> None:
    text = write_block(block_of(rows)).points.text
    if text:
        must_be_the_same(text)


@given(
    st.lists(st.integers(10**18, 2**63 - 2), min_size=1, max_size=20),
    st.sampled_from(["m", "m,a=b\\ c", "é\\,x,t=1\\=2"]),
)
def test_plain_lines_with_times_of_now(times: list[int], key: str) -> None:
    text = "".join(f"{key} f={place}.5,i={place}i {time_ns}\n" for place, time_ns in enumerate(times)).encode()
    points = printed_points(text)
    assert points.times_ns.tolist() == times
    must_be_the_same(text)


@pytest.mark.parametrize(
    "text",
    [
        b"m f=1 5\n",
        b"m f=1 -1234567890123456789\n",
        b"m f=1 1769904000000000000\nm f=2 1\n",
        b'm s="a\nm f=1 1769904000000000000" 1769904000000000000\n',
        b"m f=1 1769904000000000000\n\nm f=2 1769904000000000001\n",
        b"m f=1 1769904000000000000",
        b"m f=1234567890123456789\n",
        b"",
    ],
)
def test_what_is_not_plain_is_parsed(text: bytes) -> None:
    parsed = parse_lines(text, "ns", 0).points
    printed = printed_points(text)
    assert np.array_equal(printed.times_ns, parsed.times_ns)
    assert printed.text == parsed.text
