"""Rows of an answer, in one form for long and wide answers, so that each format is written once."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from service.encoding.columns import Column, Role
from service.errors import StoreBroken
from service.frames import long_form
from service.frames.frame import value_type


@dataclass(frozen=True)
class Rows:
    """Columns of equal length, by their names in the answer (`service.encoding.columns`).

    `labels` holds measurement, field names and tags as dictionary arrays; `values` holds arrays of the types in
    `VALUE_TYPES`. A column of the answer that is in neither is absent in all rows.
    """

    times: pa.Array
    labels: dict[str, pa.DictionaryArray]
    values: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.times)

    def slice(self, start: int, length: int) -> "Rows":
        return Rows(
            self.times.slice(start, length),
            {name: column.slice(start, length) for name, column in self.labels.items()},
            {name: column.slice(start, length) for name, column in self.values.items()},
        )


def long_rows(frame: pa.RecordBatch, columns: tuple[Column, ...]) -> Rows:
    """The rows of a frame. Its values are in the column of their type, or in the one for all types.

    Raises StoreBroken when the frame holds a type or tag that `columns` lack.
    """
    names = {Role.FIELD_NAME: long_form.fields(frame), Role.MEASUREMENT: long_form.measurements(frame)}
    tags = dict(zip(long_form.tag_keys(frame), long_form.tags(frame), strict=True))
    labels, values = {}, {}
    for column in columns:
        label = tags.get(column.source) if column.role is Role.TAG else names.get(column.role)
        if label is not None:
            labels[column.name] = label
        elif column.role is Role.VALUE and column.type in (None, value_type(frame)):
            values[column.name] = long_form.values(frame)
    if not values:
        change = f"A field of {long_form.measurement(frame)} began to hold {value_type(frame)} values"
        raise StoreBroken(f"{change} during the read. Ask again.")
    if not tags.keys() <= {column.source for column in columns if column.role is Role.TAG}:
        raise StoreBroken(f"A tag key appeared in {long_form.measurement(frame)} during the read. Ask again.")
    return Rows(long_form.times(frame), labels, values)


def split_rows(rows: Rows, length: int) -> Iterator[Rows]:
    """`rows` in parts of at most `length`."""
    if len(rows) <= length:
        yield rows
        return
    for start in range(0, len(rows), length):
        yield rows.slice(start, length)
