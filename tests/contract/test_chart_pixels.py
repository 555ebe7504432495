"""A chart drawn from `fn=m4` has the pixels of one drawn from all points."""

import random
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.chart_windows import ChartWindows, chart_windows
from service.domain.schema import BucketSpec, FieldType
from service.domain.selection import Fn, Windows
from service.domain.timerange import TimeRange
from service.stores.protocol import Store
from tests.support.model import Point, window_rows
from tests.support.raster import Pixel, line_chart
from tests.support.rows import Row, at, read, store_all

START_NS = at("2024-01-07T23:59:00.000000007Z")
"""Just before the edge of a shard group, and on no edge of a window."""
TOP = 100.0
HEIGHT = 40


@st.composite
def charts(draw: st.DrawFn) -> tuple[list[tuple[int, float]], ChartWindows]:
    """Points (time in ns, value) of a range of any length, often many in one column, and its windows."""
    length_ns = draw(st.sampled_from([50, 3_000, 10**9, 7 * 10**9 + 13, 86_400 * 10**9, 86_400 * 10**9 * 365]))
    places = draw(st.lists(st.integers(0, length_ns - 1), max_size=60, unique=True))
    clumps = draw(st.lists(st.integers(0, length_ns - 1), max_size=4, unique=True))
    near = {min(clump + step * (length_ns // 5_000 + 1), length_ns - 1) for clump in clumps for step in range(12)}
    values = st.integers(-400, 400).map(lambda quarters: quarters / 4)
    points = [(START_NS + place, draw(values)) for place in sorted({*places, *near})]
    width = draw(st.integers(8, 60))
    return points, chart_windows(TimeRange(START_NS, START_NS + length_ns), width)


def pixels_of(rows: list[Row], chart: ChartWindows) -> set[Pixel]:
    return line_chart([(row.time_ns, float(row.shown)) for row in rows], chart, HEIGHT, TOP)


def points_of(points: list[tuple[int, float]]) -> list[Point]:
    return [("m", (), "f", time_ns, FieldType.FLOAT, value) for time_ns, value in points]


@given(charts())
def test_the_pixels_are_those_of_all_points(drawn: tuple[list[tuple[int, float]], ChartWindows]) -> None:
    points, chart = drawn
    rows = window_rows(points_of(points), chart.span, chart.every_ns, Fn.M4)
    assert pixels_of(rows, chart) == line_chart(points, chart, HEIGHT, TOP)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(charts())
def test_the_pixels_of_a_store_are_those_of_all_points(
    store: Store, drawn: tuple[list[tuple[int, float]], ChartWindows]
) -> None:
    points, chart = drawn
    bucket = f"Pixels {secrets.token_hex(8)}"
    store.create_bucket(BucketSpec(bucket))
    store_all(store, bucket, "".join(f"m f={value} {time_ns}\n" for time_ns, value in points))
    rows = read(store, bucket, chart.span, Windows(chart.every_ns, Fn.M4))
    assert rows == window_rows(points_of(points), chart.span, chart.every_ns, Fn.M4)
    assert pixels_of(rows, chart) == line_chart(points, chart, HEIGHT, TOP)


@pytest.mark.parametrize("width", [97, 800])
def test_a_day_of_seconds_is_drawn_pixel_by_pixel(store: Store, bucket: str, width: int) -> None:
    pick = random.Random(width)
    points = [(START_NS + number * 10**9, pick.uniform(-TOP, TOP) * pick.random() ** 9) for number in range(86_400)]
    store_all(store, bucket, "".join(f"m f={value} {time_ns}\n" for time_ns, value in points))
    chart = chart_windows(TimeRange(START_NS, points[-1][0] + 1), width)
    rows = read(store, bucket, chart.span, Windows(chart.every_ns, Fn.M4))
    assert len(rows) <= 4 * width
    assert pixels_of(rows, chart) == line_chart(points, chart, HEIGHT, TOP)


def test_windows_that_lie_across_columns_draw_another_picture() -> None:
    """What the other tests would not notice: that the windows are the columns is what makes the pictures equal."""
    pick = random.Random(1)
    points = [(START_NS + number * 10**9, pick.uniform(-TOP, TOP)) for number in range(3_600)]
    chart = chart_windows(TimeRange(START_NS, points[-1][0] + 1), 60)
    rows = window_rows(points_of(points), chart.span, chart.every_ns * 3 // 2, Fn.M4)
    assert pixels_of(rows, chart) != line_chart(points, chart, HEIGHT, TOP)
