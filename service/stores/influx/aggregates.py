"""Reads aggregate windows by Flux, which computes them in its storage engine.

Flux answers field by field, so the fields of one row are far apart. When complete rows are asked for, the range is read
in runs of windows, each small enough for the memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from service.domain.schema import Bucket, FieldType
from service.domain.selected_windows import grids_of
from service.domain.selection import FieldPlan, Fn, MeasurementPlan, Selection, SkippedField
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, subtract
from service.domain.windows import Grid
from service.errors import LineEndLost
from service.frames.frame import Block
from service.stores.influx import flux
from service.stores.influx.annotated_csv import density_of, rows_of
from service.stores.influx.labels import frames_of
from service.stores.influx.raw import RawReader, ask_flux
from service.stores.influx.transport import Call, Transport
from service.stores.influx.windows_from_points import PointWindows
from service.stores.row_order import in_runs

_MOST_FIELDS = 100
"""The most fields in one query. Flux 2.9.1 refuses more than about 160 names: "Program is nested too deep"."""
_THIN_POINTS = 100
"""Of windows with fewer points, Flux takes longer than to read them (2.9.1: 80 us a window, 0.5 us a point)."""
_MOST_THIN_WINDOWS = 100_000
"""So many windows of points fit the memory in which they are computed."""


class WindowReader:
    """Reads the windows of one bucket for one selection, within one call that can be aborted.

    `extent`, when given, holds all points of the bucket: windows outside of it are not asked for.
    """

    def __init__(
        self,
        transport: Transport,
        bucket: Bucket,
        influxql_name: str,
        selection: Selection,
        skipped: Iterable[SkippedField],
        call: Call,
        extent: TimeRange | None = None,
    ) -> None:
        assert selection.windows is not None
        self._skipped_types = skipped_types(skipped)
        self._transport = transport
        self._bucket = bucket
        self._influxql_name = influxql_name
        self._selection = selection
        self._windows = selection.windows
        self._call = call
        pieces = grids_of(selection.span, selection.windows)
        self._grids = [piece for piece in pieces if extent is None or piece.span.intersect(extent)]

    def blocks(self, measurement: MeasurementPlan) -> Iterator[Block]:
        """Blocks in ascending order of the grids; of complete rows when the selection asks for them."""

        def run_block(run: Grid) -> Block:
            return tuple(frame for part in self._grid(measurement, run) for frame in part)

        for grid in self._grids:
            if self._selection.complete_rows:
                yield from in_runs(grid, run_block)
            else:
                yield from self._grid(measurement, grid)

    def _grid(self, measurement: MeasurementPlan, grid: Grid) -> Iterator[Block]:
        whole = whole_windows(grid)
        by_flux = [] if whole is None else [whole.span]
        for span in sorted([*by_flux, *subtract(grid.span, by_flux)]):
            piece = replace(grid, span=span)
            if span in by_flux:
                yield from self._whole(measurement, piece)
            else:
                for field in measurement.fields:
                    yield from self._from_points(measurement, field, piece)

    def _whole(self, measurement: MeasurementPlan, grid: Grid) -> Iterator[Block]:
        for fn, fields in field_sections(measurement, self._selection, self._skipped_types):
            if fn is None:
                yield from self._from_points(measurement, fields[0], grid)
            else:
                yield from self._by_flux_or_points(measurement, fields, fn, grid)

    def _by_flux_or_points(
        self,
        measurement: MeasurementPlan,
        fields: list[FieldPlan],
        fn: Fn,
        grid: Grid,
    ) -> Iterator[Block]:
        """By Flux; or from points, where that is quicker, or the beginning of Flux's answer shows a line end in a tag.

        Raises LineEndLost when that shows later.
        """
        if fn is Fn.M4 and self._is_thin(measurement, fields, grid):
            for field in fields:
                yield from self._from_points(measurement, field, grid)
            return
        begun = False
        try:
            for block in self._by_flux(measurement, fields, fn, grid):
                begun = True
                yield block
        except LineEndLost:
            if begun:
                raise
            for field in fields:
                yield from self._from_points(measurement, field, grid)

    def _by_flux(self, measurement: MeasurementPlan, fields: list[FieldPlan], fn: Fn, grid: Grid) -> Iterator[Block]:
        points = self._points(measurement, fields, grid)
        if fn is Fn.M4:
            query = flux.corner_points(points, grid)
        else:
            query = flux.pipeline(*points, flux.windows(grid, fn, self._windows.stamp))
        reply = ask_flux(self._transport, query, self._call, self._bucket.name)
        for rows in rows_of(reply.chunks()):
            yield frames_of(rows, measurement.tags)

    def _points(self, measurement: MeasurementPlan, fields: list[FieldPlan], grid: Grid) -> list[str]:
        """The steps of a Flux pipeline that gives the points of the windows."""
        return [
            flux.source(self._bucket.name, grid.span),
            flux.any_of("_measurement", [measurement.name]),
            flux.any_of("_field", [field.name for field in fields]),
            *(flux.any_of(key, values) for key, values in self._selection.tags),
        ]

    def _is_thin(self, measurement: MeasurementPlan, fields: list[FieldPlan], grid: Grid) -> bool:
        """Whether windows hold so few points that Flux, which makes a table of each window, takes longer than to read
        them.
        """
        query = flux.density(self._points(measurement, fields, grid), grid)
        density = density_of(ask_flux(self._transport, query, self._call, self._bucket.name).chunks())
        return density.windows <= _MOST_THIN_WINDOWS and density.points <= _THIN_POINTS * density.windows

    def _from_points(self, measurement: MeasurementPlan, field: FieldPlan, grid: Grid) -> Iterator[Block]:
        """Read raw points of every type, and aggregate those that the function takes."""
        stored = field.types + self._skipped_types.get((measurement.name, field.name), ())
        alone = replace(measurement, fields=(replace(field, types=stored, fn=None, output=stored),))
        points = replace(self._selection, span=grid.span, windows=None)
        raw = RawReader(self._transport, self._bucket, self._influxql_name, points, self._call)
        block = PointWindows(measurement, field, grid, self._windows.stamp).frames(raw.blocks(alone))
        if block:
            yield block


SkippedTypes = dict[tuple[str, str], tuple[FieldType, ...]]
"""The types that are skipped, by measurement and field."""


def skipped_types(skipped: Iterable[SkippedField]) -> SkippedTypes:
    types: SkippedTypes = {}
    for field in skipped:
        name = (field.measurement, field.field)
        types[name] = (*types.get(name, ()), field.type)
    return types


def field_sections(
    measurement: MeasurementPlan, selection: Selection, skipped: SkippedTypes
) -> Iterator[tuple[Fn | None, list[FieldPlan]]]:
    """Fields that are read together, in this order: by one Flux query, or (fn None) a single one from its points.

    A field under `Fn.M4` stands alone: so its rows have one order, whichever way they are read.
    """
    from_points = [field for field in measurement.fields if _needs_points(measurement, field, selection, skipped)]
    for fn in Fn:
        most = 1 if fn is Fn.M4 else _MOST_FIELDS
        plain = [field for field in measurement.fields if field.fn is fn and field not in from_points]
        for start in range(0, len(plain), most):
            yield fn, plain[start : start + most]
    for field in from_points:
        yield None, [field]


def _needs_points(measurement: MeasurementPlan, field: FieldPlan, selection: Selection, skipped: SkippedTypes) -> bool:
    """Whether Flux cannot aggregate the field: it has text or several types, or names that Flux cannot use."""
    several = len(field.types) > 1 or (measurement.name, field.name) in skipped
    text = field.types == (FieldType.STRING,) and field.fn is not Fn.COUNT
    can_filter = all(flux.can_filter(key) for key, _ in selection.tags)
    return several or text or not can_filter or not flux.can_carry(measurement.name, field.name, measurement.tags)


def whole_windows(grid: Grid) -> Grid | None:
    """`grid` without the windows that reach beyond the time InfluxDB can store, or whose start less the offset does.

    With a point in such a window, InfluxDB never ends the query (2.9.1).
    """
    first_ns = grid.offset_ns - (-EARLIEST_NS // grid.every_ns) * grid.every_ns
    last_ns = LATEST_NS - (LATEST_NS - grid.offset_ns) % grid.every_ns
    span = None if first_ns >= last_ns else grid.span.intersect(TimeRange(first_ns, last_ns))
    return None if span is None else replace(grid, span=span)
