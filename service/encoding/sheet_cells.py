"""Cells of a spreadsheet (ECMA-376) as XML, a column at a time.

A cell holds a double, and a date is one. What a double cannot hold exactly becomes text, and `as_text` counts it:
integers beyond 2^53, NaN, infinities, -0 and subnormal floats, and times as `service.encoding.sheet_times` says.
An absent value has no cell; an empty text has an empty one.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.encoding.columns import Column, Role
from service.encoding.rows import Rows
from service.encoding.sheet_texts import text_cells
from service.encoding.sheet_times import sheet_times
from service.encoding.text_rows import joined_bytes
from service.encoding.value_texts import csv_values
from service.errors import SheetTooSmall

INTEGERS, FLOATS, TIMES = "integers", "floats", "times"
_MOST_COLUMNS = 16_384
_MOST_EXACT = 2**53
_SMALLEST_NORMAL = np.finfo(np.float64).smallest_normal


class SheetCells:
    """The cells of one answer. `as_text`: how many of INTEGERS, FLOATS and TIMES are text."""

    def __init__(self, columns: Sequence[Column], zone: str) -> None:
        """Raises SheetTooSmall: more columns than a sheet has."""
        if len(columns) > _MOST_COLUMNS:
            raise SheetTooSmall(f"The answer has {len(columns)} columns, and a sheet has {_MOST_COLUMNS}.")
        self._columns = [(column, letters(number)) for number, column in enumerate(columns)]
        self._zone = zone
        self.as_text: Counter[str] = Counter()

    def header(self) -> bytes:
        """The first row: the names of the columns."""
        cells = text_cells(pa.array([column.name for column, _ in self._columns], pa.string())).to_pylist()
        named = (f'<c r="{letter}1"{cell}' for (_, letter), cell in zip(self._columns, cells, strict=True))
        return f'<row r="1">{"".join(named)}</row>'.encode()

    def rows(self, rows: Rows, first: int) -> memoryview:
        """Rows of the sheet, the first with the number `first`. Raises SheetTooSmall: a text is too long."""
        numbers = pa.array(range(first, first + len(rows)), pa.int64()).cast(pa.string())
        parts = ['<row r="', numbers, '">']
        for column, letter in self._columns:
            cells = self._cells(column, rows)
            if cells is not None:
                parts.append(_joined(f'<c r="{letter}', numbers, '"', cells))
        return joined_bytes([*parts, "</row>"])

    def _cells(self, column: Column, rows: Rows) -> pa.StringArray | None:
        """Each cell behind its name; None when all are absent."""
        if column.role is Role.TIME:
            return self._times(rows.times)
        if column.name in rows.labels:
            labels = rows.labels[column.name]
            return text_cells(labels.dictionary).take(labels.indices)
        return self._values(rows.values[column.name]) if column.name in rows.values else None

    def _times(self, times: pa.Array) -> pa.StringArray:
        dates = sheet_times(times, self._zone)
        numbers = _joined(' s="', dates.styles, '"><v>', dates.serials, "</v></c>")
        return self._chosen(TIMES, pa.array(dates.exact), numbers, dates.texts)

    def _values(self, values: pa.Array) -> pa.StringArray:
        if pa.types.is_string(values.type):
            return text_cells(values)
        if pa.types.is_boolean(values.type):
            return _joined(' t="b"><v>', values.cast(pa.int8()).cast(pa.string()), "</v></c>")
        numbers = _joined("><v>", values.cast(pa.string()), "</v></c>")
        if pa.types.is_floating(values.type):
            return self._chosen(FLOATS, _exact_floats(values), numbers, lambda: csv_values(values))
        return self._chosen(INTEGERS, _exact_integers(values), numbers, lambda: csv_values(values))

    def _chosen(
        self,
        kind: str,
        exact: pa.BooleanArray,
        numbers: pa.StringArray,
        texts: Callable[[], pa.StringArray],
    ) -> pa.StringArray:
        """`numbers` where they are exact, else texts, which are counted."""
        as_text = len(exact) - exact.null_count - exact.true_count
        if not as_text:
            return numbers
        self.as_text[kind] += as_text
        return pc.if_else(exact, numbers, text_cells(texts()))


def letters(number: int) -> str:
    """The name of a column: A for 0, Z for 25, AA for 26."""
    rest, letter = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("A") + letter)


def _exact_integers(values: pa.Array) -> pa.BooleanArray:
    below = pc.less_equal(values, pa.scalar(_MOST_EXACT, values.type))
    if pa.types.is_unsigned_integer(values.type):
        return below
    return pc.and_(below, pc.greater_equal(values, pa.scalar(-_MOST_EXACT, values.type)))


def _exact_floats(values: pa.Array) -> pa.BooleanArray:
    floats = values.to_numpy(zero_copy_only=False)
    plain_zero = (floats == 0) & ~np.signbit(floats)
    exact = np.isfinite(floats) & ((np.abs(floats) >= _SMALLEST_NORMAL) | plain_zero)
    absent = values.is_null().to_numpy(zero_copy_only=False)
    return pa.array(exact, mask=absent)


def _joined(*parts: pa.StringArray | str) -> pa.StringArray:
    return pc.binary_join_element_wise(*parts, "")
