"""Makes columns of values into text: numbers in their shortest exact form, strings quoted or escaped.

Absent values stay null; the caller that joins the row decides what stands for them. Texts that need no quoting, nearly
all of them, cost one pass over their bytes.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_PLAIN_BELOW = 1e10
"""From this value on Arrow prints a float with an exponent, which a JSON reader takes for a float."""
_NEEDS_QUOTES = '^$|^\\s|\\s$|["{separator}\\r\\n]'
_JSON_ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"}


def csv_values(values: pa.Array, separator: str = ",") -> pa.StringArray:
    """Cells of CSV. Floats have the fewest digits that read back the same: `7`, `-0`, `NaN`, `+Inf`, `-Inf`."""
    if pa.types.is_string(values.type):
        return csv_quoted(values, separator)
    texts = values.cast(pa.string())
    if not pa.types.is_floating(values.type) or _all_finite(values):
        return texts
    signed = pc.if_else(pc.greater(values, 0.0), "+Inf", "-Inf")
    return pc.if_else(pc.is_finite(values), texts, pc.if_else(pc.is_nan(values), "NaN", signed))


def csv_quoted(texts: pa.StringArray, separator: str = ",") -> pa.StringArray:
    """Texts quoted where RFC 4180 needs it, `separator` being its comma.

    An empty string is `""`, which differs from an absent cell.
    """
    ends, octets = _ends(texts), _octets(texts)
    if not ((octets <= 0x22) | (octets == ord(separator))).any() and (ends[1:] > ends[:-1]).all():
        return texts
    needs_quotes = pc.match_substring_regex(texts, _NEEDS_QUOTES.format(separator=separator))
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needs_quotes, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def json_numbers(values: pa.Array) -> pa.StringArray:
    """JSON of numbers and booleans. A float stays a float (`7.0`, `-0.0`). NaN and infinities are `null`."""
    texts = values.cast(pa.string())
    if not pa.types.is_floating(values.type):
        return texts
    lacks_point = pc.and_(pc.equal(pc.trunc(values), values), pc.less(pc.abs(values), _PLAIN_BELOW))
    if pc.any(lacks_point).as_py():
        texts = pc.if_else(lacks_point, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return texts if _all_finite(values) else pc.if_else(pc.is_finite(values), texts, "null")


def json_escaped(texts: pa.StringArray) -> pa.StringArray:
    """The inside of JSON strings, without the quotes around them."""
    octets = _octets(texts)
    if not ((octets < 0x20) | (octets == ord('"')) | (octets == ord("\\"))).any():
        return texts
    escaped = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    for control in np.unique(octets[octets < 0x20]).tolist():
        escaped = pc.replace_substring(escaped, chr(control), _JSON_ESCAPES.get(control, f"\\u{control:04x}"))
    return escaped


def _all_finite(values: pa.Array) -> bool:
    return pc.all(pc.is_finite(values)).as_py() is not False


def _octets(texts: pa.StringArray) -> npt.NDArray[np.uint8]:
    """The bytes of all texts of an array, without a copy."""
    data, ends = texts.buffers()[2], _ends(texts)
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.empty(0, np.uint8)


def _ends(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """The start of each text, and the end of the last."""
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
