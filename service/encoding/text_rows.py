"""Writes rows of text, for CSV, JSON and NDJSON alike.

A row is its time, its values and its labels, joined. The buffer of the joined column is the output. Rows are joined in
pieces of bounded rows and bytes, so memory does not grow with a frame.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.encoding.columns import Column, Role
from service.encoding.label_texts import LabelEncoder, LabelTexts, Part
from service.encoding.rows import Rows, split_rows
from service.encoding.time_texts import rfc3339

_FRAME_ROWS = 131_072
"""Rows whose times become text at once: far below the 2 GB that 32-bit offsets reach."""
_PIECE_ROWS = 16_384
_PIECE_BYTES = 2 * 1024 * 1024
_NUMBER_BYTES = 24
_KEPT_TIMES = 2


class Style(Protocol):
    """How a format writes the cells of a row. Each cell except the time begins with its separator."""

    before_time: str
    after_time: str
    end: str

    def lead(self, column: Column) -> str:
        """The text before each cell of `column`, also before an absent one."""

    def label(self, column: Column, values: pa.StringArray) -> pa.StringArray:
        """The cells of a label column, without their lead."""

    def value(self, column: Column, values: pa.Array) -> list[Part]:
        """The parts of the cells of a value column, without their lead."""


class TextRows:
    """Writes the rows of one answer in one style."""

    def __init__(self, columns: Sequence[Column], zone: str, style: Style) -> None:
        self._style = style
        self._columns = columns
        value_column = next((column for column in columns if column.role is Role.VALUE), None)
        self._values_first = value_column is not None
        after_time = style.after_time + ("" if value_column is None else style.lead(value_column))
        self._times = _TimeTexts(zone, style.before_time, after_time)
        self._labels = LabelEncoder()

    def write(self, rows: Rows) -> Iterator[memoryview]:
        for part in split_rows(rows, _FRAME_ROWS):
            yield from self._write_part(part)

    def _write_part(self, rows: Rows) -> Iterator[memoryview]:
        times = self._times.of(rows.times)
        labels = self._label_texts(rows)
        value_columns = [column for column in self._columns if column.role in (Role.VALUE, Role.FIELD)]
        value_bytes = sum(_NUMBER_BYTES + len(self._style.lead(column)) for column in value_columns)
        row_bytes = labels.longest_bytes + value_bytes + 64
        for start, length in text_slices(list(rows.values.values()), len(rows), row_bytes):
            values = self._value_parts(rows.slice(start, length), value_columns)
            label_texts = labels.slice(start, length)
            cells = [*values, label_texts] if self._values_first else [label_texts, *values, self._style.end]
            yield joined_bytes([times.slice(start, length), *cells])

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
    """Makes times into text, and keeps the last texts: frames of one block often share their times."""

    def __init__(self, zone: str, before: str, after: str) -> None:
        self._zone, self._before, self._after = zone, before, after
        self._seen: list[tuple[tuple[int, int, int], pa.Array, pa.StringArray]] = []

    def of(self, times: pa.Array) -> pa.StringArray:
        identity = (times.buffers()[1].address, times.offset, len(times))
        for index, (seen, _, texts) in enumerate(self._seen):
            if seen == identity:
                self._seen.append(self._seen.pop(index))
                return texts
        texts = rfc3339(times.view(pa.int64()).to_numpy(), self._zone, self._before, self._after)
        self._seen = [*self._seen[1 - _KEPT_TIMES :], (identity, times, texts)]
        return texts


def text_slices(values: Sequence[pa.Array], rows: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Slices (start, length) whose text stays near _PIECE_BYTES. `row_bytes` counts a row without its string values."""
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


def joined_bytes(parts: Sequence[Part]) -> memoryview:
    """The bytes of all rows, row after row: the `parts` of each, joined."""
    texts = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    _, ends, data = texts.buffers()
    first, last = np.frombuffer(ends, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    return memoryview(data)[first:last]
