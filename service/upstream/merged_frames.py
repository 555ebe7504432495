"""Joins small frames, because each costs as much as thousands of values."""

from collections.abc import Sequence

import pyarrow as pa

from service.frames import long_form

_SMALL_ROWS = 2_000


def merged(frames: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows in few frames: small ones of one measurement, type and set of tags are joined in their order.

    Within a series the order stays, as it does for a frame that no other goes with.
    """
    groups: dict[tuple[object, ...], list[pa.RecordBatch]] = {}
    for frame in frames:
        if frame.num_rows:
            key = (long_form.values(frame).type, *frame.schema.names, long_form.measurement(frame))
            groups.setdefault(key, []).append(frame)
    return [joined for group in groups.values() for joined in _joined(group)]


def _joined(group: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    rows = sum(frame.num_rows for frame in group)
    if len(group) == 1 or rows >= _SMALL_ROWS * len(group):
        return group
    joined: list[pa.RecordBatch] = pa.Table.from_batches(group).unify_dictionaries().combine_chunks().to_batches()
    return joined
