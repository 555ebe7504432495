"""Windows of a chart: one for each pixel column, on the grid of reads, around all that was asked for."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.chart_windows import LEAST_WIDTH, ChartWindows, chart_windows
from service.domain.durations import LONGEST_NS, Length, parse_every
from service.domain.selected_windows import grids_of
from service.domain.selection import Windows
from service.domain.timerange import EVER, TimeRange
from service.domain.window_blocks import edges_of
from service.errors import InvalidParameter

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
START_NS = 1_767_225_600 * SECOND_NS
TIMES = st.integers(EVER.start_ns, EVER.stop_ns)
SPANS = st.tuples(TIMES, TIMES).filter(lambda ends: ends[0] != ends[1]).map(lambda ends: TimeRange(*sorted(ends)))
WIDTHS = st.integers(LEAST_WIDTH, 10_000)


def test_a_month_on_a_thousand_pixels_is_read_in_windows_of_whole_seconds() -> None:
    chart = chart_windows(TimeRange(START_NS, START_NS + 30 * DAY_NS), 1_000)
    assert (chart.every, chart.columns) == ("2595s", 1_000)
    assert chart.start_ns % (2_595 * SECOND_NS) == 0
    assert chart.span == TimeRange(chart.start_ns, chart.stop_ns)


@pytest.mark.parametrize(
    ("length_ns", "every"),
    [(999, "1ns"), (99_900_000, "100us"), (3_600 * SECOND_NS, "3604ms"), (365 * DAY_NS, "527m"), (1, "1ns")],
)
def test_every_is_a_whole_number_of_one_unit(length_ns: int, every: str) -> None:
    assert chart_windows(TimeRange(START_NS, START_NS + length_ns), 1_000).every == every


@given(SPANS, WIDTHS)
@example(EVER, LEAST_WIDTH)
@example(TimeRange(EVER.stop_ns - 1, EVER.stop_ns), 1_000)
def test_the_chart_holds_all_of_the_range_and_little_more(span: TimeRange, width: int) -> None:
    chart = chart_windows(span, width)
    assert chart.columns == width
    assert 0 <= span.start_ns - chart.start_ns < chart.every_ns <= LONGEST_NS
    assert chart.stop_ns >= span.stop_ns
    if span.length_ns >= 100 * width:
        assert chart.stop_ns - span.stop_ns <= 2 * chart.every_ns + span.length_ns // 100
    assert parse_every(chart.every, "every") == Length(chart.every_ns)


@given(SPANS.filter(lambda span: span.start_ns > -(2**62) and span.stop_ns < 2**62), st.integers(LEAST_WIDTH, 300))
def test_each_window_of_the_read_is_one_column(span: TimeRange, width: int) -> None:
    chart = chart_windows(span, width)
    edges = [edge for grid in grids_of(chart.span, Windows(chart.every_ns)) for edge in edges_of(grid)]
    assert edges == [chart.start_ns + column * chart.every_ns for column in range(width + 1)]


@given(st.integers(0, 100 * DAY_NS), st.integers(0, 100 * DAY_NS), WIDTHS)
def test_a_chart_that_moves_on_keeps_its_windows(first_ns: int, second_ns: int, width: int) -> None:
    first, second = (
        chart_windows(TimeRange(START_NS + moved_ns, START_NS + moved_ns + DAY_NS), width)
        for moved_ns in (first_ns, second_ns)
    )
    assert first.every_ns == second.every_ns
    assert (first.start_ns - second.start_ns) % first.every_ns == 0


def test_the_chart_ends_where_time_does() -> None:
    chart = chart_windows(EVER, 1_000)
    assert chart.start_ns < EVER.start_ns
    assert chart.stop_ns > EVER.stop_ns
    assert chart.span == EVER


def test_a_time_has_the_column_of_its_window() -> None:
    chart = ChartWindows(10, 100, 8)
    assert [chart.column_of(time_ns) for time_ns in (100, 109, 110, 179)] == [0, 0, 1, 7]


def test_a_chart_of_too_few_pixels_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="width=7 is too narrow"):
        chart_windows(TimeRange(0, 10), 7)
