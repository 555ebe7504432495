"""Windows in DuckDB: the arithmetic of their places and times, and the SQL of Flux's functions.

The embedded store aggregates its file with it, and the InfluxDB store the points that Flux would change.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.durations import LONGEST_NS
from service.domain.schema import FieldType
from service.domain.selection import Fn, Stamp
from service.domain.timerange import TimeRange, floor_to
from service.domain.windows import Grid
from service.frames.frame import VALUE_TYPES

_64_BITS = "18446744073709551615::HUGEINT"
_CORNERS = ("first", "last", "low", "high")
_JUST_ABOVE_HALF = 0.500_000_000_001


@dataclass(frozen=True)
class Bins:
    """A stretch of a grid in bins of `windows` windows each, counted from the window that holds its start."""

    grid: Grid
    windows: int

    @property
    def first_ns(self) -> int:
        return floor_to(self.grid.span.start_ns, self.grid.every_ns, self.grid.offset_ns)

    @property
    def lead_ns(self) -> int:
        return self.grid.span.start_ns - self.first_ns

    @property
    def width_ns(self) -> int:
        return self.windows * self.grid.every_ns

    def span(self, first_bin: int, last_bin: int) -> TimeRange:
        """From the start of one bin to the end of another, both kept inside the stretch."""
        whole = self.grid.span
        start_ns = max(self.first_ns + first_bin * self.width_ns, whole.start_ns)
        return TimeRange(start_ns, min(self.first_ns + (last_bin + 1) * self.width_ns, whole.stop_ns))


def place_of(bins: Bins) -> tuple[str, dict[str, int]]:
    """SQL for the number of the bin that holds `time`, and the values bound in it. Times lie inside the stretch.

    The times of a stretch may lie further apart than 64 bits can say: then none is subtracted from another. Such a
    stretch needs bins of more than some nanoseconds, so that their numbers fit.
    """
    start_ns, width_ns = bins.grid.span.start_ns, bins.width_ns
    if bins.grid.count == 1:
        return "0::BIGINT", {}
    if bins.grid.span.length_ns + bins.lead_ns <= LONGEST_NS:
        bound = {"start_ns": start_ns, "lead_ns": bins.lead_ns, "width_ns": width_ns}
        return "(time - $start_ns + $lead_ns) // $width_ns", bound
    first, origin_ns = divmod(bins.first_ns, width_ns)
    before = "(time % $width_ns < $origin_ns)::BIGINT - (time % $width_ns < $below_ns)::BIGINT"
    number = f"time // $width_ns - {before} - $first"
    return number, {"width_ns": width_ns, "origin_ns": origin_ns, "below_ns": origin_ns - width_ns, "first": first}


def columns_of(fn: Fn, taken: FieldType) -> str:
    """Result columns, of which `values_of` makes the value. Integers wrap at 64 bits, as in Flux.

    `points_of` takes those of `Fn.M4`. They have values as whole numbers of the same 64 bits, from a column `bits`
    beside `value`: a comparison of tuples would lose the sign of -0.0 (DuckDB 2.0).
    """
    whole = taken in (FieldType.INTEGER, FieldType.UNSIGNED)
    match fn:
        case Fn.MEAN:
            return f"{_wrapped('sum(value)')} AS total, count(*) AS count" if whole else "avg(value) AS value"
        case Fn.SUM:
            return f"{_wrapped('sum(value)')} AS total" if whole else "sum(value) AS value"
        case Fn.SPREAD:
            difference = "max(value)::HUGEINT - min(value)::HUGEINT"
            return f"{_wrapped(difference)} AS total" if whole else "max(value) - min(value) AS value"
        case Fn.MEDIAN:
            return f"quantile_disc(value, [0.5, {_JUST_ABOVE_HALF}]) AS middle"
        case Fn.COUNT:
            return "count(*) AS value"
        case Fn.FIRST:
            return "arg_min(value, time) AS value, min(time) AS at_ns"
        case Fn.LAST:
            return "arg_max(value, time) AS value, max(time) AS at_ns"
        case Fn.MIN | Fn.MAX:
            return f"{fn}(value) AS value"
        case Fn.M4:
            lowest, highest = "arg_min({}, (value, time))", "arg_max({}, (value, -time))"
            return _corners("bits", "arg_min({}, time)", "arg_max({}, time)", lowest, highest)


def corners_of_picked() -> str:
    """The columns of `Fn.M4`, of points whose rows have the lowest and the highest value of their window beside them.

    This takes half the time, and needs a pass over the points before it.
    """
    return _corners(
        "value",
        "arg_min({}, time)",
        "arg_max({}, time)",
        "arg_min({}, time) FILTER (value = low)",
        "arg_min({}, time) FILTER (value = high)",
    )


def _corners(value: str, *picks: str) -> str:
    columns = (
        f"{pick.format(value)} AS {corner}_value, {pick.format('time')} AS {corner}_time"
        for corner, pick in zip(_CORNERS, picks, strict=True)
    )
    return ", ".join(columns)


def _wrapped(number: str) -> str:
    return f"(({number}) & {_64_BITS})::UBIGINT"


def column(table: pa.Table, name: str) -> pa.Array:
    """A whole column as one array."""
    chunked = table.column(name)
    if chunked.num_chunks == 1:
        return chunked.chunk(0)
    return pa.concat_arrays(chunked.chunks) if chunked.num_chunks else pa.array([], chunked.type)


def values_of(table: pa.Table, fn: Fn | None, taken: FieldType, output: FieldType) -> pa.Array:
    """The value column of an answer with `columns_of`, of the type that comes out.

    The mean of whole numbers follows Flux: their sum in 64 bits, as a float, by their count.
    """
    if fn is Fn.MEDIAN:
        return pa.array(_middle(column(table, "middle").flatten().to_numpy()))
    if "total" not in table.column_names:
        values = column(table, "value")
        return values if values.type == VALUE_TYPES[output] else values.cast(VALUE_TYPES[output])
    total = column(table, "total").view(VALUE_TYPES[taken])
    if fn is not Fn.MEAN:
        return total
    return pa.array(total.to_numpy().astype(np.float64) / column(table, "count").to_numpy())


@dataclass(frozen=True)
class WindowPoints:
    """Points of windows: of each, the row of the answer that it is from, its time in ns, and its value."""

    rows: pa.Array
    times: pa.Array
    values: pa.Array


def points_of(table: pa.Table, output: FieldType, are_bits: bool = False) -> WindowPoints:
    """The points of an answer with the columns of `Fn.M4`: each once, row by row, and of one row by time.

    `are_bits`: values are whole numbers whose bits are those of values of the type that comes out.
    """
    times = np.column_stack([column(table, f"{corner}_time").to_numpy() for corner in _CORNERS])
    values = pa.concat_arrays([column(table, f"{corner}_value") for corner in _CORNERS])
    order = np.argsort(times, axis=1, kind="stable")
    times = np.take_along_axis(times, order, axis=1)
    is_new = np.ones(times.shape, np.bool_)
    is_new[:, 1:] = times[:, 1:] != times[:, :-1]
    rows, ranks = np.nonzero(is_new)
    places = order[rows, ranks] * table.num_rows + rows
    values, output_type = values.take(pa.array(places)), VALUE_TYPES[output]
    values = values.view(output_type) if are_bits else values.cast(output_type)
    return WindowPoints(pa.array(rows), pa.array(times[is_new]), values)


def _middle(pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of the two middle values; of one middle value, itself, and nothing overflows."""
    low, high = pairs[0::2], pairs[1::2]
    with np.errstate(over="ignore"):
        plain = (low + high) / 2
    return np.where(np.isinf(plain) & np.isfinite(low), low / 2 + high / 2, plain)


def window_times(places: pa.Array, grid: Grid, stamp: Stamp = Stamp.STOP) -> pa.Array:
    """The stop or the start of each window; of one that `grid` cuts, where it is cut.

    A product may leave 64 bits, whose sum with the first stop is inside them again: both are taken modulo 2^64.
    """
    return _starts(places, grid) if stamp is Stamp.START else _stops(places, grid)


def _starts(places: pa.Array, grid: Grid) -> pa.Array:
    if grid.count == 1:
        return pa.repeat(pa.scalar(grid.span.start_ns, pa.int64()), len(places))
    numbers = places.to_numpy()
    second_ns = Bins(grid, 1).first_ns + grid.every_ns
    return pa.array(np.where(numbers < 1, grid.span.start_ns, second_ns + (numbers - 1) * grid.every_ns))


def _stops(places: pa.Array, grid: Grid) -> pa.Array:
    bins = Bins(grid, 1)
    stop_ns = grid.span.stop_ns
    first_stop_ns = min(bins.first_ns + grid.every_ns, stop_ns)
    if grid.count == 1:
        return pa.repeat(pa.scalar(first_stop_ns, pa.int64()), len(places))
    whole = (stop_ns - bins.first_ns) // grid.every_ns
    numbers = places.to_numpy()
    return pa.array(np.where(numbers < whole, first_stop_ns + numbers * grid.every_ns, stop_ns))
