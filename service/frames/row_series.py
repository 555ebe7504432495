"""Which field series the rows of a long frame belong to."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import FieldSeries, SeriesKey
from service.frames import long_form
from service.frames.frame import value_type
from service.frames.label_combinations import combine, texts_of


def series_of(frame: pa.RecordBatch) -> tuple[list[FieldSeries], npt.NDArray[np.int64]]:
    """The field series of a long frame, and for each row the index of its field series."""
    labels = long_form.labels(frame)
    combinations = combine(labels)
    keys = long_form.tag_keys(frame)
    field_type = value_type(frame)
    fields, measurements, *tags = texts_of(labels, combinations)
    series = [
        FieldSeries(
            SeriesKey(
                str(measurements[index]),
                tuple((key, text) for key, tag in zip(keys, tags, strict=True) if (text := tag[index]) is not None),
            ),
            str(fields[index]),
            field_type,
        )
        for index in range(len(fields))
    ]
    return series, combinations.rows(frame.num_rows)


def series_times(frame: pa.RecordBatch) -> Iterator[tuple[FieldSeries, int]]:
    """The field series and the time (ns) of each row of a long frame."""
    series, of_row = series_of(frame)
    for number, time_ns in zip(of_row.tolist(), long_form.times_ns(frame).tolist(), strict=True):
        yield series[number], time_ns
