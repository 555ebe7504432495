"""Texts of cells as values of a type, exactly: what does not fit is named by its row, and nothing is rounded.

Columns are converted by Arrow's kernels; only where some cell does not fit are the cells looked at one by one.
"""

import math
import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.frames.frame import VALUE_TYPES

_INTEGER = r"^-?[0-9]{1,19}$"
_FLOAT = r"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_WORDS = r"^(?:true|false|True|False|TRUE|FALSE)$"
_TRUE, _FALSE = ("true", "t", "1", "yes"), ("false", "f", "0", "no")
_NO_NUMBERS = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity", "+infinity")
_LONGEST_SHOWN = 40
Bad = dict[int, str]
"""Rows whose cell does not fit, with the reason."""


def values_of(texts: pa.StringArray, field_type: FieldType, decimal: str = ".") -> tuple[pa.Array, Bad]:
    """The values of cells, null where a cell is empty or does not fit."""
    if field_type is FieldType.STRING:
        return texts, {}
    plain = without_blanks(texts, decimal)
    arrow_type = VALUE_TYPES[field_type]
    if field_type is not FieldType.BOOLEAN:
        pattern = _FLOAT if field_type is FieldType.FLOAT else _INTEGER
        if _all(pc.match_substring_regex(plain, pattern)):
            try:
                values = plain.cast(arrow_type)
                if field_type is not FieldType.FLOAT or _all(pc.is_finite(values)):
                    return values, {}
            except pa.ArrowInvalid:
                pass  # some cell is beyond the range of the type
    elif _all(pc.match_substring_regex(plain, _WORDS)):
        return pc.equal(pc.utf8_lower(plain), "true"), {}
    return _single_values(plain, texts, field_type, arrow_type)


def without_blanks(texts: pa.StringArray, decimal: str = ".") -> pa.StringArray:
    """Texts without blanks around them, null where nothing is left, and with a point for `decimal`."""
    trimmed = pc.utf8_trim_whitespace(texts)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    if decimal == ".":
        return trimmed
    return pc.replace_substring(pc.replace_substring(trimmed, ".", "\0"), decimal, ".")


def _single_values(
    plain: pa.StringArray, texts: pa.StringArray, field_type: FieldType, arrow_type: pa.DataType
) -> tuple[pa.Array, Bad]:
    read = _READERS[field_type]
    values: list[object] = []
    bad: Bad = {}
    for row, text in enumerate(plain.to_pylist()):
        try:
            values.append(None if text is None else read(text))
        except (ValueError, OverflowError) as reason:
            values.append(None)
            bad[row] = f"{shown(texts[row].as_py())} is no {field_type}{f' ({reason})' if reason.args else ''}"
    return pa.array(values, arrow_type), bad


def shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _integer(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,400}", text) is None:
            raise ValueError
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError("beyond 64 bits")
        return number

    return read


def _float(text: str) -> float:
    if text.lower() in _NO_NUMBERS:
        raise ValueError("NaN and infinity cannot be stored")
    if re.fullmatch(_FLOAT[1:-1], text.removeprefix("+"), re.ASCII) is None:
        raise ValueError
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("beyond the range of a 64-bit float")
    return number


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError("true or false")
    return word in _TRUE


_READERS: dict[FieldType, Callable[[str], object]] = {
    FieldType.FLOAT: _float,
    FieldType.INTEGER: _integer(-(2**63), 2**63 - 1),
    FieldType.UNSIGNED: _integer(0, 2**64 - 1),
    FieldType.BOOLEAN: _boolean,
}


def _all(mask: pa.BooleanArray) -> bool:
    """Whether a mask is true in every row that has a value."""
    return pc.all(mask, min_count=0).as_py() is not False


class ColumnType:
    """Which types fit all cells of a column that were seen: integers, else floats, else booleans, else strings.

    A number that begins with a needless zero is a code, not a number, so its column is text. `change` tells the first
    line at which the column stopped being what it was before, which helps to find a stray cell.
    """

    def __init__(self, decimal: str = ".") -> None:
        self._decimal = decimal
        self._fitting = [FieldType.INTEGER, FieldType.FLOAT, FieldType.BOOLEAN]
        self.seen = False

    @property
    def type(self) -> FieldType:
        return self._fitting[0] if self._fitting and self.seen else FieldType.STRING

    @property
    def is_text(self) -> bool:
        """Whether no further cell can change the type."""
        return not self._fitting

    def add(self, texts: pa.StringArray) -> None:
        plain = without_blanks(texts, self._decimal)
        if plain.null_count == len(plain) or self.is_text:
            self.seen = self.seen or texts.null_count < len(texts)
            return
        self.seen = True
        self._fitting = [field_type for field_type in self._fitting if self._fits(plain, field_type)]

    def _fits(self, plain: pa.StringArray, field_type: FieldType) -> bool:
        if field_type is FieldType.BOOLEAN:
            return _all(pc.match_substring_regex(plain, _WORDS))
        if not _all(pc.invert(pc.match_substring_regex(plain, _LEADING_ZERO))):
            return False
        if field_type is FieldType.FLOAT:
            number = pc.match_substring_regex(plain, _FLOAT)
            return _all(pc.or_(number, pc.is_in(pc.utf8_lower(plain), pa.array(_NO_NUMBERS))))
        _, bad = values_of(plain, field_type) if _all(pc.match_substring_regex(plain, _INTEGER)) else (None, {0: ""})
        return not bad
