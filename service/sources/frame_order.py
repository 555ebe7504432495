"""Frames in one order, however a store gave them: by measurement, field, tags and time.

A store may answer in pieces, and in an order of its own. What is sent upstream has to be cut alike each time, so that
a repeat has the same key.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.frames import long_form
from service.frames.type_runs import ascending


def in_order(frames: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of `frames`, as one frame per measurement, set of tags and type of value.

    Where a field has several types, there are more frames, so that the times of each series ascend all the same.
    """
    by_measurement: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for frame in frames:
        if frame.num_rows:
            by_measurement[long_form.measurement(frame)].append(frame)
    for _, alike in sorted(by_measurement.items()):
        by_schema: dict[str, list[pa.RecordBatch]] = defaultdict(list)
        for frame in alike:
            by_schema[str(frame.schema)].append(frame)
        ordered = [_sorted(parts) for _, parts in sorted(by_schema.items())]
        yield from ascending(ordered, _series(ordered)) if _share_fields(ordered) else ordered


def _share_fields(frames: Sequence[pa.RecordBatch]) -> bool:
    """Whether a field is in more than one of `frames`."""
    names = [name for frame in frames for name in pc.unique(long_form.fields(frame)).to_pylist()]
    return len(names) > len(set(names))


def _series(frames: Sequence[pa.RecordBatch]) -> list[npt.NDArray[np.int32]]:
    """The number of the series of each row of each frame, by the same numbers in all of them."""
    keys = sorted({key for frame in frames for key in long_form.tag_keys(frame)})
    names = [[long_form.fields(frame), *(_tag(frame, key) for key in keys)] for frame in frames]
    columns = [
        _ranks(pa.concat_arrays([part.cast(pa.string()) for part in parts])) for parts in zip(*names, strict=True)
    ]
    _, numbers = np.unique(np.stack(columns), axis=1, return_inverse=True)
    ends = np.cumsum([frame.num_rows for frame in frames])[:-1]
    return [part.astype(np.int32) for part in np.split(numbers.reshape(-1), ends)]


def _tag(frame: pa.RecordBatch, key: str) -> pa.Array:
    keys = long_form.tag_keys(frame)
    return long_form.tags(frame)[keys.index(key)] if key in keys else pa.nulls(frame.num_rows, pa.string())


def _sorted(frames: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One frame of frames of one schema, by field, tags and time."""
    table = pa.Table.from_batches(frames)
    joined = table.unify_dictionaries().combine_chunks() if len(frames) > 1 else table
    frame = joined.to_batches()[0]
    keys = [_ranks(column) for column in (long_form.fields(frame), *long_form.tags(frame))]
    keys.append(long_form.times_ns(frame))
    if _is_sorted(keys):
        return frame
    return frame.take(pa.array(np.lexsort(keys[::-1])))


def _ranks(column: pa.Array) -> npt.NDArray[np.int64]:
    """For each row the place of its text among the texts of the column; -1 where it is absent."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    order = pc.array_sort_indices(column.dictionary).to_numpy()
    places = np.empty(len(order) + 1, np.int64)
    places[order] = np.arange(len(order))
    places[-1] = -1
    ranks: npt.NDArray[np.int64] = places[column.indices.fill_null(len(order)).to_numpy(zero_copy_only=False)]
    return ranks


def _is_sorted(keys: Sequence[npt.NDArray[np.int64]]) -> bool:
    """Whether the rows ascend by the first key, then by the second, and so on."""
    undecided = np.ones(max(len(keys[0]) - 1, 0), bool)
    for key in keys:
        before, after = key[:-1], key[1:]
        if (after < before)[undecided].any():
            return False
        undecided &= after == before
    return True
