"""A range in chunks: every row is in exactly one, no window is cut, and none is larger than it has to be."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import Grid
from service.stores.duckdb_windows import Bins
from service.stores.embedded.chunks import Budget, Histogram, chunks, within

ALL_TIME = TimeRange(EARLIEST_NS, LATEST_NS + 1)


def histogram_of(times_ns: list[int]) -> Histogram:
    def counted(bins: Bins) -> list[tuple[int, int]]:
        inside = [time_ns for time_ns in times_ns if bins.grid.span.start_ns <= time_ns < bins.grid.span.stop_ns]
        return sorted(
            Counter((time_ns - bins.grid.span.start_ns + bins.lead_ns) // bins.width_ns for time_ns in inside).items()
        )

    return counted


def cut(grid: Grid, times_ns: list[int], budget: Budget) -> list[TimeRange]:
    return [piece.span for piece in chunks(grid, histogram_of(times_ns), budget)]


instants = st.one_of(
    st.integers(EARLIEST_NS, LATEST_NS), st.integers(-1000, 1000), st.sampled_from([EARLIEST_NS, LATEST_NS, 0])
)


@st.composite
def grids_and_times(draw: st.DrawFn) -> tuple[Grid, list[int]]:
    start, stop = sorted(draw(st.lists(instants, min_size=2, max_size=2, unique=True)))
    every = draw(st.one_of(st.just(1), st.integers(1, 50), st.integers(1, 2**63 - 1)))
    times = draw(st.lists(instants, max_size=40))
    return Grid(TimeRange(start, stop), every, draw(st.integers(0, every - 1))), times


@given(grids_and_times(), st.integers(1, 8), st.one_of(st.none(), st.integers(1, 3)))
def test_each_row_is_in_one_chunk_and_no_window_is_cut(
    case: tuple[Grid, list[int]], enough: int, window_most: int | None
) -> None:
    grid, times = case
    pieces = cut(grid, times, Budget(enough, window_most))
    assert pieces == sorted(pieces)
    assert all(one.stop_ns <= other.start_ns for one, other in pairwise(pieces))
    for time_ns in times:
        inside = sum(piece.start_ns <= time_ns < piece.stop_ns for piece in pieces)
        assert inside == (grid.span.start_ns <= time_ns < grid.span.stop_ns)
    for piece in pieces:
        for edge in (piece.start_ns, piece.stop_ns):
            assert edge in (grid.span.start_ns, grid.span.stop_ns) or (edge - grid.offset_ns) % grid.every_ns == 0


@given(grids_and_times(), st.integers(1, 8))
def test_a_chunk_keeps_the_budget_unless_it_is_one_window(case: tuple[Grid, list[int]], enough: int) -> None:
    grid, times = case
    for piece in chunks(grid, histogram_of(times), Budget(enough, None)):
        rows = sum(piece.span.start_ns <= time_ns < piece.span.stop_ns for time_ns in times)
        assert rows <= enough or piece.count == 1


@given(grids_and_times())
def test_the_number_of_a_window_fits_64_bits_in_every_chunk(case: tuple[Grid, list[int]]) -> None:
    grid, times = case
    for piece in chunks(grid, histogram_of(times), Budget(3, 2)):
        if piece.count > 1:
            bins = Bins(piece, 1)
            assert piece.span.length_ns + bins.lead_ns < 2**63


def test_chunks_fill_up_where_rows_are_few_and_split_where_they_crowd() -> None:
    crowd = [1_000_000 + step for step in range(6)]
    assert cut(Grid(TimeRange(0, 2_000_000), 1, 0), [5, *crowd, 1_900_000], Budget(4, None)) == [
        TimeRange(0, 3_907),
        TimeRange(1_000_000, 1_000_004),
        TimeRange(1_000_004, 1_000_005),
        TimeRange(1_000_005, 1_000_013),
        TimeRange(1_898_802, 1_902_709),
    ]


def test_a_read_that_is_small_by_its_windows_needs_no_histogram() -> None:
    def never(bins: Bins) -> list[tuple[int, int]]:
        raise AssertionError("asked")

    grid = Grid(TimeRange(0, 3_600), 60, 0)
    assert list(chunks(grid, never, Budget(600, 10))) == [grid]


def test_a_stretch_without_rows_makes_no_chunk() -> None:
    assert cut(Grid(ALL_TIME, 1, 0), [], Budget(100, None)) == []


def test_windows_that_touch_the_extent_stay_whole() -> None:
    assert within(Grid(TimeRange(5, 95), 10, 0), TimeRange(33, 57)) == Grid(TimeRange(30, 60), 10, 0)
    assert within(Grid(TimeRange(5, 95), 10, 0), TimeRange(0, 200)) == Grid(TimeRange(5, 95), 10, 0)
    assert within(Grid(TimeRange(5, 95), 10, 0), TimeRange(95, 200)) is None
