"""Values as line protocol writes them, a column at a time and exact: every type with its mark, every float with its bits.

What line protocol cannot hold is told apart, with the reason; nothing is rounded or cut.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.lineprotocol.single_line import MAX_STRING_BYTES

_TEXT = pa.large_string()
_MARKS = {pa.float64(): "", pa.int64(): "i", pa.uint64(): "u"}
_NO_NUMBER = "NaN and infinity cannot be stored"
_TOO_LONG = f"a string holds at most {MAX_STRING_BYTES} bytes"


def value_texts(before: str, values: pa.Array) -> pa.Array:
    """`before` and the text of each value, as large_string. The shortest digits that give a float back (Arrow's cast)."""
    nothing = pa.scalar("", _TEXT)
    start = pa.scalar(before, _TEXT)
    if values.type == pa.bool_():
        return pc.if_else(values, pa.scalar(f"{before}true", _TEXT), pa.scalar(f"{before}false", _TEXT))
    if values.type == pa.string():
        quote = pa.scalar('"', _TEXT)
        return pc.binary_join_element_wise(start, quote, _escaped(values.cast(_TEXT)), quote, nothing)
    mark = pa.scalar(_MARKS[values.type], _TEXT)
    return pc.binary_join_element_wise(start, values.cast(_TEXT), mark, nothing)


def _escaped(texts: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')


def unwritable_values(values: pa.Array) -> tuple[npt.NDArray[np.bool_], str] | None:
    """Which values cannot be value_texts, and why; None when all can."""
    if values.type == pa.float64():
        bad, reason = ~np.isfinite(values.to_numpy()), _NO_NUMBER
    elif values.type == pa.string():
        bad, reason = pc.binary_length(values).to_numpy() > MAX_STRING_BYTES, _TOO_LONG
    else:
        return None
    return (bad, reason) if bad.any() else None
