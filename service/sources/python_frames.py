"""Tables of a Python source as long frames, each checked: columns, types, times in the window and in order."""

from collections.abc import Iterator
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.timerange import TimeRange, format_time
from service.errors import QueryRefused
from service.frames.frame import FIELD_TYPES, TEXT_CODES, TIME, long_schema
from service.frames.ordering import descents

_TIME, _VALUE, _MEASUREMENT, _FIELD = "time", "value", "measurement", "field"
_DEFAULT_FIELD = "value"


class FrameMaker:
    """The frames of one window. `name`: of the source, and of its measurement where rows name none.

    Raises QueryRefused for rows that are not what `PythonSource.read` promises; it says what is wrong with them.
    """

    def __init__(self, window: TimeRange, name: str) -> None:
        self._window = window
        self._name = name
        self._last_ns = window.start_ns

    def frames(self, rows: pa.RecordBatch | pa.Table) -> Iterator[pa.RecordBatch]:
        """One frame per measurement of the rows."""
        if not isinstance(rows, (pa.RecordBatch, pa.Table)):
            self._refuse(f"gave a {type(rows).__name__}, and no pyarrow Table or RecordBatch")
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        if not table.num_rows:
            return
        columns = self._columns(table)
        self._check_times(columns[_TIME])
        tags = tuple(sorted(name for name in columns if name not in (_TIME, _VALUE, _MEASUREMENT, _FIELD)))
        schema = long_schema(FIELD_TYPES[columns[_VALUE].type], tags)
        ordered = [columns[name] for name in (_TIME, _VALUE, _FIELD, _MEASUREMENT, *tags)]
        frame = pa.RecordBatch.from_arrays(ordered, schema=schema)
        measurements = pc.unique(columns[_MEASUREMENT]).to_pylist()
        for measurement in sorted(measurements):
            is_wanted = pc.equal(columns[_MEASUREMENT].cast(pa.string()), measurement)
            yield frame if len(measurements) == 1 else frame.filter(is_wanted)

    def _columns(self, table: pa.Table) -> dict[str, pa.Array]:
        names = table.column_names
        if len(set(names)) < len(names):
            self._refuse("gave a table with two columns of the same name")
        missing = [name for name in (_TIME, _VALUE) if name not in names]
        if missing:
            self._refuse(f"gave a table without the column {missing[0]!r}; it has {', '.join(map(repr, names[:20]))}")
        columns = {name: _one_array(table.column(name)) for name in names}
        columns[_TIME] = self._times(columns[_TIME])
        columns[_VALUE] = self._values(columns[_VALUE])
        for name, default in ((_MEASUREMENT, self._name), (_FIELD, _DEFAULT_FIELD)):
            columns.setdefault(name, pa.array([default], pa.string()).take(pa.array(np.zeros(table.num_rows, int))))
        for name, column in columns.items():
            if name not in (_TIME, _VALUE):
                columns[name] = self._texts(name, column)
        return columns

    def _times(self, times: pa.Array) -> pa.Array:
        if not pa.types.is_timestamp(times.type) or times.type.tz is None:
            self._refuse(f"gave times of the type {times.type}; they are timestamps with a zone, such as UTC")
        if times.null_count:
            self._refuse("gave a row without a time")
        try:
            return times.cast(TIME)
        except pa.ArrowInvalid:
            return self._refuse("gave times outside 1677 to 2262, which InfluxDB cannot store")

    def _values(self, values: pa.Array) -> pa.Array:
        if values.null_count:
            self._refuse("gave a row without a value; leave such rows out")
        for check, wanted in (
            (pa.types.is_uint64, pa.uint64()),
            (pa.types.is_integer, pa.int64()),
            (pa.types.is_floating, pa.float64()),
            (pa.types.is_boolean, pa.bool_()),
            (pa.types.is_string, pa.string()),
            (pa.types.is_large_string, pa.string()),
        ):
            if check(values.type):
                return values.cast(wanted)
        return self._refuse(f"gave values of the type {values.type}; they are numbers, booleans or texts")

    def _texts(self, name: str, texts: pa.Array) -> pa.DictionaryArray:
        plain = texts.cast(texts.type.value_type) if pa.types.is_dictionary(texts.type) else texts
        if not (pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type) or pa.types.is_null(plain.type)):
            self._refuse(f"gave the column {name!r} with the type {texts.type}; measurement, field and tags are texts")
        plain = plain.cast(pa.string())
        if name in (_MEASUREMENT, _FIELD) and plain.null_count:
            self._refuse(f"gave a row without a {name}")
        if pc.any(pc.equal(plain, "")).as_py():
            self._refuse(f"gave an empty text in the column {name!r}; write null where a tag is absent")
        return plain.dictionary_encode().cast(TEXT_CODES)

    def _check_times(self, times: pa.Array) -> None:
        times_ns = times.view(pa.int64()).to_numpy()
        outside = np.flatnonzero((times_ns < self._window.start_ns) | (times_ns >= self._window.stop_ns))
        if len(outside):
            window = f"[{format_time(self._window.start_ns)}, {format_time(self._window.stop_ns)})"
            self._refuse(f"gave a row at {format_time(int(times_ns[outside[0]]))}, outside the window {window}")
        back = descents(times_ns, self._last_ns)
        if len(back):
            self._refuse(
                f"gave a row at {format_time(int(times_ns[back[0]]))} after a later one; the oldest come first"
            )
        self._last_ns = int(times_ns[-1])

    def _refuse(self, finding: str) -> NoReturn:
        raise QueryRefused(
            f"The Python source {self._name!r} {finding}.",
            advice="Nothing of this table is sent. Correct the class (docs/sources.md).",
        )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
