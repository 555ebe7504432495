"""Rows of a field that changed its type: the times of each series ascend from frame to frame, and no row is lost."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.frames.frame import TIME, constant_codes, long_schema, value_type
from service.frames.type_runs import ascending

KINDS = (FieldType.INTEGER, FieldType.BOOLEAN, FieldType.UNSIGNED)
Rows = list[tuple[int, int]]


def frame(kind: FieldType, rows: Rows) -> pa.RecordBatch:
    """Rows of series and time; the value is the number of the series."""
    schema = long_schema(kind, ())
    values = pa.array([number for number, _ in rows], pa.int64()).cast(schema.field(1).type)
    times = pa.array([time for _, time in rows], TIME)
    columns = [times, values, constant_codes("f", len(rows)), constant_codes("m", len(rows))]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def ordered(*tables: tuple[FieldType, Rows]) -> list[tuple[FieldType, list[int]]]:
    frames = [frame(kind, rows) for kind, rows in tables]
    series = [np.array([number for number, _ in rows], np.int32) for _, rows in tables]
    return [(value_type(one), one.column(0).cast(pa.int64()).to_pylist()) for one in ascending(frames, series)]


def test_a_series_of_one_type_stays_in_its_frame() -> None:
    assert ordered((FieldType.INTEGER, [(0, 5), (0, 9)]), (FieldType.BOOLEAN, [(1, 1), (1, 7)])) == [
        (FieldType.INTEGER, [5, 9]),
        (FieldType.BOOLEAN, [1, 7]),
    ]


def test_a_type_that_comes_back_gets_another_frame() -> None:
    assert ordered((FieldType.INTEGER, [(0, 1), (0, 2), (0, 9)]), (FieldType.BOOLEAN, [(0, 5)])) == [
        (FieldType.INTEGER, [1, 2]),
        (FieldType.BOOLEAN, [5]),
        (FieldType.INTEGER, [9]),
    ]


def test_series_share_frames() -> None:
    integers, truths = [(0, 1), (0, 9), (1, 1), (1, 9)], [(0, 5), (1, 5)]
    assert ordered((FieldType.INTEGER, integers), (FieldType.BOOLEAN, truths)) == [
        (FieldType.INTEGER, [1, 1]),
        (FieldType.BOOLEAN, [5, 5]),
        (FieldType.INTEGER, [9, 9]),
    ]


def test_times_at_both_ends_of_64_bits_ascend() -> None:
    assert ordered((FieldType.INTEGER, [(0, 2**63 - 1)]), (FieldType.BOOLEAN, [(0, -(2**63) + 1)])) == [
        (FieldType.BOOLEAN, [-(2**63) + 1]),
        (FieldType.INTEGER, [2**63 - 1]),
    ]


def test_no_frame_makes_no_frame() -> None:
    assert ascending([], []) == ()


def test_a_single_frame_comes_out_as_it_is_also_without_rows() -> None:
    whole = frame(FieldType.INTEGER, [(0, 1), (0, 2)])
    empty = whole.slice(0, 0)
    assert ascending([whole], [np.zeros(2, np.int32)]) == (whole,)
    assert ascending([empty], [np.zeros(0, np.int32)]) == (empty,)


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(-20, 20)), st.integers(0, len(KINDS) - 1), min_size=1))
def test_all_rows_come_out_once_and_times_ascend_in_each_series(kinds: dict[tuple[int, int], int]) -> None:
    tables = [sorted(key for key, kind in kinds.items() if kind == place) for place in range(len(KINDS))]
    chosen = [(frame(KINDS[place], rows), np.array(rows, np.int32)[:, 0]) for place, rows in enumerate(tables) if rows]
    marked = [one.set_column(3, "series", pa.array(map(str, series)).dictionary_encode()) for one, series in chosen]
    out = ascending(marked, [series for _, series in chosen])
    seen: dict[str, int] = {}
    for piece in out:
        times = piece.column(0).cast(pa.int64()).to_pylist()
        for series_name, time in zip(piece.column(3).to_pylist(), times, strict=True):
            assert seen.get(series_name, -21) < time
            assert KINDS[kinds[int(series_name), time]] is value_type(piece)
            seen[series_name] = time
    assert sum(piece.num_rows for piece in out) == len(kinds)
