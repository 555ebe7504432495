"""Cuts the frames of a window into batches of at most so many values, in the order of the source."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from service.domain.timerange import TimeRange
from service.upstream.protocol import Batch


def batches(window: TimeRange, frames: Iterable[pa.RecordBatch], most: int) -> Iterator[Batch]:
    """The batches of `window`. Each but the last has exactly `most` values, so equal data give equal batches."""
    number, pieces, rows = 0, list[pa.RecordBatch](), 0
    for frame in frames:
        offset = 0
        while offset < frame.num_rows:
            piece = frame.slice(offset, most - rows)
            offset, rows = offset + piece.num_rows, rows + piece.num_rows
            pieces.append(piece)
            if rows == most:
                yield Batch(window, number, tuple(pieces))
                number, pieces, rows = number + 1, [], 0
    if pieces:
        yield Batch(window, number, tuple(pieces))
