"""Where a window's number leads: its stop, or where the grid is cut; and values of the type that comes out."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.schema import FieldType
from service.domain.selection import Fn
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import Grid
from service.stores.duckdb_windows import Bins, place_of, points_of, values_of, window_times


def times(grid: Grid, *places: int) -> list[int]:
    return window_times(pa.array(places, pa.int64()), grid).to_pylist()  # type: ignore[no-any-return]


def test_a_window_is_stamped_with_its_stop_and_a_cut_one_with_the_cut() -> None:
    assert times(Grid(TimeRange(5, 35), 10, 0), 0, 1, 2, 3) == [10, 20, 30, 35]
    assert times(Grid(TimeRange(5, 40), 10, 0), 0, 3) == [10, 40]
    assert times(Grid(TimeRange(-25, -5), 10, 0), 0, 1, 2) == [-20, -10, -5]
    assert times(Grid(TimeRange(5, 35), 10, 7), 0, 1, 3) == [7, 17, 35]


def test_one_window_is_stamped_within_64_bits_at_both_ends_of_time() -> None:
    every_ns = 2**63 - 1
    assert times(Grid(TimeRange(EARLIEST_NS, EARLIEST_NS + 5), every_ns, 0), 0) == [EARLIEST_NS + 5]
    assert times(Grid(TimeRange(LATEST_NS, LATEST_NS + 1), 10, 0), 0) == [LATEST_NS + 1]
    all_time = TimeRange(EARLIEST_NS, LATEST_NS + 1)
    assert times(Grid(all_time, all_time.length_ns, all_time.start_ns % all_time.length_ns), 0) == [LATEST_NS + 1]


def test_bins_count_from_the_window_that_holds_the_start() -> None:
    bins = Bins(Grid(TimeRange(25, 95), 10, 0), 3)
    assert (bins.first_ns, bins.lead_ns, bins.width_ns) == (20, 5, 30)
    assert [bins.span(0, 0), bins.span(1, 2)] == [TimeRange(25, 50), TimeRange(50, 95)]


@given(
    ends=st.lists(st.integers(EARLIEST_NS, LATEST_NS + 1), min_size=2, max_size=2, unique=True).map(sorted),
    every_ns=st.integers(10**9, 2**63 - 1),
    offset_ns=st.integers(0, 2**63 - 1),
    windows=st.integers(1, 3),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_the_number_of_a_bin_is_exact_however_far_times_lie_apart(
    ends: list[int], every_ns: int, offset_ns: int, windows: int, shares: list[float]
) -> None:
    """A subtraction of two times overflowed: 1700 and 2023 lie 2^63 ns apart and more."""
    grid = Grid(TimeRange(*ends), every_ns, offset_ns % every_ns)
    bins = Bins(grid, windows if windows * every_ns < 2**63 else 1)
    instants = [min(grid.span.start_ns + int(share * grid.span.length_ns), grid.span.stop_ns - 1) for share in shares]
    text, bound = place_of(bins)
    with duckdb.connect() as engine:
        engine.register("points", pa.table({"time": pa.array(instants, pa.int64())}))
        found = engine.sql(f"SELECT {text} FROM points", params=bound).fetchall()
    assert [place for (place,) in found] == [
        (time_ns - bins.first_ns) // bins.width_ns if grid.count > 1 else 0 for time_ns in instants
    ]


@pytest.mark.parametrize(
    ("fn", "table", "taken", "output", "expected"),
    [
        (Fn.COUNT, {"value": pa.array([3], pa.int64())}, FieldType.STRING, FieldType.INTEGER, [3]),
        (Fn.SUM, {"total": pa.array([2**64 - 1], pa.uint64())}, FieldType.INTEGER, FieldType.INTEGER, [-1]),
        (Fn.SUM, {"total": pa.array([2**64 - 1], pa.uint64())}, FieldType.UNSIGNED, FieldType.UNSIGNED, [2**64 - 1]),
        (
            Fn.MEAN,
            {"total": pa.array([2**64 - 3], pa.uint64()), "count": pa.array([2])},
            FieldType.INTEGER,
            FieldType.FLOAT,
            [-1.5],
        ),
        (Fn.MEDIAN, {"middle": pa.array([[1.0, 2.0], [5.0, 5.0]])}, FieldType.FLOAT, FieldType.FLOAT, [1.5, 5.0]),
        (Fn.MEDIAN, {"middle": pa.array([[1e308, 1.5e308]])}, FieldType.FLOAT, FieldType.FLOAT, [1.25e308]),
        (None, {"value": pa.array(["", "\x00é"])}, FieldType.STRING, FieldType.STRING, ["", "\x00é"]),
    ],
)
def test_values_have_the_type_that_comes_out(
    fn: Fn | None, table: dict[str, pa.Array], taken: FieldType, output: FieldType, expected: list[object]
) -> None:
    assert values_of(pa.table(table), fn, taken, output).to_pylist() == expected


def test_the_points_of_a_window_come_once_and_by_time() -> None:
    """Of the first row the lowest is the first point, of the second all four are one."""
    corners = {
        "first": ([1, 9], [5, 3]),
        "last": ([4, 9], [7, 3]),
        "low": ([1, 9], [5, 3]),
        "high": ([2, 9], [8, 3]),
    }
    table = pa.table(
        {f"{name}_time": times for name, (times, _) in corners.items()}
        | {f"{name}_value": values for name, (_, values) in corners.items()}
    )
    points = points_of(table, FieldType.UNSIGNED)
    assert points.rows.to_pylist() == [0, 0, 0, 1]
    assert points.times.to_pylist() == [1, 2, 4, 9]
    assert (points.values.to_pylist(), points.values.type) == ([5, 8, 7, 3], pa.uint64())


def test_bits_are_values_of_the_type_that_comes_out() -> None:
    bits = pa.array([-0.0, 1.5]).view(pa.int64())
    names = ("first", "last", "low", "high")
    columns = {f"{name}_time": pa.array([1, 2]) for name in names} | {f"{name}_value": bits for name in names}
    values = points_of(pa.table(columns), FieldType.FLOAT, are_bits=True).values
    assert [repr(value) for value in values.to_pylist()] == ["-0.0", "1.5"]
