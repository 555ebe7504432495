"""What a frame is: an Arrow record batch of rows of one measurement and one value type, in long form.

Columns, in this order: `_time` (timestamp[ns, UTC], never null), `_value` (never null), `_field`, `_measurement`, then
the tag keys of the measurement, sorted. `_field`, `_measurement` and tags are dictionary<int32, string>; an absent tag
is null. `service.frames.long_form` reads them by name. Tag columns of one frame may share one index buffer, and the
encoders use that. Within a series (measurement, tags, field) times ascend, also from one frame to the next.

A `Block` is a tuple of frames. When the selection asks for `complete_rows`, the fields of one measurement, tags and
time are in one block. So a block is enough to turn long rows into wide ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from service.domain.schema import FieldType
from service.domain.selection import ReadPlan
from service.domain.timerange import TimeRange

TIME = pa.timestamp("ns", tz="UTC")
TEXT_CODES = pa.dictionary(pa.int32(), pa.string())
VALUE_TYPES: dict[FieldType, pa.DataType] = {
    FieldType.FLOAT: pa.float64(),
    FieldType.INTEGER: pa.int64(),
    FieldType.UNSIGNED: pa.uint64(),
    FieldType.STRING: pa.string(),
    FieldType.BOOLEAN: pa.bool_(),
}
FIELD_TYPES = {arrow_type: field_type for field_type, arrow_type in VALUE_TYPES.items()}
FIXED_COLUMNS = ("_time", "_value", "_field", "_measurement")
Block = tuple[pa.RecordBatch, ...]


def long_schema(field_type: FieldType, tags: tuple[str, ...]) -> pa.Schema:
    """The schema of a frame with values of `field_type` and these tag keys. A tag may be named like a fixed column."""
    fixed = [
        pa.field("_time", TIME, nullable=False),
        pa.field("_value", VALUE_TYPES[field_type], nullable=False),
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
    return FIELD_TYPES[frame.schema.field(1).type]


@dataclass
class Origin:
    """Where the rows of a read are from. What it says is final once the first block, or the end, is there.

    `outcome`: `hit` (all kept), `partial`, `miss` (all from the store), `bypass` (then `reason` says why). `fetched`:
    what the store was asked for. `asked_ns`: when the store was asked for the oldest of the rows, since 1970.
    """

    outcome: str
    asked_ns: int
    fetched: tuple[TimeRange, ...] = ()
    reason: str = ""


@dataclass
class Reading:
    """A read in progress: its plan, and its blocks as they arrive.

    `blocks` is iterated once, by one thread at a time. It raises `StoreError` or `RetryLater` when the store ends the
    read early. `cancel` ends the query at the store; any thread may call it at any time, also more than once, and a
    waiting `blocks` then raises soon. The caller of a read calls `cancel` at the end in every case. `origin`: told by
    a store that keeps windows.
    """

    plan: ReadPlan
    blocks: Iterator[Block]
    cancel: Callable[[], None]
    origin: Origin | None = None
