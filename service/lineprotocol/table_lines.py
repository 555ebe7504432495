"""Writes the rows of a table as lines, in their order: one line per row, with every field that has a value there.

Types and bits stay exact. A value or row that line protocol cannot hold is named with its row; all others are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.lineprotocol.names import KEY_TOO_LONG, MAX_KEY_BYTES, Unwritable, quote_field
from service.lineprotocol.points_builder import joined_by_line, print_lines
from service.lineprotocol.prefixes import line_prefixes
from service.lineprotocol.unwritable import NO_TIME
from service.lineprotocol.value_texts import unwritable_values, value_texts

Longs = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_TEXT = pa.large_string()
_NOTHING = pa.scalar("", _TEXT)


@dataclass(frozen=True)
class FieldColumn:
    """Values of one type (`service.frames.frame.VALUE_TYPES`), null where absent; `name` is that of all or of each."""

    name: str | pa.StringArray
    values: pa.Array


@dataclass(frozen=True)
class PointRows:
    """Rows of points. `measurement` is that of all or of each row; a tag that is null is absent."""

    times_ns: Longs
    measurement: str | pa.StringArray
    tags: dict[str, pa.StringArray]
    fields: tuple[FieldColumn, ...]


@dataclass(frozen=True)
class WrittenRows:
    """`text[offsets[i]:offsets[i + 1]]` is the line of row `rows[i]`. `refused` names rows, with the reason.

    `empty` counts the rows that have no value at all.
    """

    text: bytes
    offsets: Longs
    rows: Longs
    refused: tuple[tuple[int, str], ...]
    empty: int


def write_rows(rows: PointRows) -> WrittenRows:
    """The lines of `rows`."""
    count = len(rows.times_ns)
    refused: dict[int, str] = {}
    if not count:
        return WrittenRows(b"", np.zeros(1, np.int64), np.zeros(0, np.int64), (), 0)
    prefixes, sizes, bad = _prefixes(rows, refused)
    outside = (rows.times_ns < EARLIEST_NS) | (rows.times_ns > LATEST_NS)
    bad |= _refuse(refused, outside, NO_TIME)
    texts, values = [], np.zeros(count, np.bool_)
    for column in rows.fields:
        text, wrong = _field_texts(column, sizes, refused)
        values |= column.values.is_valid().to_numpy(zero_copy_only=False)
        texts.append(_blanked(text, wrong))
    joined = pc.binary_join_element_wise(*texts, _NOTHING, null_handling="replace", null_replacement="")
    written = pc.greater(pc.binary_length(joined), 0).to_numpy(zero_copy_only=False) & ~bad
    chosen = np.flatnonzero(written)
    fields = joined_by_line(joined.take(pa.array(chosen)), np.arange(len(chosen)))
    prefix = prefixes.take(pa.array(chosen)).cast(pa.large_binary())
    text, offsets = print_lines([prefix, fields], rows.times_ns[chosen])
    empty = int(np.count_nonzero(~values & ~bad))
    return WrittenRows(text, offsets, chosen, tuple(sorted(refused.items())), empty)


def _prefixes(rows: PointRows, refused: dict[int, str]) -> tuple[pa.Array, Longs, Mask]:
    """Measurement and tags of each row, their sizes in bytes, and the rows that have none."""
    count = len(rows.times_ns)
    if isinstance(rows.measurement, str):
        prefixes = line_prefixes(rows.measurement, rows.tags, count)
        texts, sizes, unwritable = prefixes.texts, prefixes.sizes, prefixes.unwritable
    else:
        texts, sizes, unwritable = _by_measurement(rows.measurement, rows.tags)
    bad = np.zeros(count, np.bool_)
    bad[list(unwritable)] = True
    refused.update(unwritable)
    return texts, sizes, bad


def _by_measurement(
    measurement: pa.StringArray, tags: dict[str, pa.StringArray]
) -> tuple[pa.Array, Longs, dict[int, str]]:
    codes = measurement.dictionary_encode()
    numbers = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    parts, order = [], []
    unwritable = {int(row): "the row has no measurement" for row in np.flatnonzero(numbers < 0)}
    for number, name in [(-1, "?"), *enumerate(codes.dictionary.to_pylist())]:
        rows = np.flatnonzero(numbers == number)
        if not len(rows):
            continue
        chosen = pa.array(rows)
        prefixes = line_prefixes(name, {key: column.take(chosen) for key, column in tags.items()}, len(rows))
        parts.append(prefixes.texts)
        order.append(rows)
        unwritable |= {int(rows[row]): reason for row, reason in prefixes.unwritable.items()}
    positions = np.argsort(np.concatenate(order), kind="stable")
    texts = pa.concat_arrays(parts).take(pa.array(positions))
    return texts, pc.binary_length(texts).to_numpy(), unwritable


def _field_texts(column: FieldColumn, sizes: Longs, refused: dict[int, str]) -> tuple[pa.Array, Mask]:
    """`,name=value` of each row, null where it is absent; and the rows whose value cannot be written."""
    wrong = np.zeros(len(sizes), np.bool_)
    present = column.values.is_valid().to_numpy(zero_copy_only=False)
    if isinstance(column.name, str):
        try:
            name = quote_field(column.name).decode()
        except Unwritable as reason:
            return pa.nulls(len(sizes), _TEXT), _refuse(refused, present, str(reason))
        texts = value_texts(f",{name}=", column.values)
        wrong |= _refuse(refused, present & (sizes + 4 + len(name.encode()) > MAX_KEY_BYTES), KEY_TOO_LONG)
    else:
        names, unnameable = _names(column.name, present, refused)
        wrong |= unnameable
        lengths = pc.binary_length(names).fill_null(0).to_numpy(zero_copy_only=False)
        wrong |= _refuse(refused, present & (sizes + 4 + lengths > MAX_KEY_BYTES), KEY_TOO_LONG)
        texts = pc.binary_join_element_wise(names, value_texts("", column.values), _NOTHING)
    objection = unwritable_values(column.values.fill_null(_STAND_INS.get(column.values.type, 0)))
    if objection is not None:
        named = f"the field {column.name!r}: " if isinstance(column.name, str) else ""
        wrong |= _refuse(refused, objection[0] & present, f"{named}{objection[1]}")
    return texts, wrong


_STAND_INS = {pa.float64(): 0.0, pa.string(): "", pa.bool_(): False}


def _names(names: pa.StringArray, present: Mask, refused: dict[int, str]) -> tuple[pa.Array, Mask]:
    """`,name=` of each row."""
    codes = names.dictionary_encode()
    numbers = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    wrong = _refuse(refused, present & (numbers < 0), "the row has no field name")
    texts: list[str | None] = []
    for number, name in enumerate(codes.dictionary.to_pylist()):
        try:
            texts.append(f",{quote_field(name).decode()}=")
        except Unwritable as reason:
            texts.append(None)
            wrong |= _refuse(refused, present & (numbers == number), str(reason))
    return pa.array(texts, _TEXT).take(codes.indices), wrong


def _refuse(refused: dict[int, str], rows: Mask, reason: str) -> Mask:
    """Note the reason for each of `rows` that has none yet."""
    for row in _numbers(rows):
        refused.setdefault(row, reason)
    return rows


def _numbers(rows: Mask) -> Iterator[int]:
    yield from np.flatnonzero(rows).tolist()


def _blanked(texts: pa.Array, wrong: Mask) -> pa.Array:
    return pc.if_else(pa.array(wrong), pa.scalar(None, _TEXT), texts) if wrong.any() else texts
