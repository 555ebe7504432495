"""The rows of a read's Arrow stream as frames of numbers, batch by batch while they come."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa

from service.frames.frame import FIELD_TYPES, TEXT_CODES, TIME, long_schema
from service.frames.row_series import series_of

_FIELD = "_field"
_MOST_LEFT_OUT = 1000


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces, as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed has a private protocol
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class NumberFrames:
    """The numbers of a long answer in `format=arrow`, as frames in long form; texts and booleans are left out.

    A frame may hold several measurements. `left_out`: measurement and field of those that are no numbers, at most a
    thousand.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.left_out: dict[tuple[str, str], None] = {}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Raises ArrowInvalid or OSError for an answer that is not whole."""
        with pa.ipc.open_stream(io.BufferedReader(_Pieces(self._pieces))) as stream:
            for batch in stream:
                yield from self._frames(batch)

    def _frames(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Time, values of each type, field and measurement stand first, in this order; tags follow."""
        field_at = batch.schema.names.index(_FIELD)
        tags = batch.schema.names[field_at + 2 :]
        for column in range(1, field_at):
            rows = batch.filter(batch.column(column).is_valid())
            field_type = FIELD_TYPES[rows.column(column).type]
            labels = [rows.column(at).dictionary_encode().cast(TEXT_CODES) for at in range(field_at, rows.num_columns)]
            arrays = [rows.column(0).cast(TIME), rows.column(column), *labels]
            frame = pa.RecordBatch.from_arrays(arrays, schema=long_schema(field_type, tuple(tags)))
            if field_type.numeric:
                yield frame
            else:
                self._leave_out(frame)

    def _leave_out(self, frame: pa.RecordBatch) -> None:
        for series in series_of(frame)[0] if frame.num_rows else ():
            if len(self.left_out) < _MOST_LEFT_OUT:
                self.left_out[series.measurement, series.field] = None
