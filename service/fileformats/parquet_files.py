"""Reads Parquet as points: long as Fluxgate exports it, or wide with named columns. Types are those of the file.

Batches of rows are read one after the other, so memory does not grow with the file.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from service.domain.schema import FieldType
from service.encoding.parquet_arrow import TAG_KEY
from service.errors import FileRefused
from service.fileformats.cell_values import Bad, values_of
from service.fileformats.column_roles import ColumnRoles, TableForm, roles_of
from service.fileformats.pieces import Piece, Position
from service.fileformats.plain_csv import table_piece, without_empty
from service.frames.frame import VALUE_TYPES
from service.lineprotocol.table_lines import FieldColumn, PointRows

MAGIC = b"PAR1"
_TAG_KEY = TAG_KEY.encode()
_BATCH_ROWS = 32_768
_LONG = ("_time", "_field", "_measurement")
_WIDE_TYPES = (
    (pa.types.is_floating, FieldType.FLOAT),
    (pa.types.is_signed_integer, FieldType.INTEGER),
    (pa.types.is_unsigned_integer, FieldType.UNSIGNED),
    (pa.types.is_boolean, FieldType.BOOLEAN),
    (pa.types.is_string, FieldType.STRING),
    (pa.types.is_large_string, FieldType.STRING),
)


class ParquetRows:
    """The rows of a Parquet file from `position` on, whose `place` counts rows. Raises FileRefused."""

    def __init__(self, name: str, file: BinaryIO, form: TableForm, position: Position) -> None:
        self._name = name
        self._form = form
        self._position = position
        try:
            self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=1024 * 1024)
        except (pa.ArrowInvalid, OSError) as broken:
            reason = str(broken)[:150]
            raise FileRefused(
                f"{name} is no whole Parquet file: was it cut? Nothing was imported ({reason})."
            ) from None
        self.rows = int(self._file.metadata.num_rows)
        self._schema = self._file.schema_arrow
        is_long = form.time is None and set(_LONG) <= set(self._schema.names)
        self._roles = None if is_long else roles_of(self._schema.names, form, name)

    def pieces(self) -> Iterator[Piece]:
        """The rows as lines. Raises FileRefused."""
        done = 0
        groups = range(self._file.num_row_groups)
        while groups and (size := self._group_rows(groups[0])) + done <= self._position.place:
            done, groups = done + size, groups[1:]
        names = self._schema.names
        if self._roles is not None:
            names = [names[place] for place in self._roles.used]
        batches = self._file.iter_batches(_BATCH_ROWS, list(groups), columns=names) if groups else iter(())
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowInvalid, OSError) as broken:
                place = f"behind row {done:,}"
                raise FileRefused(
                    f"{self._name} is damaged {place}: {str(broken)[:150]}. Rows before are stored."
                ) from None
            if batch is None:
                return
            skipped = min(max(self._position.place - done, 0), batch.num_rows)
            first = done + skipped
            done += batch.num_rows
            if skipped < batch.num_rows:
                yield self._piece(batch.slice(skipped), first)

    def _group_rows(self, group: int) -> int:
        return int(self._file.metadata.row_group(group).num_rows)

    def _piece(self, batch: pa.RecordBatch, first: int) -> Piece:
        lines = np.arange(first + 1, first + 1 + batch.num_rows)
        after = Position(first + batch.num_rows, first + 1 + batch.num_rows)
        points, bad_times, bad_values = self._long(batch) if self._roles is None else self._wide(batch, self._roles)
        return table_piece(points, lines, after, bad_times, bad_values)

    def _long(self, batch: pa.RecordBatch) -> tuple[PointRows, Bad, list[tuple[int, str]]]:
        times, bad = self._times(batch.column("_time"), "_time")
        names = _texts(batch.column("_field"), "_field", self._name)
        tags, fields = {}, []
        for column in self._schema.names:
            if column in _LONG:
                continue
            if _is_value(column, self._schema):
                fields.append(FieldColumn(names, self._values(batch.column(column), column)[0]))
            else:
                key = (self._schema.field(column).metadata or {}).get(_TAG_KEY, column.encode()).decode()
                tags[key] = without_empty(_texts(batch.column(column), column, self._name))
        measurement = _texts(batch.column("_measurement"), "_measurement", self._name)
        return PointRows(times, measurement, tags, tuple(fields)), bad, []

    def _wide(self, batch: pa.RecordBatch, roles: ColumnRoles) -> tuple[PointRows, Bad, list[tuple[int, str]]]:
        times, bad = self._times(batch.column(roles.names[roles.time]), roles.names[roles.time])
        fields, wrong = [], []
        for place, target in roles.fields.items():
            column = roles.names[place]
            values, bad_values = self._values(batch.column(column), column)
            fields.append(FieldColumn(target, values))
            wrong += [(row, f"the column {column!r}: {reason}") for row, reason in bad_values.items()]
        tags = {
            target: without_empty(_texts(batch.column(roles.names[place]), roles.names[place], self._name))
            for place, target in roles.tags.items()
        }
        measurement = roles.measurement
        name: str | pa.StringArray = measurement if isinstance(measurement, str) else ""
        if isinstance(measurement, int):
            column = roles.names[measurement]
            name = without_empty(_texts(batch.column(column), column, self._name))
        return PointRows(times, name, tags, tuple(fields)), bad, wrong

    def _times(self, column: pa.Array, name: str) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", Bad]:
        plain = _plain(column)
        if pa.types.is_timestamp(plain.type):
            return self._form.time_form.of_timestamps(plain)
        if pa.types.is_integer(plain.type):
            return self._form.time_form.of_numbers(plain)
        if pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type):
            return self._form.time_form.read(plain.cast(pa.string()))
        raise FileRefused(f"{self._name}: the column {name!r} holds {plain.type}, which is no time.")

    def _values(self, column: pa.Array, name: str) -> tuple[pa.Array, Bad]:
        """The values in the widest type of their kind, which holds each of them exactly; or as `--type` says."""
        plain = _plain(column)
        wanted = self._form.types.get(name)
        field_type = next((kind for is_kind, kind in _WIDE_TYPES if is_kind(plain.type)), None)
        if pa.types.is_null(plain.type):
            return pa.nulls(len(plain), VALUE_TYPES[wanted or FieldType.FLOAT]), {}
        if wanted is None or wanted is field_type:
            if field_type is None:
                advice = f"Leave it out by naming the others with --field, or give a type: --type {name}=string"
                raise FileRefused(
                    f"{self._name}: the column {name!r} holds {plain.type}, which no field can. {advice}."
                )
            return plain.cast(VALUE_TYPES[field_type]), {}
        texts = plain.cast(pa.string())
        return values_of(texts, wanted)


def _is_value(name: str, schema: pa.Schema) -> bool:
    """Whether a column of a long export holds values. Tags that look like one say so in their metadata."""
    if _TAG_KEY in (schema.field(name).metadata or {}):
        return False
    return name == "_value" or name in [f"_value_{field_type}" for field_type in FieldType]


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _texts(column: pa.Array, name: str, file: str) -> pa.StringArray:
    plain = _plain(column)
    if pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type) or pa.types.is_integer(plain.type):
        return plain.cast(pa.string())
    if pa.types.is_null(plain.type):
        return pa.nulls(len(plain), pa.string())
    raise FileRefused(f"{file}: the column {name!r} holds {plain.type}. A tag or name is text.")
