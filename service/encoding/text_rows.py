"""Rows of text: what CSV, JSON and NDJSON have in common.

A row is its time, its values and its labels side by side, joined a piece at a time; the buffer of the
joined column is the output. Pieces are bounded in rows and bytes, so memory does not grow with a frame.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.encoding.columns import Column, Role
from service.encoding.labels import LabelEncoder, LabelTexts, Part
from service.encoding.rows import Rows, split_rows
from service.encoding.time_texts import rfc3339

_FRAME_ROWS = 131_072
"""Rows whose times are made into text at once: far from the 2 GB that 32-bit offsets reach."""
_PIECE_ROWS = 16_384
_PIECE_BYTES = 2 * 1024 * 1024
_NUMBER_BYTES = 24
_REMEMBERED_TIMES = 2


class Style(Protocol):
    """How a format writes the cells of a row. Each cell but the time brings what separates it from the one before."""

    before_time: str
    after_time: str
    end: str

    def lead(self, column: Column) -> str:
        """What stands before each cell of `column`, present or absent."""

    def label(self, column: Column, values: pa.StringArray) -> pa.StringArray:
        """The cells of a label column after their lead."""

    def value(self, column: Column, values: pa.Array) -> list[Part]:
        """What the cells of a value column are joined of, lead left out."""


class TextRows:
    """Writes rows of one answer in one style."""

    def __init__(self, columns: Sequence[Column], zone: str, style: Style) -> None:
        self._style = style
        self._columns = columns
        self._values_first = columns[1].role is Role.VALUE
        after_time = style.after_time + (style.lead(columns[1]) if self._values_first else "")
        self._times = _TimeTexts(zone, style.before_time, after_time)
        self._labels = LabelEncoder()

    def write(self, rows: Rows) -> Iterator[memoryview]:
        for part in split_rows(rows, _FRAME_ROWS):
            yield from self._write_part(part)

    def _write_part(self, rows: Rows) -> Iterator[memoryview]:
        times = self._times.of(rows.times)
        labels = self._label_texts(rows)
        value_columns = [column for column in self._columns if column.role in (Role.VALUE, Role.FIELD)]
        row_bytes = labels.longest_bytes + sum(_NUMBER_BYTES + len(self._style.lead(column)) for column in value_columns) + 64
        for start, length in _pieces(list(rows.values.values()), len(rows), row_bytes):
            values = self._value_parts(rows.slice(start, length), value_columns)
            middle = labels.slice(start, length)
            yield _joined([times.slice(start, length), *([*values, middle] if self._values_first else [middle, *values, self._style.end])])

    def _label_texts(self, rows: Rows) -> LabelTexts:
        style = self._style
        present, between = [], [""]
        for column in self._columns:
            if column.role not in (Role.FIELD_NAME, Role.MEASUREMENT, Role.TAG):
                continue
            between[-1] += style.lead(column)
            if column.name in rows.labels:
                present.append(column)
                between.append("")
        between[-1] += style.end if self._values_first else ""
        labels = [rows.labels[column.name] for column in present]
        return self._labels.texts(present, labels, style.label, between)

    def _value_parts(self, rows: Rows, columns: Sequence[Column]) -> list[Part]:
        parts: list[Part] = []
        for column in columns:
            if not self._values_first:
                parts.append(self._style.lead(column))
            if column.name in rows.values:
                parts += self._style.value(column, rows.values[column.name])
        return parts


class _TimeTexts:
    """Times as text, remembered for the last columns: frames of one block often share their times."""

    def __init__(self, zone: str, before: str, after: str) -> None:
        self._zone, self._before, self._after = zone, before, after
        self._seen: list[tuple[tuple[int, int, int], pa.Array, pa.StringArray]] = []

    def of(self, times: pa.Array) -> pa.StringArray:
        identity = (times.buffers()[1].address, times.offset, len(times))
        for place, (seen, _, texts) in enumerate(self._seen):
            if seen == identity:
                self._seen.append(self._seen.pop(place))
                return texts
        texts = rfc3339(times.view(pa.int64()).to_numpy(), self._zone, self._before, self._after)
        self._seen = [*self._seen[1 - _REMEMBERED_TIMES :], (identity, times, texts)]
        return texts


def _pieces(values: Sequence[pa.Array], rows: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Slices (start, length) whose text stays near _PIECE_BYTES; `row_bytes` is all of a row but its strings."""
    step = max(1, min(_PIECE_ROWS, _PIECE_BYTES // row_bytes))
    ends = sum(_text_ends(column) for column in values if pa.types.is_string(column.type))
    if isinstance(ends, int):
        yield from ((start, min(step, rows - start)) for start in range(0, rows, step))
        return
    start = 0
    while start < rows:
        fits = int(np.searchsorted(ends, ends[start] + _PIECE_BYTES, side="right")) - 1
        stop = min(max(fits, start + 1), start + step, rows)
        yield start, stop - start
        start = stop


def _text_ends(texts: pa.StringArray) -> npt.NDArray[np.int64]:
    ends = np.frombuffer(texts.buffers()[1], np.int32)
    return ends[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)


def _joined(parts: Sequence[Part]) -> memoryview:
    """The bytes of all rows: `parts` side by side, row after row."""
    texts = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    _, ends, data = texts.buffers()
    first, last = np.frombuffer(ends, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    return memoryview(data)[first:last]
