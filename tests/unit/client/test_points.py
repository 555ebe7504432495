"""Tables as line protocol: read back by the gateway's own parser, every value is the one that was in the table."""

import datetime as dt
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxgate_client import InvalidRequest
from fluxgate_client.points import to_lines
from service.lineprotocol.parser import parse_lines

UTC_NS = pa.timestamp("ns", "UTC")
T = 1_767_225_600_000_000_001
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\\"), min_size=1, max_size=8)
RESERVED = ("time", "_time", "_field", "_measurement", "_value")
FREE = NAMES.filter(lambda name: name not in RESERVED and name[0] not in "#\t")


def table(**columns: pa.Array) -> pa.Table:
    length = len(next(iter(columns.values())))
    return pa.table({"_time": pa.array([T + number for number in range(length)], UTC_NS), **columns})


def stored(lines: bytes) -> list[tuple[Any, ...]]:
    """(measurement, tags, field, type, time, value) of each value, as the gateway reads the lines."""
    points = parse_lines(lines, "ns", 0).points
    found = []
    for column in points.columns:
        for key, line, value in zip(column.keys, column.lines, column.values.to_pylist(), strict=True):
            series = points.keys[key]
            time_ns = int(points.times_ns[line])
            found.append((series.measurement, dict(series.tags), series.field, series.type.value, time_ns, value))
    return sorted(found, key=lambda row: (row[4], row[2]))


def test_lines_are_the_rows_in_order_with_absent_values_left_out() -> None:
    lines = to_lines(
        table(
            place=pa.array(["oven, left", None]),
            celsius=pa.array([-0.0, 5e-324]),
            runs=pa.array([2**63 - 1, None], pa.int64()),
            ticks=pa.array([None, 2**64 - 1], pa.uint64()),
            open=pa.array([True, None]),
            note=pa.array(['say "a\\b"\n', ""]),
        ),
        "probe 1",
        ["place"],
        "_time",
    )
    assert lines.decode() == (
        'probe\\ 1,place=oven\\,\\ left celsius=-0,runs=9223372036854775807i,open=true,note="say \\"a\\\\b\\"\n"'
        f" {T}\n"
        f'probe\\ 1 celsius=5e-324,ticks=18446744073709551615u,note="" {T + 1}\n'
    )


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FREE, FREE, NAMES, FREE, FLOATS, st.integers(-(2**63), 2**63 - 1))
def test_the_gateway_reads_it_back(name: str, tag: str, place: str, field: str, number: float, whole: int) -> None:
    if len({tag, field, f"{field}n"}) < 3:
        return
    rows = table(**{tag: pa.array([place]), field: pa.array([number]), f"{field}n": pa.array([whole])})
    values = stored(to_lines(rows, name, [tag], "_time"))
    tags = {tag: place}
    assert values == sorted(
        [(name, tags, field, "float", T, number), (name, tags, f"{field}n", "integer", T, whole)],
        key=lambda row: row[2],
    )
    assert math.copysign(1, values[0][5]) == math.copysign(1, number)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_a_value(text: str) -> None:
    [(*_, value)] = stored(to_lines(table(note=pa.array([text])), "m", [], "_time"))
    assert value == text


def test_a_data_frame_is_written_with_its_nanoseconds_and_its_gaps() -> None:
    frame = pd.DataFrame(
        {
            "_time": pd.to_datetime([T, T + 1], utc=True),
            "site": pd.Categorical(["A", "B"]),
            "watts": [1.5, math.nan],
            "runs": pd.array([None, 7], "Int64"),
        }
    )
    assert to_lines(frame, "m", ["site"], "_time").decode() == f"m,site=A watts=1.5 {T}\nm,site=B runs=7i {T + 1}\n"


def test_small_types_are_written_as_the_value_they_hold() -> None:
    rows = table(a=pa.array([0.1], pa.float32()), b=pa.array([-3], pa.int8()), c=pa.array([3], pa.uint8()))
    assert to_lines(rows, "m", [], "_time").decode() == f"m a=0.10000000149011612,b=-3i,c=3u {T}\n"


def test_a_table_in_pieces_is_written_as_one() -> None:
    whole = table(a=pa.array([1.0, None, 3.0]), b=pa.array([1, 2, None]), k=pa.array(["x", None, "x"]))
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2)])
    assert to_lines(pieces, "m", ["k"], "_time") == to_lines(whole, "m", ["k"], "_time")
    assert to_lines(whole.to_batches()[0], "m", ["k"], "_time").count(b"\n") == 3


def test_a_tag_without_any_value_is_absent_in_every_row() -> None:
    rows = table(a=pa.array([1.0]), k=pa.array([None]), j=pa.array([None], pa.string()))
    assert to_lines(rows, "m", ["k", "j"], "_time").decode() == f"m a=1 {T}\n"


def test_an_empty_table_is_nothing() -> None:
    assert to_lines(table(a=pa.array([], pa.float64())), "m", [], "_time") == b""


@pytest.mark.parametrize(
    ("rows", "tags", "named"),
    [
        (table(a=pa.array([1.0, math.nan])), [], "Row 1 holds NaN or infinity in 'a'"),
        (table(a=pa.array([math.inf])), [], "Row 0"),
        (table(a=pa.array([1.0, None])), [], "Row 1 has no value in any field"),
        (table(a=pa.array([None])), [], "no column with values"),
        (table(a=pa.array([dt.date(2026, 1, 1)])), [], "'a' holds date32"),
        (table(a=pa.array([1.0]), k=pa.array([1])), ["k"], "a tag is text"),
        (table(a=pa.array([1.0]), k=pa.array([""])), ["k"], "no empty name"),
        (table(a=pa.array([1.0]), k=pa.array(["x\\"])), ["k"], "backslash"),
        (table(a=pa.array([1.0]), k=pa.array(["x\ny"])), ["k"], "line end"),
        (table(a=pa.array([1.0])), ["k"], "no column 'k'"),
        (table(_value=pa.array([1.0])), [], "shape='wide'"),
        (table(time=pa.array([1.0])), [], "'time' cannot be"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), [], "Duplicate column names"),
        (table(a=pa.Array.from_buffers(pa.string(), 1, [None, *pa.array([b"\xff"]).buffers()[1:]])), [], "Arrow knows"),
        (pa.table({"_time": pa.array([1], pa.timestamp("ns")), "a": [1.0]}), [], "with a time zone"),
        (pa.table({"_time": pa.array([None], UTC_NS), "a": [1.0]}), [], "Row 0 has no time"),
        (pa.table({"_time": pa.array([2**62], pa.timestamp("s", "UTC")), "a": [1.0]}), [], "nanoseconds cannot hold"),
        (pd.DataFrame({"_time": pd.to_datetime([1], utc=True), "a": [object()]}), [], "Arrow knows"),
    ],
)
def test_what_cannot_be_written_exactly_is_refused_by_name(rows: Any, tags: list[str], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        to_lines(rows, "m", tags, "_time")


@pytest.mark.parametrize("measurement", ["", "#m", "m\nx", "m\\", "m\\,x", "\ud800"])
def test_a_measurement_that_cannot_be_named_is_refused(measurement: str) -> None:
    with pytest.raises(InvalidRequest):
        to_lines(table(a=pa.array([1.0])), measurement, [], "_time")
