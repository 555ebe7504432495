"""Wide rows: a row per series and time, by series and then time, null where a field has no value."""

from itertools import pairwise

import pyarrow as pa
from hypothesis import given

from service.domain.schema import FieldType
from service.encoding.columns import Format, Shape, columns
from service.encoding.wide_rows import wide_rows
from service.frames.frame import TEXT_CODES, TIME, Block, constant_codes, long_schema
from tests.support.sample_blocks import Row, block_of, hostile_rows, plan_of

Wide = list[tuple[object, ...]]


def wide(block: Block, rows: list[Row]) -> Wide:
    """Measurement, tags, time and fields of each row, in the order of the columns."""
    names = columns(plan_of(rows), Shape.WIDE, Format.CSV)
    found: Wide = []
    for part in wide_rows(block, names):
        taken = [(part.labels | part.values).get(column.name, pa.nulls(len(part))).to_pylist() for column in names[1:]]
        found += list(zip(part.times.cast(pa.int64()).to_pylist(), *taken, strict=True))
    return found


A, B = (("host", "a"),), (("host", "b"),)


def test_fields_of_one_series_and_time_stand_side_by_side() -> None:
    rows = [Row(1, 1.0, "x", tags=A), Row(2, 2.0, "x", tags=A)]
    rows += [Row(2, 5, "y", tags=A, type=FieldType.INTEGER), Row(3, 6, "y", tags=A, type=FieldType.INTEGER)]
    assert wide(block_of(rows), rows) == [(1, "m", "a", 1.0, None), (2, "m", "a", 2.0, 5), (3, "m", "a", None, 6)]


def test_rows_go_by_series_in_order_of_appearance_then_by_time() -> None:
    rows = [Row(5, 1.0, tags=B), Row(9, 2.0, tags=B), Row(1, 3.0, tags=A), Row(5, 4.0)]
    assert [row[:3] for row in wide(block_of(rows), rows)] == [
        (5, "m", "b"),
        (9, "m", "b"),
        (1, "m", "a"),
        (5, "m", None),
    ]


def test_interleaved_series_are_put_in_order() -> None:
    rows = [Row(1, 1.0, tags=B), Row(1, 2.0, tags=A), Row(2, 3.0, tags=B), Row(2, 4.0, tags=A)]
    assert wide(block_of(rows), rows) == [
        (1, "m", "b", 1.0),
        (2, "m", "b", 3.0),
        (1, "m", "a", 2.0),
        (2, "m", "a", 4.0),
    ]


def test_frames_that_share_their_buffers_give_the_same_rows_as_frames_that_do_not() -> None:
    times = pa.array([1, 2, 1], pa.int64()).cast(TIME)
    hosts = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1], pa.int32()), pa.array(["b", "a"])).cast(TEXT_CODES)

    def frame(field: str, values: list[float]) -> pa.RecordBatch:
        arrays = [times, pa.array(values), constant_codes(field, 3), constant_codes("m", 3), hosts]
        return pa.RecordBatch.from_arrays(arrays, schema=long_schema(FieldType.FLOAT, ("host",)))

    rows = [
        Row(time, value, field, tags=tags)
        for field, values in (("x", [1.0, 2.0, 3.0]), ("y", [4.0, 5.0, 6.0]))
        for time, tags, value in zip([1, 2, 1], [B, B, A], values, strict=True)
    ]
    shared = (frame("x", [1.0, 2.0, 3.0]), frame("y", [4.0, 5.0, 6.0]))
    assert (
        wide(shared, rows)
        == wide(block_of(rows), rows)
        == [(1, "m", "b", 1.0, 4.0), (2, "m", "b", 2.0, 5.0), (1, "m", "a", 3.0, 6.0)]
    )


def test_measurements_of_one_block_follow_each_other() -> None:
    rows = [Row(1, 1.0, "x", "cpu"), Row(1, 2.0, "y", "disk", A)]
    assert wide(block_of(rows), rows) == [(1, "cpu", None, 1.0, None), (1, "disk", "a", None, 2.0)]


@given(hostile_rows())
def test_one_frame_of_many_fields_equals_many_frames_of_one_field(rows: list[Row]) -> None:
    one, many = wide(block_of(rows, per_field=False), rows), wide(block_of(rows), rows)
    assert sorted(map(repr, one)) == sorted(map(repr, many))


@given(hostile_rows())
def test_each_series_is_in_one_piece_with_ascending_times(rows: list[Row]) -> None:
    tags = len(plan_of(rows).tags)
    keys = [(row[1 : 2 + tags], row[0]) for row in wide(block_of(rows), rows)]
    series = [key for key, _ in keys]
    assert sum(one != other for one, other in pairwise(series)) == len(set(series)) - 1
    assert all(one[1] < other[1] for one, other in pairwise(keys) if one[0] == other[0])  # type: ignore[operator]
