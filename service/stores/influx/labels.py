"""Makes long frames of rows of InfluxDB's answers, with labels as dictionary columns."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.frames.frame import TIME, VALUE_TYPES, Block, constant_codes, long_schema
from service.stores.influx.annotated_csv import Rows, table_of


def absent(rows: int) -> pa.DictionaryArray:
    """A tag that no row has."""
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))


def long_frame(
    field_type: FieldType,
    measurement: str,
    field: str,
    keys: tuple[str, ...],
    times: pa.Array,
    values: pa.Array,
    tags: Sequence[pa.Array],
) -> pa.RecordBatch:
    """Rows of one field. `times`: int64 ns. `tags`: in the order of `keys`. Rows without a value are left out."""
    if values.null_count:
        valid = values.is_valid()
        times, values, tags = times.filter(valid), values.filter(valid), [tag.filter(valid) for tag in tags]
    rows = len(values)
    labels = [constant_codes(field, rows), constant_codes(measurement, rows), *tags]
    columns = [times.view(TIME), values.cast(VALUE_TYPES[field_type]), *labels]
    return pa.RecordBatch.from_arrays(columns, schema=long_schema(field_type, keys))


def frames_of(rows: Rows, keys: tuple[str, ...] | None = None) -> Block:
    """Rows of Flux as frames, one for each run of a measurement and field. `keys`: the tags, or those of the rows."""
    present = set(rows.columns.tags)
    if keys is None:
        keys = tuple(sorted(present))
    labels = ["_measurement", "_field", *(key for key in keys if key in present)]
    table = table_of(rows, labels).combine_chunks()
    times, values, measurements, fields, *columns = (column.chunk(0) for column in table.columns)
    tag_columns = dict(zip(labels[2:], columns, strict=True))
    frames = []
    for start, length in _equal_runs(measurements, fields):
        tags = [tag_columns[key].slice(start, length) if key in tag_columns else absent(length) for key in keys]
        frames.append(
            long_frame(
                rows.columns.value_type,
                measurements[start].as_py(),
                fields[start].as_py(),
                keys,
                times.slice(start, length).view(pa.int64()),
                values.slice(start, length),
                tags,
            )
        )
    return tuple(frames)


def _equal_runs(*columns: pa.DictionaryArray) -> Iterator[tuple[int, int]]:
    """Start and length of each run of rows that are equal in all `columns`."""
    ends = sorted({end for column in columns for end in pc.run_end_encode(column.indices).run_ends.to_pylist()})
    start = 0
    for end in ends:
        yield start, end - start
        start = end
