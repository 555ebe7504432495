"""The columns of a frame in long form, by name. `service.frames.frame` says what each of them holds.

Columns go by position, because a tag may be named like a fixed column. The positions stand here alone.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_TIME, _VALUE, _FIELD, _MEASUREMENT, _FIRST_TAG = range(5)


def times(frame: pa.RecordBatch) -> pa.TimestampArray:
    """The time of each row."""
    return frame.column(_TIME)


def times_ns(frame: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The time of each row in nanoseconds since 1970, without a copy."""
    nanoseconds: npt.NDArray[np.int64] = frame.column(_TIME).view(pa.int64()).to_numpy()
    return nanoseconds


def values(frame: pa.RecordBatch) -> pa.Array:
    """The value of each row, in the Arrow type of the frame's values."""
    return frame.column(_VALUE)


def fields(frame: pa.RecordBatch) -> pa.DictionaryArray:
    """The field of each row."""
    return frame.column(_FIELD)


def measurements(frame: pa.RecordBatch) -> pa.DictionaryArray:
    """The measurement of each row, the same in all of them."""
    return frame.column(_MEASUREMENT)


def measurement(frame: pa.RecordBatch) -> str:
    """The one measurement of a frame that has rows."""
    name: str = frame.column(_MEASUREMENT)[0].as_py()
    return name


def tag_keys(frame: pa.RecordBatch) -> list[str]:
    """The tag keys of the frame, sorted."""
    names: list[str] = frame.schema.names[_FIRST_TAG:]
    return names


def tags(frame: pa.RecordBatch) -> list[pa.DictionaryArray]:
    """A column for each of `tag_keys`, null where the tag is absent."""
    columns: list[pa.DictionaryArray] = frame.columns[_FIRST_TAG:]
    return columns


def labels(frame: pa.RecordBatch) -> list[pa.DictionaryArray]:
    """What names the series of each row: field, measurement, then `tags`."""
    columns: list[pa.DictionaryArray] = frame.columns[_FIELD:]
    return columns


def with_values(frame: pa.RecordBatch, new_values: pa.Array) -> pa.RecordBatch:
    """The same rows with other values, whose type becomes that of the frame."""
    schema = frame.schema.set(_VALUE, frame.schema.field(_VALUE).with_type(new_values.type))
    return pa.RecordBatch.from_arrays([times(frame), new_values, *labels(frame)], schema=schema)


def with_fields(frame: pa.RecordBatch, new_fields: pa.DictionaryArray) -> pa.RecordBatch:
    """The same rows under other field names."""
    columns = [times(frame), values(frame), new_fields, measurements(frame), *tags(frame)]
    return pa.RecordBatch.from_arrays(columns, schema=frame.schema)


def present_measurements(frames: Iterable[pa.RecordBatch]) -> set[str]:
    """The measurements of those frames that have rows."""
    return {measurement(frame) for frame in frames if frame.num_rows}
