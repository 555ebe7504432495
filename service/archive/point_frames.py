"""Parsed points as frames, so that what a file holds is digested like what a store sent."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from service.domain.series import FieldSeries
from service.frames.frame import TIME, long_schema
from service.frames.label_combinations import rows_by_code
from service.frames.points import Points, ValueColumn


def frames_of(points: Points) -> Iterator[pa.RecordBatch]:
    """Every value of `points` in long frames. A field that is named twice at one time has both values in them."""
    measurements: dict[str, int] = {}
    numbers = np.array([measurements.setdefault(key.measurement, len(measurements)) for key in points.keys], np.int64)
    for column in points.columns:
        for rows in rows_by_code(numbers[column.keys]):
            yield _frame(points, column, rows)


def _frame(points: Points, column: ValueColumn, rows: "np.typing.NDArray[np.int64]") -> pa.RecordBatch:
    used, codes = np.unique(column.keys[rows], return_inverse=True)
    keys = [points.keys[number] for number in used.tolist()]
    tags = tuple(sorted({tag for key in keys for tag, _ in key.tags}))
    indices = pa.array(codes.astype(np.int32))
    texts = [
        [key.field for key in keys],
        [key.measurement for key in keys],
        *_tag_texts(keys, tags),
    ]
    labels = [pa.DictionaryArray.from_arrays(indices, pa.array(column_texts, pa.string())) for column_texts in texts]
    times = pa.array(points.times_ns[column.lines[rows]]).cast(TIME)
    values = column.values.take(pa.array(rows))
    return pa.RecordBatch.from_arrays([times, values, *labels], schema=long_schema(column.type, tags))


def _tag_texts(keys: list[FieldSeries], tags: tuple[str, ...]) -> Iterator[list[str | None]]:
    by_key = [dict(key.tags) for key in keys]
    for tag in tags:
        yield [texts.get(tag) for texts in by_key]
