"""Rows of windows as frames: cut to ranges, brought to the columns of a plan, joined, and split into blocks."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from service.domain.selection import Stamp
from service.domain.timerange import TimeRange
from service.frames import long_form
from service.frames.frame import TEXT_CODES, long_schema, value_type

Frames = list[pa.RecordBatch]


class OtherColumns(Exception):
    """Rows have a tag, or are of a measurement, that the plan does not know."""

    reason = "schema-changing"


class Unordered(Exception):
    """Rows whose order in the store's own answer nobody can tell."""

    reason = "order"


def cut(frame: pa.RecordBatch, ranges: Sequence[TimeRange], stamp: Stamp) -> pa.RecordBatch:
    """The rows whose windows lie in `ranges`. With the stop of its window as time, a row belongs to what ends there."""
    times = long_form.times_ns(frame)
    wanted = np.zeros(len(times), np.bool_)
    shift_ns = 1 if stamp is Stamp.STOP else 0
    for span in ranges:
        wanted |= (times >= span.start_ns + shift_ns) & (times < span.stop_ns + shift_ns)
    return frame if wanted.all() else frame.filter(pa.array(wanted))


def joined(frames: Iterable[pa.RecordBatch], tags: Mapping[str, tuple[str, ...]]) -> Frames:
    """The rows in one frame per measurement and type, with the tag columns that `tags` has for each measurement.

    Raises OtherColumns: a row has another tag.
    """
    groups: dict[tuple[str, str], Frames] = {}
    for frame in frames:
        if frame.num_rows:
            name = long_form.measurement(frame)
            if name not in tags:
                raise OtherColumns
            groups.setdefault((name, value_type(frame)), []).append(_conformed(frame, tags[name]))
    return [_one(group) for group in groups.values()]


def split(frame: pa.RecordBatch, blocks: Sequence[TimeRange], stamp: Stamp) -> dict[int, pa.RecordBatch]:
    """The rows of each of `blocks`, which ascend without gaps, by its place. Rows outside all blocks are left out."""
    edges = np.array([blocks[0].start_ns, *(block.stop_ns for block in blocks)])
    places = np.searchsorted(edges, long_form.times_ns(frame), "left" if stamp is Stamp.STOP else "right") - 1
    order = np.argsort(places, kind="stable")
    bounds = np.searchsorted(places[order], np.arange(len(blocks) + 1))
    ordered = frame.take(pa.array(order))
    sizes = np.diff(bounds)
    return {
        int(place): _compact(ordered.slice(int(bounds[place]), int(sizes[place]))) for place in np.flatnonzero(sizes)
    }


def has_line_end(frames: Iterable[pa.RecordBatch]) -> bool:
    """Whether a tag holds a line end. InfluxDB is asked for such rows in another way, which has another order."""
    columns = (column for frame in frames for column in long_form.tags(frame))
    return any("\n" in text or "\r" in text for column in columns for text in column.dictionary.to_pylist() if text)


def _conformed(frame: pa.RecordBatch, keys: tuple[str, ...]) -> pa.RecordBatch:
    present = dict(zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True))
    if tuple(present) == keys:
        return frame
    if any(key not in keys and column.null_count < len(column) for key, column in present.items()):
        raise OtherColumns
    absent = pa.DictionaryArray.from_arrays(pa.nulls(frame.num_rows, pa.int32()), pa.array([], pa.string()))
    columns = [*frame.columns[:4], *(present.get(key, absent) for key in keys)]
    return pa.RecordBatch.from_arrays(columns, schema=long_schema(value_type(frame), keys))


def _one(frames: Frames) -> pa.RecordBatch:
    if len(frames) == 1:
        return frames[0]
    (batch,) = pa.Table.from_batches(frames).unify_dictionaries().combine_chunks().to_batches()
    return batch


def _compact(frame: pa.RecordBatch) -> pa.RecordBatch:
    """The frame with no more texts in a dictionary than it has rows: a small block does not carry those of all."""
    columns = [
        column.cast(pa.string()).dictionary_encode().cast(TEXT_CODES)
        if column.type == TEXT_CODES and len(column.dictionary) > max(len(column), 64)
        else column
        for column in frame.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=frame.schema)
