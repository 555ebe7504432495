"""Reads blocks through a cursor of its own, which sees one snapshot of the file. Later writes do not change it.

A block is a chunk of time with up to some 100,000 rows of one measurement, series by series. The times of a series
ascend from block to block.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import FieldPlan, Fn, MeasurementPlan, ReadPlan, Stamp
from service.domain.series import FieldSeries, Tags
from service.domain.timerange import TimeRange
from service.domain.windows import Grid
from service.errors import StoreFailed
from service.frames.frame import Block
from service.frames.type_runs import ascending
from service.stores.duckdb_windows import Bins, column, points_of, values_of, window_times
from service.stores.embedded import queries
from service.stores.embedded.chunks import Budget, chunks, within
from service.stores.embedded.file import translated
from service.stores.embedded.labels import Labels
from service.stores.embedded.queries import Query, Source

ENOUGH_ROWS = 98_304
"""About the size of a block: large enough for full speed, small enough for a few MB."""

Member = tuple[FieldSeries, int]
"""A series and its number."""


class SnapshotCursor:
    """A cursor that sees the file as it is now, also later. Queries may be cancelled from any thread.

    `act` is for error messages. `released` is called at its end.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        act: str,
        released: Callable[["SnapshotCursor"], None],
    ) -> None:
        self._cursor = cursor
        self._act = act
        self._released = released
        self._query_lock = threading.Lock()
        self._cancelled = False
        self._closed = False
        with translated(act):
            cursor.begin()
            cursor.execute("FROM format").fetchall()

    def fetch(self, query: Query) -> pa.Table:
        """The rows of a query. Raises StoreFailed, also when the cursor was cancelled."""
        with self._query_lock, translated(self._act):
            if self._cancelled or self._closed:
                raise StoreFailed(f"Could not {self._act}: it was cancelled.")
            return self._cursor.sql(query.text, params=query.bound).to_arrow_table()

    def register(self, name: str, table: pa.Table) -> None:
        """Let queries use `table` under this name. Raises StoreFailed."""
        with self._query_lock, translated(self._act):
            if self._cancelled or self._closed:
                raise StoreFailed(f"Could not {self._act}: it was cancelled.")
            self._cursor.register(name, table)

    def cancel(self) -> None:
        """End the query that runs, if any, and release the snapshot."""
        self._cancelled = True
        while not self._query_lock.acquire(timeout=0.02):
            self._cursor.interrupt()
        try:
            self._close()
        finally:
            self._query_lock.release()

    def close(self) -> None:
        with self._query_lock:
            self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._cursor.close()
            self._released(self)


@dataclass(frozen=True)
class Part:
    """Fields of one measurement that one query reads: the same function over the same stored types."""

    fn: Fn | None
    types: tuple[FieldType, ...]
    output: tuple[FieldType, ...]

    @classmethod
    def of(cls, field: FieldPlan, stored: FieldType) -> "Part":
        """The part of a field. Raw values of its types are read by separate queries."""
        return cls(None, (stored,), (stored,)) if field.fn is None else cls(field.fn, field.types, field.output)


class Group:
    """Some series of one measurement, ranked by tags and field. All fields of a tag set are in one group."""

    def __init__(self, plan: MeasurementPlan, members: list[Member]) -> None:
        fields = {field.name: field for field in plan.fields}
        ranks: dict[tuple[Tags, str], int] = {}
        self.parts: dict[Part, list[tuple[int, int]]] = {}
        for key, number in sorted(members, key=_series_order):
            rank = ranks.setdefault((key.tags, key.field), len(ranks))
            self.parts.setdefault(Part.of(fields[key.field], key.type), []).append((number, rank))
        self.labels = Labels(plan.name, plan.tags, list(ranks))
        self.series = len(ranks)
        self.is_mixed = len(ranks) < len(members)
        """Whether a series changed its type."""
        present = {key.type for key, _ in members}
        self.types = tuple(field_type for field_type in FieldType if field_type in present)

    @property
    def rows_of_window(self) -> int | None:
        """How many rows a window has at most. None: they may be larger than their number says."""
        fns = [part.fn for part in self.parts if part.fn is not None]
        if FieldType.STRING in self.types or Fn.MEDIAN in fns:
            return None
        return self.series * max((fn.most_rows for fn in fns), default=1)

    @property
    def numbered_ranks(self) -> list[tuple[int, int]]:
        """The number and the rank of each series."""
        return [pair for pairs in self.parts.values() for pair in pairs]


def _series_order(member: Member) -> tuple[Tags, str]:
    return member[0].tags, member[0].field


def groups(plan: MeasurementPlan, members: list[Member]) -> Iterator[Group]:
    """The series in groups, so that the rows of one instant in a group fit into a block. No tag set is divided."""
    ordered = sorted(members, key=_series_order)
    start = 0
    for place in range(1, len(ordered) + 1):
        at_end = place == len(ordered)
        if at_end or (place - start >= ENOUGH_ROWS and ordered[place][0].tags != ordered[place - 1][0].tags):
            yield Group(plan, ordered[start:place])
            start = place


class BlockReader:
    """Makes the blocks of a read. `extent` holds all points there can be; those before `oldest_ns` have expired.

    `stamp`: what is the time of a row.
    """

    def __init__(
        self,
        cursor: SnapshotCursor,
        grids: list[Grid],
        extent: TimeRange | None,
        oldest_ns: int,
        stamp: Stamp = Stamp.STOP,
    ) -> None:
        self._cursor = cursor
        pieces = [] if extent is None else [within(grid, extent) for grid in grids]
        self._grids = [piece for piece in pieces if piece is not None]
        self._oldest_ns = oldest_ns
        self._stamp = stamp

    def blocks(self, plan: ReadPlan, members: dict[str, list[Member]]) -> Iterator[Block]:
        """The blocks of the plan. `members`: the series to read, by measurement. Closes the cursor at the end."""
        try:
            for measurement in plan.measurements:
                for group in groups(measurement, members[measurement.name]) if self._grids else ():
                    yield from self._group_blocks(group)
        finally:
            self._cursor.close()

    def latest(self, plan: ReadPlan, members: dict[str, list[Member]]) -> Iterator[pa.RecordBatch]:
        """The last values in the one window. Each row has the time of its point. Closes the cursor at the end."""
        try:
            for measurement in plan.measurements:
                for group in groups(measurement, members[measurement.name]) if self._grids else ():
                    self._register(group)
                    for number, part in enumerate(group.parts):
                        yield from self._part_frames(group, part, f"part_{number}", self._grids[0], Stamp.POINT)
        finally:
            self._cursor.close()

    def _group_blocks(self, group: Group) -> Iterator[Block]:
        self._register(group)
        everything = Source(group.types, "whole", self._oldest_ns)
        budget = Budget(ENOUGH_ROWS, group.rows_of_window)
        for grid in self._grids:
            for chunk in chunks(grid, lambda bins: self._histogram(everything, bins), budget):
                frames = [
                    frame
                    for number, part in enumerate(group.parts)
                    for frame in self._part_frames(group, part, f"part_{number}", chunk, self._stamp)
                ]
                if frames:
                    yield ascending(frames, [_ranks(frame) for frame in frames]) if group.is_mixed else tuple(frames)

    def _register(self, group: Group) -> None:
        self._cursor.register("whole", _ranked(group.numbered_ranks))
        for number, pairs in enumerate(group.parts.values()):
            self._cursor.register(f"part_{number}", _ranked(pairs))

    def _histogram(self, source: Source, bins: Bins) -> list[tuple[int, int]]:
        table = self._cursor.fetch(queries.histogram(source, bins))
        return list(zip(column(table, "bin").to_pylist(), column(table, "weight").to_pylist(), strict=True))

    def _part_frames(
        self,
        group: Group,
        part: Part,
        members: str,
        grid: Grid,
        stamp: Stamp,
    ) -> Iterator[pa.RecordBatch]:
        source = Source(part.types, members, self._oldest_ns)
        for output, query in _queries(part, source, grid):
            table = self._cursor.fetch(query)
            if table.num_rows and part.fn is Fn.M4:
                points = points_of(table, output)
                ranks = column(table, "rank").take(points.rows)
                yield group.labels.frame(output, ranks, points.times, points.values)
            elif table.num_rows:
                if part.fn is None:
                    times = column(table, "time")
                elif stamp is Stamp.POINT:
                    times = column(table, "at_ns")
                else:
                    times = window_times(column(table, "place"), grid, stamp)
                taken = part.types[0] if len(part.types) == 1 else FieldType.FLOAT
                values = values_of(table, part.fn, taken, output)
                yield group.labels.frame(output, column(table, "rank"), times, values)


def first_time(
    cursor: SnapshotCursor,
    members: list[Member],
    shards: Iterable[TimeRange],
    oldest_ns: int,
) -> int | None:
    """The time of the first point of `members`. `shards` ascend, and the first most likely holds it."""
    try:
        if not members:
            return None
        source = _all_of(cursor, members, oldest_ns)
        for shard in shards:
            table = cursor.fetch(queries.oldest(source, Grid(shard, shard.length_ns, 0)))
            time_ns = column(table, "time")[0].as_py()
            if time_ns is not None:
                return int(time_ns)
        return None
    finally:
        cursor.close()


def counted(
    cursor: SnapshotCursor,
    members: list[Member],
    span: TimeRange,
    step_ns: int,
    oldest_ns: int,
) -> dict[int, int]:
    """How many points of `members` each slice holds, by its start."""
    try:
        if not members:
            return {}
        table = cursor.fetch(queries.counts(_all_of(cursor, members, oldest_ns), step_ns, span))
        numbers, points = (column(table, name).to_pylist() for name in ("slice", "points"))
        return {number * step_ns: count for number, count in zip(numbers, points, strict=True)}
    finally:
        cursor.close()


def _all_of(cursor: SnapshotCursor, members: list[Member], oldest_ns: int) -> Source:
    """All points of `members`, in no order."""
    cursor.register("whole", _ranked([(number, 0) for _, number in members]))
    return Source(tuple({key.type for key, _ in members}), "whole", oldest_ns)


def _queries(part: Part, source: Source, grid: Grid) -> Iterator[tuple[FieldType, Query]]:
    if part.fn is None:
        yield part.output[0], queries.raw(source, grid)
    elif part.fn in (Fn.FIRST, Fn.LAST) and len(part.types) > 1:
        for field_type in part.output:
            yield field_type, queries.edge(source, field_type, part.fn, grid)
    elif part.fn is Fn.M4:
        yield part.output[0], queries.m4(source, grid)
    else:
        yield part.output[0], queries.aggregate(source, part.fn, grid)


def _ranks(frame: pa.RecordBatch) -> npt.NDArray[np.int32]:
    """The rank of each row: its label is the code of its field."""
    ranks: npt.NDArray[np.int32] = frame.column(2).indices.to_numpy()
    return ranks


def _ranked(pairs: list[tuple[int, int]]) -> pa.Table:
    numbers, ranks = zip(*pairs, strict=True)
    return pa.table({"series": pa.array(numbers, pa.int32()), "rank": pa.array(ranks, pa.int32())})
