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


def in_order(frames: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of `frames`, as one frame per measurement, set of tags and type of value.

    Where a field has several types, its rows come by themselves, type after type, by the first time of each.
    """
    by_measurement: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for frame in frames:
        if frame.num_rows:
            by_measurement[long_form.measurement(frame)].append(frame)
    for _, alike in sorted(by_measurement.items()):
        yield from _measurement_in_order(alike)


def _measurement_in_order(frames: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    types: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        for name in pc.unique(long_form.fields(frame)).to_pylist():
            types[name].add(str(long_form.values(frame).type))
    several = sorted(name for name, kinds in types.items() if len(kinds) > 1)
    groups: dict[tuple[str, pa.Schema], list[pa.RecordBatch]] = defaultdict(list)
    for frame in frames:
        for name, part in _by_field(frame, several):
            groups[name, str(part.schema)].append(part)
    firsts = {key: min(int(long_form.times_ns(part).min()) for part in parts) for key, parts in groups.items()}
    for key in sorted(groups, key=lambda key: (key[0], firsts[key], key[1])):
        yield _sorted(groups[key])


def _by_field(frame: pa.RecordBatch, names: Sequence[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of each of the fields `names` by themselves, and all other rows under ''."""
    if not names:
        yield "", frame
        return
    fields = long_form.fields(frame).cast(pa.string())
    for name in names:
        part = frame.filter(pc.equal(fields, name))
        if part.num_rows:
            yield name, part
    rest = frame.filter(pc.invert(pc.is_in(fields, pa.array(names, pa.string()))))
    if rest.num_rows:
        yield "", rest


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


def _ranks(column: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """For each row the place of its text among the texts of the column; -1 where it is absent."""
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
        steps = np.diff(key)
        if (steps[undecided] < 0).any():
            return False
        undecided &= steps == 0
    return True
