"""Rows of sensor, value and time, by columns, as long frames: one measurement, the tag `sensor`, one field."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter, QueryRefused
from service.frames.frame import FIELD_TYPES, TEXT_CODES, constant_codes, long_schema
from service.frames.ordering import descents
from service.sources.sql_text import SqlDefinition, ValueType
from service.sources.sql_times import Bounds, TimeForm, instants, shown_times
from service.sources.sql_values import TypedValues, WrongValue, typed_values

SENSOR_TAG = "sensor"


@dataclass(frozen=True)
class RowBatch:
    """Columns of equal length. `values` has one type; `sensors` are texts, or dictionary-encoded texts.

    `values_are_numbers`: its texts are decimals, which are read exactly.
    """

    sensors: pa.Array
    values: pa.Array
    values_are_numbers: bool
    times: pa.Array


class RowFrames:
    """Turns the rows of one window into frames, in their order. It checks each row, and counts values that are null.

    Raises QueryRefused for a row that cannot be sent, InvalidParameter for what the configuration has to change.
    """

    def __init__(self, definition: SqlDefinition, form: TimeForm, window: TimeRange, asked: Bounds) -> None:
        self._definition = definition
        self._form = form
        self._window = window
        self._asked = asked
        self._last_ns = -(2**63)
        self.nulls = 0

    def frames(self, batch: RowBatch) -> Iterator[pa.RecordBatch]:
        """The rows of `batch` that lie in the window."""
        if not len(batch.times):
            return
        self._refuse_null(batch)
        shown, is_utc = shown_times(batch.times, self._form, self._definition)
        if self._definition.query is not None:
            self._check_asked(batch, shown.view(pa.int64()).to_numpy())
        times = instants(shown, is_utc, self._definition)
        yield from self._in_window(batch, times)

    def check(self, batch: RowBatch) -> None:
        """Refuse rows that could not be sent. They may come from any time, and in any order."""
        if len(batch.times):
            self._refuse_null(batch)
            shown, is_utc = shown_times(batch.times, self._form, self._definition)
            times, present = instants(shown, is_utc, self._definition), batch.values.is_valid()
            for _ in self._typed(batch, *(column.filter(present) for column in (times, batch.sensors, batch.values))):
                pass

    def _in_window(self, batch: RowBatch, times: pa.Array) -> Iterator[pa.RecordBatch]:
        times_ns = times.view(pa.int64()).to_numpy()
        self._check_order(batch, times_ns)
        keep = pa.array((times_ns >= self._window.start_ns) & (times_ns < self._window.stop_ns))
        present = pc.and_(keep, batch.values.is_valid())
        self.nulls += pc.sum(keep).as_py() - pc.sum(present).as_py()
        sensors, values = batch.sensors, batch.values
        if not pc.all(present).as_py():
            times, sensors, values = (column.filter(present) for column in (times, sensors, values))
        if not len(times):
            return
        codes = sensors if sensors.type == TEXT_CODES else sensors.cast(pa.string()).dictionary_encode()
        for part in self._typed(batch, times, codes, values):
            yield self._frame(part, times, codes)

    def _typed(self, batch: RowBatch, times: pa.Array, sensors: pa.Array, values: pa.Array) -> Iterator[TypedValues]:
        try:
            yield from typed_values(values, self._value_type(batch))
        except WrongValue as wrong:
            time, sensor = format_time(times[wrong.row].value), sensors[wrong.row].as_py()
            member = self._definition.member("value_type")
            what = f"The value of the sensor {sensor!r} at {time} {wrong.reason}."
            raise QueryRefused(
                f"{what} Nothing after it is read. Correct the row, or change {member} or the query."
            ) from None

    def _frame(self, part: TypedValues, times: pa.Array, codes: pa.DictionaryArray) -> pa.RecordBatch:
        rows = len(part.values)
        times, codes = times.slice(part.first_row, rows), codes.slice(part.first_row, rows)
        schema = long_schema(FIELD_TYPES[part.values.type], (SENSOR_TAG,))
        names = (constant_codes(name, rows) for name in (self._definition.field, self._definition.measurement))
        return pa.RecordBatch.from_arrays([times, part.values, *names, codes], schema=schema)

    def _value_type(self, batch: RowBatch) -> ValueType | None:
        return self._definition.value_type or (ValueType.NUMBER if batch.values_are_numbers else None)

    def _check_asked(self, batch: RowBatch, shown_ns: npt.NDArray[np.int64]) -> None:
        """A query that gives rows outside its binds would give some rows in no window, or in two."""
        outside = np.flatnonzero((shown_ns < self._asked.low_ns) | (shown_ns >= self._asked.high_ns))
        if len(outside):
            time_ns, sensor = int(shown_ns[outside[0]]), batch.sensors[int(outside[0])].as_py()
            asked = f"[{format_time(self._asked.low_ns)}, {format_time(self._asked.high_ns)})"
            column = self._definition.columns.timestamp
            raise InvalidParameter(
                self._definition.member("query"),
                f"The database gave a row outside the window {asked}: the sensor {sensor!r} at {format_time(time_ns)}, "
                f"as the column {column!r} shows it. Write >= :start_time and < :end_time about that column.",
            )

    def _check_order(self, batch: RowBatch, times_ns: npt.NDArray[np.int64]) -> None:
        back = descents(times_ns, self._last_ns)
        if len(back):
            row = int(back[0])
            raise InvalidParameter(
                self._definition.member("query" if self._definition.query else "timestamp_column"),
                f"The rows are not in the order of their times: the sensor {batch.sensors[row].as_py()!r} at "
                f"{format_time(int(times_ns[row]))} comes after a later one. End the query with ORDER BY "
                f"{self._definition.columns.timestamp}; texts of times need one form in all rows.",
            )
        self._last_ns = int(times_ns[-1])

    def _refuse_null(self, batch: RowBatch) -> None:
        if batch.times.null_count:
            row = pc.index(batch.times.is_null(), pa.scalar(True)).as_py()
            sensor = batch.sensors[row].as_py()
            raise QueryRefused(
                f"A row of the sensor {sensor!r} has no time.", advice="Leave such rows out of the query."
            )
        nameless = _first(batch.sensors.is_null())
        if nameless is None:
            texts = batch.sensors.dictionary if pa.types.is_dictionary(batch.sensors.type) else batch.sensors
            if pc.any(pc.equal(pc.utf8_length(texts.cast(pa.string())), 0)).as_py():
                nameless = _first(pc.equal(pc.utf8_length(batch.sensors.cast(pa.string())), 0))
        if nameless is not None:
            time, column = batch.times[nameless].as_py(), self._definition.columns.sensor
            raise QueryRefused(
                f"The row at {time} has no sensor: the column {column!r} is empty there.",
                advice="Nothing after it is read. Name the sensor of the row, or select rows that have one.",
            )


def _first(is_wanted: pa.BooleanArray) -> int | None:
    row: int = pc.index(is_wanted, pa.scalar(True)).as_py()
    return None if row < 0 else row
