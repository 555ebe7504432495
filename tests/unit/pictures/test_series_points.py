"""Numbers out of frames: each series alone, thinned out, at most so many."""

import math

from service.domain.schema import FieldType
from service.domain.timerange import TimeRange
from service.pictures.pixel_columns import PixelColumns
from service.pictures.series_points import SeriesCollector
from tests.support.sample_blocks import Row, block_of

COLUMNS = PixelColumns(TimeRange(0, 1000), 100)


def collected(*blocks: list[Row], most: int = 50) -> SeriesCollector:
    collector = SeriesCollector(COLUMNS, most)
    for rows in blocks:
        for frame in block_of(rows, per_field=False):
            collector.add(frame)
    return collector


def test_points_of_a_series_are_joined_over_blocks() -> None:
    blocks = [[Row(10, 1.0, tags=(("t", "a"),)), Row(20, 3.0, tags=(("t", "b"),))], [Row(30, 2.0, tags=(("t", "a"),))]]
    series = collected(*blocks).series()
    assert [(each.key.tags, each.times.tolist(), each.values.tolist()) for each in series] == [
        ((("t", "a"),), [10, 30], [1.0, 2.0]),
        ((("t", "b"),), [20], [3.0]),
    ]


def test_integers_are_numbers_and_texts_are_not() -> None:
    rows = [
        Row(1, 2**63 - 1, "count", type=FieldType.INTEGER),
        Row(1, 2**64 - 1, "total", type=FieldType.UNSIGNED),
        Row(1, "on", "mode", type=FieldType.STRING),
        Row(1, True, "open", type=FieldType.BOOLEAN),
    ]
    assert [(each.field, each.values.tolist()) for each in collected(rows).series()] == [
        ("count", [2.0**63]),
        ("total", [2.0**64]),
    ]


def test_a_value_that_is_no_number_is_no_point() -> None:
    collector = collected([Row(1, 1.0), Row(2, math.nan), Row(3, math.inf), Row(4, 2.0)])
    assert [each.values.tolist() for each in collector.series()] == [[1.0, 2.0]]
    assert collector.not_finite == 2


def test_a_series_of_nan_alone_is_not_drawn() -> None:
    collector = collected([Row(1, math.nan)])
    assert (collector.series(), collector.count) == ([], 1)


def test_the_first_series_by_name_are_drawn_and_all_are_counted() -> None:
    blocks = [[Row(10, 1.0, name), Row(20, 2.0, name)] for name in ("c", "a", "d", "b")]
    collector = collected(*blocks, [Row(30, 3.0, "a")], [Row(30, 3.0, "d")], most=2)
    assert [(each.field, each.values.tolist()) for each in collector.series()] == [
        ("a", [1.0, 2.0, 3.0]),
        ("b", [1.0, 2.0]),
    ]
    assert collector.count == 4


def test_a_column_of_pixels_keeps_four_points() -> None:
    rows = [Row(time, float(value)) for time, value in enumerate([5, 1, 7, 9, 2, 3, 8, 4, 0, 6])]
    assert collected(rows).series()[0].values.tolist() == [5.0, 9.0, 0.0, 6.0]
