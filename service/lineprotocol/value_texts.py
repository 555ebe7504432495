"""Writes columns of values as line protocol does, exactly: each type with its suffix, each float with all its bits.

Values that line protocol cannot hold are named with the reason. Nothing is rounded or cut.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.lineprotocol.single_line import MAX_STRING_BYTES

_TEXT = pa.large_string()
_SUFFIXES = {pa.float64(): "", pa.int64(): "i", pa.uint64(): "u"}
_NO_NUMBER = "NaN and infinity cannot be stored"
_TOO_LONG = f"a string holds at most {MAX_STRING_BYTES} bytes"


def value_texts(prefix: str, values: pa.Array) -> pa.Array:
    """`prefix` and the text of each value, as large_string. A float has the fewest digits that read back the same."""
    nothing = pa.scalar("", _TEXT)
    start = pa.scalar(prefix, _TEXT)
    if values.type == pa.bool_():
        return pc.if_else(values, pa.scalar(f"{prefix}true", _TEXT), pa.scalar(f"{prefix}false", _TEXT))
    if values.type == pa.string():
        quote = pa.scalar('"', _TEXT)
        return pc.binary_join_element_wise(start, quote, _escaped(values.cast(_TEXT)), quote, nothing)
    suffix = pa.scalar(_SUFFIXES[values.type], _TEXT)
    return pc.binary_join_element_wise(start, values.cast(_TEXT), suffix, nothing)


def _escaped(texts: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')


def unwritable_values(values: pa.Array) -> tuple[npt.NDArray[np.bool_], str] | None:
    """Which values line protocol cannot hold, and why; None when it holds all."""
    if values.type == pa.float64():
        bad, reason = ~np.isfinite(values.to_numpy()), _NO_NUMBER
    elif values.type == pa.string():
        bad, reason = pc.binary_length(values).to_numpy() > MAX_STRING_BYTES, _TOO_LONG
    else:
        return None
    return (bad, reason) if bad.any() else None
