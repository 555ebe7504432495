"""Turns the long rows of a block into wide ones: one row per series and time, one column per field."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from service.encoding.columns import Column, Role
from service.encoding.rows import Rows
from service.errors import StoreBroken
from service.frames.frame import TIME, Block, constant_codes
from service.frames.row_alignment import AlignedRows, FieldValues, align_rows


def wide_rows(block: Block, columns: tuple[Column, ...]) -> Iterator[Rows]:
    """The rows of `block` by measurement, then series in the order of appearance, then time."""
    for rows in align_rows(block):
        yield Rows(pa.array(rows.times_ns).view(TIME), _labels(rows, columns), _values(rows, columns))


def _labels(rows: AlignedRows, columns: tuple[Column, ...]) -> dict[str, pa.DictionaryArray]:
    series = pa.array(rows.series.astype(np.int32))
    labels = {}
    for column in columns:
        if column.role is Role.MEASUREMENT:
            labels[column.name] = constant_codes(rows.measurement, len(series))
        elif column.role is Role.TAG and column.source in rows.tags:
            labels[column.name] = pa.DictionaryArray.from_arrays(series, rows.tags[column.source])
    return labels


def _values(rows: AlignedRows, columns: tuple[Column, ...]) -> dict[str, pa.Array]:
    names = {(column.source, column.type): column.name for column in columns if column.role is Role.FIELD}
    parts_by_name: dict[str, list[FieldValues]] = {}
    for part in rows.field_values:
        name = names.get((part.field, part.type))
        if name is None:
            field = f"The field {part.field!r} ({part.type})"
            raise StoreBroken(f"{field} appeared in {rows.measurement!r} during the read. Ask again.")
        parts_by_name.setdefault(name, []).append(part)
    return {name: _into_rows(parts, len(rows.times_ns)) for name, parts in parts_by_name.items()}


def _into_rows(parts: list[FieldValues], rows: int) -> pa.Array:
    """The values of one column, each in its row; null in all other rows."""
    value_rows = np.concatenate([part.rows for part in parts])
    values = pa.concat_arrays([part.values for part in parts])
    if len(value_rows) == rows and (value_rows == np.arange(rows)).all():
        return values
    source = np.full(rows, -1, np.int64)
    source[value_rows] = np.arange(len(value_rows))
    return values.take(pa.array(source, mask=source < 0))
