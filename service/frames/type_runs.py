"""Puts rows in order whose field changed its type, so that they stand in one frame for each type.

A series lies in several such frames. They are cut where its type changes, and the times of each series ascend from
frame to frame, as `service.frames.frame` promises.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.frames import long_form
from service.frames.frame import Block

Ints = npt.NDArray[np.int64]
Series = npt.NDArray[np.int32]


def ascending(frames: Sequence[pa.RecordBatch], series: Sequence[Series]) -> Block:
    """The rows of `frames` in frames in which, and from which to the next, the times of each series ascend.

    `series` numbers the series of each row of each frame, by the same numbers in all frames. Inside a frame the times
    of a series ascend. No frame that comes out holds rows of two of `frames`. The series that changes its type most
    often decides how many come out. A single frame comes out as it is, also one without rows.
    """
    if len(frames) < 2:
        return tuple(frames)
    of_frame = np.repeat(np.arange(len(frames)), [frame.num_rows for frame in frames])
    row = np.concatenate([np.arange(frame.num_rows) for frame in frames])
    numbers = np.concatenate(series)
    times = np.concatenate([long_form.times_ns(frame) for frame in frames])
    order = np.lexsort((times, numbers))
    runs = _runs(numbers[order], of_frame[order]) * len(frames) + of_frame[order]
    return tuple(_piece(frames[of_frame[rows[0]]], np.sort(row[rows])) for rows in _grouped(order, runs))


def _runs(series: Series, of_frame: Ints) -> Ints:
    """For each row, how often its series went from frame to frame before it. Rows are sorted by series, then time."""
    is_first = np.ones(len(series), np.bool_)
    is_first[1:] = series[1:] != series[:-1]
    changed = np.zeros(len(series), np.int64)
    changed[1:] = (of_frame[1:] != of_frame[:-1]) & ~is_first[1:]
    changes = np.cumsum(changed)
    runs: Ints = changes - changes[is_first][np.cumsum(is_first) - 1]
    return runs


def _grouped(rows: Ints, keys: Ints) -> Iterator[Ints]:
    """`rows` with the same key, the least key first."""
    by_key = np.argsort(keys, kind="stable")
    yield from np.split(rows[by_key], np.flatnonzero(np.diff(keys[by_key])) + 1) if len(rows) else ()


def _piece(frame: pa.RecordBatch, rows: Ints) -> pa.RecordBatch:
    return frame if len(rows) == frame.num_rows else frame.take(pa.array(rows))
