"""Which points make a difference in a picture, and where a line is broken."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.timerange import EVER, TimeRange
from service.pictures.pixel_columns import PixelColumns, line_breaks, visible_points

COLUMNS = st.lists(st.integers(0, 6), max_size=60).map(sorted)


def test_a_time_stands_where_its_share_of_the_range_says() -> None:
    columns = PixelColumns(TimeRange(100, 200), 50)
    times = np.array([100, 101, 150, 199, 200])
    assert columns.positions(times).tolist() == [0, 0.5, 25, 49.5, 50]
    assert columns.columns(times).tolist() == [0, 0, 25, 49, 49]


def test_all_of_time_fits_on_a_picture() -> None:
    ends = np.array([EVER.start_ns, 0, EVER.stop_ns - 1])
    assert PixelColumns(EVER, 100).columns(ends).tolist() == [0, 50, 99]


def test_a_spike_of_one_point_among_a_million_is_seen() -> None:
    values = np.zeros(1_000_000)
    values[777_777] = 5.0
    columns = np.arange(1_000_000) // 1_000
    kept = visible_points(columns, values)
    assert len(kept) <= 4_000
    assert 777_777 in kept


@given(COLUMNS, st.data())
@example([], None)
def test_each_column_keeps_its_first_last_lowest_and_highest_point(columns: list[int], data: st.DataObject) -> None:
    numbers = st.lists(st.floats(-5, 5), min_size=len(columns), max_size=len(columns))
    values = np.array(data.draw(numbers) if columns else [])
    kept = visible_points(np.array(columns, np.int64), values)
    assert kept.tolist() == sorted(set(kept.tolist()))
    for column in set(columns):
        whole = values[np.array(columns) == column]
        seen = [values[index] for index in kept.tolist() if columns[index] == column]
        assert len(seen) <= 4
        assert (seen[0], seen[-1], min(seen), max(seen)) == (whole[0], whole[-1], whole.min(), whole.max())


@given(COLUMNS, st.data())
def test_the_points_of_parts_are_those_of_the_whole(columns: list[int], data: st.DataObject) -> None:
    """So a long read is thinned out while it comes."""
    count = len(columns)
    values = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count)), np.float64)
    cut = data.draw(st.integers(0, count))
    array = np.array(columns, np.int64)
    first = visible_points(array[:cut], values[:cut])
    rest = np.concatenate([first, np.arange(cut, count)]).astype(np.int64)
    in_parts = rest[visible_points(array[rest], values[rest])]
    whole = visible_points(array, values)
    for column in set(columns):
        sets = [{(values[index]) for index in kept if array[index] == column} for kept in (in_parts, whole)]
        assert sets[0] == sets[1]


@pytest.mark.parametrize(
    ("columns", "breaks"),
    [
        ([], []),
        ([3], []),
        ([0, 100], []),
        ([0, 1, 2, 3, 4], []),
        ([0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13], [3]),
        ([0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12], []),
        ([0, 0, 0, 1, 1, 9, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19], [5]),
        ([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 131], [11]),
        ([0, 1, 2, 3, 4, 20, 21, 22, 23, 40], [5, 9]),
        ([0, 1, 2, 20, 21, 40, 41], []),
        ([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 130], []),
    ],
)
def test_a_line_is_broken_where_points_are_missing_for_long(columns: list[int], breaks: list[int]) -> None:
    assert line_breaks(np.array(columns, np.int64)).tolist() == breaks
