"""Writes Parquet, Arrow streams and Arrow files: one schema for the whole answer, with types and nanoseconds.

Labels are plain strings, which every reader understands; an absent value is null. What the writers produce is passed
on at once. At most one Parquet row group, or one Arrow batch, is in memory.
"""

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from service.encoding.columns import Column, Role
from service.encoding.document import Piece
from service.encoding.rows import Rows, split_rows
from service.frames.frame import VALUE_TYPES

TAG_KEY = "fluxgate.tag"
"""In the metadata of a column: the tag key, where the name of the column is another, or could be that of a value."""
_GROUP_ROWS = 131_072
_BATCH_ROWS = 16_384
_HELD_BYTES = 8 * 1024 * 1024


def arrow_schema(columns: Sequence[Column], zone: str) -> pa.Schema:
    """The schema of an answer. Times are in `zone` (IANA)."""
    return pa.schema([_field(column, zone) for column in columns])


def _field(column: Column, zone: str) -> pa.Field:
    if column.role is Role.TIME:
        return pa.field(column.name, pa.timestamp("ns", tz=zone), nullable=False)
    arrow_type = pa.string() if column.type is None else VALUE_TYPES[column.type]
    unclear = column.role is Role.TAG and (column.name != column.source or column.name.startswith("_value"))
    metadata = {TAG_KEY: column.source} if unclear else None
    nullable = not (column.always and column.role is not Role.VALUE)
    return pa.field(column.name, arrow_type, nullable=nullable, metadata=metadata)


def _batch(rows: Rows, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [rows.times.cast(schema.field(0).type)]
    for field in list(schema)[1:]:
        if field.name in rows.labels:
            labels = rows.labels[field.name]
            arrays.append(labels.dictionary.take(labels.indices))
        else:
            arrays.append(rows.values[field.name] if field.name in rows.values else pa.nulls(len(rows), field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _OutputFile:
    """A file for the writers. `take` returns what was written since the last call."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces


class ParquetDocument:
    """Row groups of about 131,072 rows or 8 MiB. Without its end a file has no footer, so no reader opens it."""

    def __init__(self, columns: Sequence[Column], zone: str) -> None:
        self._schema = arrow_schema(columns, zone)
        self._output = _OutputFile()
        texts = [field.name for field in self._schema if pa.types.is_string(field.type)]
        sink = pa.PythonFile(self._output, "w")
        self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd", use_dictionary=texts)
        self._buffer = _BatchBuffer(_GROUP_ROWS)

    def begin(self) -> Iterable[Piece]:
        return self._output.take()

    def write(self, rows: Rows) -> Iterable[Piece]:
        for part in split_rows(rows, _GROUP_ROWS):
            if self._buffer.add(_batch(part, self._schema)):
                yield from self._write_group()

    def flush(self) -> Iterable[Piece]:
        return ()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        yield from self._write_group()
        self._writer.close()
        yield from self._output.take()

    def _write_group(self) -> Iterable[Piece]:
        batches = self._buffer.take()
        if batches:
            self._writer.write_table(pa.Table.from_batches(batches), row_group_size=2 * _GROUP_ROWS)
        return self._output.take()


class ArrowDocument:
    """Writes an IPC stream or an IPC file, as `opened` opens it. When the read breaks off, the end is missing."""

    def __init__(
        self, columns: Sequence[Column], zone: str, opened: Callable[..., pa.ipc.RecordBatchStreamWriter]
    ) -> None:
        self._schema = arrow_schema(columns, zone)
        self._output = _OutputFile()
        self._writer = opened(pa.PythonFile(self._output, "w"), self._schema)
        self._buffer = _BatchBuffer(_BATCH_ROWS)

    def begin(self) -> Iterable[Piece]:
        return self._output.take()

    def write(self, rows: Rows) -> Iterable[Piece]:
        for part in split_rows(rows, _BATCH_ROWS):
            if self._buffer.add(_batch(part, self._schema)):
                yield from self.flush()

    def flush(self) -> Iterable[Piece]:
        batches = self._buffer.take()
        if batches:
            self._writer.write_batch(pa.concat_batches(batches))
        return self._output.take()

    def end(self, truncated: bool | None) -> Iterable[Piece]:
        yield from self.flush()
        self._writer.close()
        yield from self._output.take()


class _BatchBuffer:
    """Collects batches until they are worth a row group."""

    def __init__(self, enough_rows: int) -> None:
        self._enough_rows = enough_rows
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> bool:
        """Add a batch. True: it is time to `take` them."""
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        return self._rows >= self._enough_rows or self._bytes >= _HELD_BYTES

    def take(self) -> list[pa.RecordBatch]:
        batches, self._batches = self._batches, []
        self._rows = self._bytes = 0
        return batches
