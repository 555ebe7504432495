"""The text of every read query, and its bound values. No text of a caller becomes part of a query's text.

`members` is the name of a registered table (series, rank). It says which series are read, and in which order. Results
are sorted by rank, then by window or time.
"""

# ruff: noqa: S608 - only names that this package defines are put into the text

from dataclasses import dataclass

from service.domain.schema import FieldType
from service.domain.selection import Fn
from service.domain.timerange import TimeRange
from service.domain.windows import Grid
from service.stores.duckdb_windows import Bins, columns_of, corners_of_picked, place_of
from service.stores.embedded.tables import VALUES

_TEXT_UNIT_BYTES = 64
"""A text of so many bytes counts as one more row."""


@dataclass(frozen=True)
class Query:
    """The text of a query, and the values of its parameters."""

    text: str
    bound: dict[str, int]


@dataclass(frozen=True)
class Source:
    """The stored points to read: of these types, of these series, not before `oldest_ns`."""

    types: tuple[FieldType, ...]
    members: str
    oldest_ns: int

    def points(self, *columns: str, cast: str = "") -> str:
        """A query of rank, time and `columns`: `value`, `kind` (its type) and `weight`."""
        return " UNION ALL ".join(self._of_type(field_type, columns, cast) for field_type in self.types)

    def _of_type(self, field_type: FieldType, columns: tuple[str, ...], cast: str) -> str:
        weight = f"1 + strlen(v.value) // {_TEXT_UNIT_BYTES}" if field_type is FieldType.STRING else "1"
        expressions = {
            "value": f"v.value{cast} AS value",
            "kind": f"'{field_type}' AS kind",
            "weight": f"{weight} AS weight",
        }
        selected = ", ".join(["m.rank", "v.time", *(expressions[column] for column in columns)])
        tables = f"{VALUES[field_type]} v JOIN {self.members} m ON m.series = v.series"
        return f"SELECT {selected} FROM {tables} WHERE v.time >= $from_ns AND v.time < $stop_ns"

    def bound(self, grid: Grid) -> dict[str, int]:
        """The values of the parameters of `points`."""
        return {"from_ns": max(grid.span.start_ns, self.oldest_ns), "stop_ns": grid.span.stop_ns}


def histogram(source: Source, bins: Bins) -> Query:
    """The weight of the rows in each bin: columns bin, weight."""
    place, bound = place_of(bins)
    points = source.points("weight")
    text = f"SELECT {place} AS bin, sum(weight)::BIGINT AS weight FROM ({points}) GROUP BY bin ORDER BY bin"
    return Query(text, source.bound(bins.grid) | bound)


def raw(source: Source, grid: Grid) -> Query:
    """The points themselves: columns rank, time, value."""
    return Query(f"{source.points('value')} ORDER BY rank, time", source.bound(grid))


def oldest(source: Source, grid: Grid) -> Query:
    """The time of the first point: one row, column time, null when there is none."""
    return Query(f"SELECT min(time) AS time FROM ({source.points()})", source.bound(grid))


def counts(source: Source, step_ns: int, span: TimeRange) -> Query:
    """How many points each slice on the grid from 1970 holds: columns slice (its number), points."""
    # DuckDB divides towards zero.
    number = "time // $step_ns - (time % $step_ns < 0)::BIGINT"
    text = f"SELECT {number} AS slice, count(*) AS points FROM ({source.points()}) GROUP BY slice"
    return Query(text, {**source.bound(Grid(span, step_ns, 0)), "step_ns": step_ns})


def aggregate(source: Source, fn: Fn, grid: Grid) -> Query:
    """One row per series and window: columns rank, place (of the window), and those of `columns_of`."""
    cast = "::DOUBLE" if fn is Fn.MEDIAN or len(source.types) > 1 else ""
    taken = source.types[0] if len(source.types) == 1 else FieldType.FLOAT
    place, bound = _place(source, grid)
    points = source.points(cast=cast) if fn is Fn.COUNT else source.points("value", cast=cast)
    placed = f"SELECT *, {place} AS place FROM ({points})"
    text = f"SELECT rank, place, {columns_of(fn, taken)} FROM ({placed}) GROUP BY rank, place ORDER BY rank, place"
    return Query(text, bound)


def m4(source: Source, grid: Grid) -> Query:
    """One row per series and window: columns rank, place, and those of `corners_of_picked`.

    A first pass finds the ends of each window, in time and in value, and a second one the points there.
    """
    place, bound = _place(source, grid)
    cast = "::DOUBLE" if len(source.types) > 1 else ""
    placed = f"SELECT *, {place} AS place FROM ({source.points('value', cast=cast)})"
    ends = "min(time) AS first, max(time) AS last, min(value) AS low, max(value) AS high"
    text = (
        f"SELECT rank, place, {corners_of_picked()}"
        f" FROM ({placed}) JOIN (SELECT rank, place, {ends} FROM ({placed}) GROUP BY rank, place) USING (rank, place)"
        f" WHERE time = first OR time = last OR value = low OR value = high"
        f" GROUP BY rank, place ORDER BY rank, place"
    )
    return Query(text, bound)


def edge(source: Source, field_type: FieldType, fn: Fn, grid: Grid) -> Query:
    """First or last value of fields that changed their type, where it is of `field_type`.

    Columns rank, place, value, at_ns (the time of the value).
    """
    place, bound = _place(source, grid)
    pick, at = ("arg_min", "min") if fn is Fn.FIRST else ("arg_max", "max")
    typed = Source((field_type,), source.members, source.oldest_ns)
    text = (
        f"SELECT rank, place, value, at_ns FROM"
        f" (SELECT rank, place, {pick}(value, time) AS value, {at}(time) AS at_ns"
        f" FROM (SELECT *, {place} AS place FROM ({typed.points('value')})) GROUP BY rank, place)"
        f" JOIN (SELECT rank, place, {pick}(kind, time) AS kind"
        f" FROM (SELECT *, {place} AS place FROM ({source.points('kind')})) GROUP BY rank, place)"
        f" USING (rank, place) WHERE kind = '{field_type}' ORDER BY rank, place"
    )
    return Query(text, bound)


def _place(source: Source, grid: Grid) -> tuple[str, dict[str, int]]:
    place, bound = place_of(Bins(grid, 1))
    return place, source.bound(grid) | bound
