"""Long frames as line protocol, one line a value, exact in type and bits.

Made for copying: what comes out of a store as frames goes into another as lines. Each distinct name is
quoted once; a name or value that line protocol cannot hold raises, and nothing of the frame is given.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.frames.frame import FIXED_COLUMNS, VALUE_TYPES
from service.frames.lineprotocol_names import Unwritable, quote_field, quote_measurement, quote_tag

_KINDS = {stored: kind for kind, stored in VALUE_TYPES.items()}


def encode_lines(frame: pa.RecordBatch) -> bytes:
    """The rows of a long frame (`service.frames.frame`) as lines with times in ns, in their order.

    Raises:
        Unwritable: a name, tag value or float (NaN, infinity) that line protocol cannot hold.
    """
    if not frame.num_rows:
        return b""
    fixed = len(FIXED_COLUMNS)
    times, values, fields, measurements = (frame.column(place) for place in range(fixed))
    parts = [_written(measurements, quote_measurement)]
    for place in range(fixed, frame.num_columns):
        key = frame.schema.field(place).name
        tags = _written(frame.column(place), _tag_quote(key))
        parts.append(pc.fill_null(tags, b""))
    parts.append(_written(fields, lambda name: b" " + quote_field(name) + b"="))
    parts += [_values(values), b" ", times.cast(pa.int64()).cast(pa.string()).cast(pa.binary()), b"\n"]
    columns = [pa.scalar(part, pa.large_binary()) if isinstance(part, bytes) else part.cast(pa.large_binary()) for part in parts]
    joined = pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.large_binary()))
    _, offsets, data = joined.buffers()
    return bytes(data[: int(np.frombuffer(offsets, np.int64)[len(joined)])].to_pybytes())


def _tag_quote(key: str) -> Callable[[str], bytes]:
    return lambda value: b"," + quote_tag(key, value)


def _written(codes: pa.DictionaryArray, quote: Callable[[str], bytes]) -> pa.Array:
    """The quoted text of each row. Names of the dictionary that no row has are not looked at."""
    used = set(pc.unique(codes.indices).to_pylist())
    texts = [quote(name) if place in used else None for place, name in enumerate(codes.dictionary.to_pylist())]
    return pa.array(texts, pa.binary()).take(codes.indices)


def _values(values: pa.Array) -> pa.Array:
    kind = _KINDS[values.type]
    if kind is FieldType.BOOLEAN:
        return pc.if_else(values, b"true", b"false")
    if kind is FieldType.STRING:
        escaped = pc.replace_substring(pc.replace_substring(values, "\\", "\\\\"), '"', '\\"')
        return pc.binary_join_element_wise('"', escaped, '"', "").cast(pa.binary())
    if kind is FieldType.FLOAT and not pc.all(pc.is_finite(values)).as_py():
        raise Unwritable("NaN and infinity cannot be stored")
    suffix = {FieldType.FLOAT: "", FieldType.INTEGER: "i", FieldType.UNSIGNED: "u"}[kind]
    return pc.binary_join_element_wise(values.cast(pa.string()), suffix, "").cast(pa.binary())
