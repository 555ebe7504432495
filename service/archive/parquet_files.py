"""Slices as Parquet for DuckDB, Spark, Trino and Athena: a copy beside the backup, and never what is restored.

    parquet/bucket=plant%20a/day=2026-01-31/0001-20260131T000000Z-20260201T000000Z.parquet

One schema for all files, one row per value. `time_ns` is the exact time; `time` is the same cut to microseconds, the
finest that all of those engines read. Of the five value columns exactly one is not null.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.archive.destination import Destination
from service.archive.manifest import OtherFile
from service.archive.paths import encoded_name, range_text
from service.archive.slice_files import MeasuredSink
from service.archive.slice_text import SliceMeter
from service.domain.schema import FieldType
from service.domain.timerange import TimeRange, format_time
from service.frames import long_form
from service.frames.frame import FIXED_COLUMNS, VALUE_TYPES, Block, value_type
from service.frames.label_combinations import combine, texts_of
from service.frames.slice_digest import SliceDigest

_GROUP_ROWS = 131_072
_TAGS = pa.map_(pa.string(), pa.string())
_VALUE_COLUMNS = {kind: f"value_{kind.value}" for kind in FieldType}
SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("time_ns", pa.int64(), nullable=False),
        pa.field("measurement", pa.string(), nullable=False),
        pa.field("tags", _TAGS, nullable=False),
        pa.field("field", pa.string(), nullable=False),
        *(pa.field(name, VALUE_TYPES[kind]) for kind, name in _VALUE_COLUMNS.items()),
    ]
)


def parquet_path(number: int, bucket: str, span: TimeRange) -> str:
    """Where the copy of a slice lies in its backup. `number` counts the buckets of the backup."""
    day = format_time(span.start_ns)[:10]
    return f"parquet/bucket={encoded_name(bucket)}/day={day}/{number:04d}-{range_text(span)}.parquet"


def write_parquet(
    destination: Destination,
    backup: str,
    file: str,
    blocks: Iterable[Block],
) -> tuple[OtherFile, SliceDigest]:
    """Write the values of blocks, and the digest of them, which is that of the slice when both hold the same.

    Raises what `blocks` raises, and ArchiveError.
    """
    meter = SliceMeter()
    with destination.create(f"{backup}/{file}") as sink:
        measured = MeasuredSink(sink)
        with pq.ParquetWriter(pa.PythonFile(measured, "w"), SCHEMA, compression="zstd") as writer:
            for batches in _groups(_rows(blocks, meter)):
                writer.write_table(pa.Table.from_batches(batches, SCHEMA), row_group_size=2 * _GROUP_ROWS)
        measured.closed = True
    return OtherFile(file, backup, measured.size, measured.sha256), meter.total


def _rows(blocks: Iterable[Block], meter: SliceMeter) -> Iterator[pa.RecordBatch]:
    for block in blocks:
        meter.add(block)
        for frame in block:
            for start in range(0, frame.num_rows, _GROUP_ROWS):
                yield _batch(frame.slice(start, _GROUP_ROWS))


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches of at least so many rows together, but for the last ones."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= _GROUP_ROWS:
            yield held
            held, rows = [], 0
    if held:
        yield held


def _batch(frame: pa.RecordBatch) -> pa.RecordBatch:
    labels = frame.columns[2:]
    combinations = combine(labels)
    fields, measurements, *tags = texts_of(labels, combinations)
    keys = frame.schema.names[len(FIXED_COLUMNS) :]
    series = zip(*tags, strict=True) if tags else iter([()] * len(fields))
    of_series = [[(key, text) for key, text in zip(keys, texts, strict=True) if text is not None] for texts in series]
    rows = pa.array(combinations.rows(frame.num_rows))
    times = long_form.times(frame).cast(pa.int64())
    kind = value_type(frame)
    values = [
        long_form.values(frame) if kind is other else pa.nulls(len(rows), VALUE_TYPES[other])
        for other in _VALUE_COLUMNS
    ]
    columns = [
        _microseconds(times),
        times,
        pa.array(measurements, pa.string()).take(rows),
        pa.array(of_series, _TAGS).take(rows),
        pa.array(fields, pa.string()).take(rows),
        *values,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _microseconds(times: pa.Array) -> pa.Array:
    """Cut downwards, before 1970 too."""
    return pc.cast(pa.array(np.floor_divide(times.to_numpy(), 1000)), pa.timestamp("us", tz="UTC"))
