"""Long rows of a block as wide ones: a row per series (measurement and tags) and time, a column per field."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from service.encoding.columns import Column, Role
from service.encoding.rows import Rows
from service.errors import StoreBroken
from service.frames.frame import TIME, Block, constant_codes
from service.frames.row_alignment import AlignedRows, FieldValues, align_rows


def wide_rows(block: Block, columns: tuple[Column, ...]) -> Iterator[Rows]:
    """The rows of `block`, a measurement at a time, each by series in the order of appearance, then by time."""
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
    found: dict[str, list[FieldValues]] = {}
    for piece in rows.field_values:
        name = names.get((piece.field, piece.type))
        if name is None:
            raise StoreBroken(f"The field {piece.field!r} ({piece.type}) appeared in {rows.measurement!r} during the read. Ask again.")
        found.setdefault(name, []).append(piece)
    return {name: _into_rows(pieces, len(rows.times_ns)) for name, pieces in found.items()}


def _into_rows(pieces: list[FieldValues], rows: int) -> pa.Array:
    """Values put into their rows, null elsewhere."""
    places, values = np.concatenate([piece.rows for piece in pieces]), pa.concat_arrays([piece.values for piece in pieces])
    if len(places) == rows and (places == np.arange(rows)).all():
        return values
    source = np.full(rows, -1, np.int64)
    source[places] = np.arange(len(places))
    return values.take(pa.array(source, mask=source < 0))
