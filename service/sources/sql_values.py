"""Values of a SQL column as the value types of a frame. Nothing is rounded.

A decimal becomes a float when that float prints as the same number; otherwise it stays a text with all its digits.
The rows of one column can so have several types; then they come in several frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.sources.sql_text import ValueType

_EXACT_DIGITS = 15
"""Every decimal with so many digits comes back from a float (DBL_DIG of IEEE 754)."""
_SAFE_LEAST = 1e-290
_DIGITS = r"[eE].*$|[^0-9]"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|(?i:nan|inf|infinity))\s*$"


@dataclass(frozen=True)
class WrongValue(Exception):
    """The value in the row `row` is not what the column has to hold; `reason` ends a sentence."""

    row: int
    reason: str


@dataclass(frozen=True)
class TypedValues:
    """Consecutive values of one type of a frame, from the row `first_row` on."""

    values: pa.Array
    first_row: int = 0


def typed_values(values: pa.Array, wanted: ValueType | None) -> Iterator[TypedValues]:
    """The values, none of which is null, in order. A new part begins where the type changes. Raises WrongValue."""
    arrow_type = values.type
    if wanted is ValueType.TEXT:
        yield TypedValues(_as_text(values))
    elif wanted is ValueType.BOOLEAN:
        yield TypedValues(_as_boolean(values))
    elif pa.types.is_boolean(arrow_type):
        yield TypedValues(values if wanted is None else values.cast(pa.int64()))
    elif pa.types.is_uint64(arrow_type):
        yield TypedValues(values)
    elif pa.types.is_integer(arrow_type):
        yield TypedValues(values.cast(pa.int64()))
    elif pa.types.is_floating(arrow_type):
        yield TypedValues(values.cast(pa.float64()))
    elif pa.types.is_decimal(arrow_type):
        yield from exact_numbers(values.cast(pa.string()))
    elif _is_text(arrow_type):
        texts = values.cast(pa.string())
        yield from exact_numbers(texts) if wanted is ValueType.NUMBER else (TypedValues(texts),)
    else:
        _refuse(0, f"is of the type {arrow_type}; numbers, booleans and texts can be read")


def exact_numbers(texts: pa.Array) -> Iterator[TypedValues]:
    """Decimals as floats, and those that no float holds as texts. Raises WrongValue for a text that is no number."""
    is_number = pc.match_substring_regex(texts, _NUMBER)
    if not pc.all(is_number).as_py():
        row = pc.index(is_number, pa.scalar(False)).as_py()
        _refuse(row, f"is no number: {texts[row].as_py()[:100]!r}")
    floats = pc.utf8_trim_whitespace(texts).cast(pa.float64())
    is_exact = np.ones(len(texts), bool)
    is_exact[_inexact_rows(texts, floats)] = False
    edges = [0, *(np.flatnonzero(np.diff(is_exact)) + 1).tolist(), len(texts)]
    for first, end in pairwise(edges):
        yield TypedValues((floats if is_exact[first] else texts).slice(first, end - first), first)


def _inexact_rows(texts: pa.Array, floats: pa.Array) -> list[int]:
    """The rows whose number differs from the decimal that their float prints as."""
    digits = pc.utf8_trim(pc.replace_substring_regex(texts, _DIGITS, ""), "0")
    size = pc.abs(floats)
    is_ordinary = pc.or_(
        pc.and_(pc.greater(size, _SAFE_LEAST), pc.is_finite(floats)), pc.equal(pc.utf8_length(digits), 0)
    )
    is_sure = pc.and_(pc.less_equal(pc.utf8_length(digits), _EXACT_DIGITS), is_ordinary)
    doubtful = pc.indices_nonzero(pc.invert(is_sure)).to_pylist()
    return [row for row in doubtful if not _prints_alike(texts[row].as_py(), floats[row].as_py())]


def _prints_alike(text: str, number: float) -> bool:
    try:
        exact = Decimal(text.strip())
    except InvalidOperation:
        return False
    if not exact.is_finite():
        return True
    return number not in (float("inf"), float("-inf")) and Decimal(repr(number)) == exact


def _as_text(values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        _refuse(0, f"is of the type {values.type}, which is no text")


def _as_boolean(values: pa.Array) -> pa.Array:
    if pa.types.is_boolean(values.type):
        return values
    if pa.types.is_integer(values.type):
        is_bit = pc.is_in(values, pa.array([0, 1], values.type))
        if not pc.all(is_bit).as_py():
            row = pc.index(is_bit, pa.scalar(False)).as_py()
            _refuse(row, f"is neither 0 nor 1: {values[row].as_py()}")
        return values.cast(pa.bool_())
    return _refuse(0, f"is of the type {values.type}, which is no boolean")


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def _refuse(row: int, reason: str) -> NoReturn:
    raise WrongValue(row, reason)
