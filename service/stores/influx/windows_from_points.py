"""Computes windows from raw points: for text, for fields that changed their type, and for names that Flux changes.

Flux changes some texts, and where a field changes its type it ends early without an error. So these fields are read
raw, slice by slice, and aggregated while they stream. Only the results of the windows are kept.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import FieldPlan, Fn, MeasurementPlan, Stamp
from service.domain.windows import Grid
from service.errors import StoreFailed
from service.frames import long_form
from service.frames.frame import TIME, VALUE_TYPES, Block, constant_codes, long_schema
from service.frames.label_combinations import combine, texts_of
from service.frames.type_runs import ascending
from service.stores.duckdb_windows import Bins, column, columns_of, place_of, points_of, values_of, window_times

Tags = tuple[str | None, ...]


class PointWindows:
    """Aggregates one field of one measurement over one grid of windows."""

    def __init__(self, measurement: MeasurementPlan, field: FieldPlan, grid: Grid, stamp: Stamp = Stamp.STOP) -> None:
        assert field.fn is not None
        self._measurement = measurement
        self._field = field
        self._fn = field.fn
        self._grid = grid
        self._stamp = stamp
        self._computed = field.types[0] if len(field.types) == 1 and field.types[0].numeric else FieldType.FLOAT
        self._series: dict[Tags, int] = {}

    def frames(self, raw: Iterator[Block]) -> Block:
        """The rows of the windows, a frame for each result type. Series are sorted by their tags, absent ones first."""
        keeps_type = self._fn in (Fn.FIRST, Fn.LAST)
        value = VALUE_TYPES[self._computed]
        if keeps_type:
            value = pa.struct([(field_type.value, VALUE_TYPES[field_type]) for field_type in FieldType])
        bits = [("bits", pa.int64())] if self._fn is Fn.M4 else []
        schema = pa.schema([("series", pa.int32()), ("time", pa.int64()), ("value", value), *bits])
        taken = [VALUE_TYPES[field_type] for field_type in self._field.types]
        frames = (frame for block in raw for frame in block if long_form.values(frame).type in taken)
        table = self._aggregated((self._batch(frame, schema, keeps_type) for frame in frames), schema)
        if not table.num_rows:
            return ()
        if keeps_type:
            return self._by_type(table)
        output, series = self._field.output[0], column(table, "series")
        if self._fn is Fn.M4:
            points = points_of(table, output, are_bits=True)
            return (self._frame(output, series.take(points.rows), points.times, points.values),)
        values = values_of(table, self._fn, self._computed, output)
        return (self._frame(output, series, self._times(table), values),)

    def _aggregated(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        """DuckDB's result for the points. An error of the read is raised itself, not DuckDB's error about it."""
        broken: list[Exception] = []

        def watched() -> Iterator[pa.RecordBatch]:
            try:
                yield from batches
            except Exception as error:
                broken.append(error)
                raise

        points = pa.RecordBatchReader.from_batches(schema, watched())
        with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as engine:
            engine.register("points", points)
            try:
                text, bound = self._query()
                return self._sorted(engine.sql(text, params=bound).to_arrow_table()).combine_chunks()
            except duckdb.Error as error:
                if broken:
                    raise broken[0] from None
                finding = f"The windows of {self._field.name!r} could not be computed ({error})."
                raise StoreFailed(f"{finding} Read a shorter range or longer windows.") from error

    def _sorted(self, table: pa.Table) -> pa.Table:
        """The rows by series and time, when `table` has them by the number of the series and time."""
        by_tags = sorted(self._series, key=lambda tags: [(tag is not None, tag or "") for tag in tags])
        if by_tags == list(self._series):
            return table
        new_numbers = {tags: number for number, tags in enumerate(by_tags)}
        renumbered = np.array([new_numbers[tags] for tags in self._series], np.int32)
        self._series = new_numbers
        numbers = renumbered[table.column("series").to_numpy()]
        table = table.set_column(0, "series", pa.array(numbers))
        return table.take(pa.array(np.argsort(numbers, kind="stable")))

    def _query(self) -> tuple[str, dict[str, int]]:
        place, bound = place_of(Bins(self._grid, 1))
        columns = f"series, {place} AS place, {columns_of(self._fn, self._computed)}"
        text = f"SELECT {columns} FROM points GROUP BY ALL ORDER BY series, place"  # noqa: S608  (no caller's text)
        return text, bound

    def _batch(self, frame: pa.RecordBatch, schema: pa.Schema, keeps_type: bool) -> pa.RecordBatch:
        times, values = pa.array(long_form.times_ns(frame)), long_form.values(frame)
        if keeps_type:
            members, rows = list(schema.field("value").type), len(values)
            columns = [values if member.type == values.type else pa.nulls(rows, member.type) for member in members]
            values = pa.StructArray.from_arrays(columns, fields=members)
        elif self._fn is Fn.COUNT:
            values = pa.repeat(pa.scalar(0, VALUE_TYPES[self._computed]), len(values))
        elif values.type != VALUE_TYPES[self._computed]:
            values = values.cast(VALUE_TYPES[self._computed], safe=False)
        bits = [values.view(pa.int64())] if self._fn is Fn.M4 else []
        return pa.RecordBatch.from_arrays([self._numbers(frame), times, values, *bits], schema=schema)

    def _numbers(self, frame: pa.RecordBatch) -> pa.Array:
        """The number of each row's series."""
        labels = long_form.tags(frame)
        if not labels:
            return pa.repeat(pa.scalar(self._series.setdefault((), 0), pa.int32()), frame.num_rows)
        combinations = combine(labels)
        each = zip(*texts_of(labels, combinations), strict=True)
        numbers = np.array([self._series.setdefault(tags, len(self._series)) for tags in each], np.int32)
        return pa.array(numbers[combinations.rows(frame.num_rows)])

    def _by_type(self, table: pa.Table) -> Block:
        """Rows whose values have several types: in frames of one type, the times of each series ascending."""
        all_values = column(table, "value")
        frames, series = [], []
        for field_type in self._field.output:
            values = all_values.field(field_type.value)
            valid = values.is_valid()
            rows = table.filter(valid)
            if rows.num_rows:
                numbers = column(rows, "series")
                frames.append(self._frame(field_type, numbers, self._times(rows), values.filter(valid)))
                series.append(numbers.to_numpy())
        return ascending(frames, series)

    def _times(self, table: pa.Table) -> pa.Array:
        if self._stamp is Stamp.POINT:
            return column(table, "at_ns")
        return window_times(column(table, "place"), self._grid, self._stamp)

    def _frame(self, field_type: FieldType, series: pa.Array, times: pa.Array, values: pa.Array) -> pa.RecordBatch:
        keys = self._measurement.tags
        texts = [pa.array([tags[place] for tags in self._series], pa.string()) for place in range(len(keys))]
        tags = [text.dictionary_encode().take(series) for text in texts]  # an absent tag is a null code, not a text
        rows = len(values)
        fixed = [times.view(TIME), values, constant_codes(self._field.name, rows)]
        columns = [*fixed, constant_codes(self._measurement.name, rows), *tags]
        return pa.RecordBatch.from_arrays(columns, schema=long_schema(field_type, keys))
