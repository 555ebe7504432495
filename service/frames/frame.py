"""What a frame is: an Arrow record batch of rows of one measurement and one value type, in long form.

Columns, in this order: `_time` (timestamp[ns, UTC], never null), `_value` (never null), `_field`,
`_measurement`, then the measurement's tag keys, sorted. `_field`, `_measurement` and tags are
dictionary<int32, string>; an absent tag is null. Tag columns of one frame may share one index
buffer; the encoders make use of that. Within a series (measurement, tags, field) times ascend,
from frame to frame too.

A `Block` is a tuple of frames. When the selection asks for `complete_rows`, no (measurement, tags,
time) has its fields in two blocks, so a block is all that is needed to turn long rows into wide ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import ReadPlan

TIME = pa.timestamp("ns", tz="UTC")
TEXT_CODES = pa.dictionary(pa.int32(), pa.string())
VALUE_TYPES: dict[FieldType, pa.DataType] = {
    FieldType.FLOAT: pa.float64(),
    FieldType.INTEGER: pa.int64(),
    FieldType.UNSIGNED: pa.uint64(),
    FieldType.STRING: pa.string(),
    FieldType.BOOLEAN: pa.bool_(),
}
FIXED_COLUMNS = ("_time", "_value", "_field", "_measurement")
Block = tuple[pa.RecordBatch, ...]


def long_schema(kind: FieldType, tags: tuple[str, ...]) -> pa.Schema:
    """The schema of a frame with values of `kind`. Columns go by position: a tag may be named like a fixed column."""
    fixed = [
        pa.field("_time", TIME, nullable=False),
        pa.field("_value", VALUE_TYPES[kind], nullable=False),
        pa.field("_field", TEXT_CODES, nullable=False),
        pa.field("_measurement", TEXT_CODES, nullable=False),
    ]
    return pa.schema(fixed + [pa.field(tag, TEXT_CODES) for tag in tags])


def constant_codes(text: str, rows: int) -> pa.DictionaryArray:
    """A column that holds `text` in each of `rows` rows."""
    indices = pa.repeat(pa.scalar(0, pa.int32()), rows)
    return pa.DictionaryArray.from_arrays(indices, pa.array([text], pa.string()))


def value_type(frame: pa.RecordBatch) -> FieldType:
    """The type of the values of a frame in long form."""
    kind = frame.schema.field(1).type
    return next(name for name, arrow in VALUE_TYPES.items() if arrow == kind)


@dataclass
class Reading:
    """A read under way: what it will hold, and the blocks as they come.

    `blocks` may be taken once, from one thread at a time, and raises `StoreError` or `RetryLater`
    when the store breaks off. `cancel` may be called from any thread at any time, more than once:
    it ends the query at the store, and a waiting `blocks` soon raises. Whoever takes a reading
    calls `cancel` at the end, whatever happened.
    """

    plan: ReadPlan
    blocks: Iterator[Block]
    cancel: Callable[[], None]
