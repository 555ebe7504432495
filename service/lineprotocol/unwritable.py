"""Separates the values that line protocol cannot hold from the others, and gives the reason for each.

InfluxDB holds some of them because they came another way: a tag that ends with a backslash, a name with a line feed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import FieldSeries
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.frames.label_combinations import rows_by_code
from service.frames.row_alignment import AlignedRows, FieldValues, Ints
from service.lineprotocol import value_texts
from service.lineprotocol.names import KEY_TOO_LONG, MAX_KEY_BYTES, Unwritable, quote_field
from service.lineprotocol.prefixes import Prefixes

_Mask = npt.NDArray[np.bool_]
_Objection = tuple[_Mask, Callable[[int], str]]
"""Which values cannot be written, and the reason by the number of their series."""
NO_TIME = "the time is outside 1677-09-21 to 2262-04-11, what InfluxDB can store"


@dataclass(frozen=True)
class UnwritableValues:
    """Values of one field series that no line can hold, and the reason. `values[i]` is the value at `times_ns[i]`."""

    series: FieldSeries
    reason: str
    times_ns: Ints
    values: pa.Array

    def __len__(self) -> int:
        return len(self.times_ns)


def split_writable(
    rows: AlignedRows,
    prefixes: Prefixes,
    field_values: FieldValues,
) -> tuple[FieldValues, list[UnwritableValues]]:
    """The values of a field that lines can hold, and those that they cannot. Of several reasons the first counts."""
    bad = np.zeros(len(field_values.rows), np.bool_)
    unwritable: list[UnwritableValues] = []
    for objected, reason_of in _objections(rows, prefixes, field_values):
        unwritable += _by_series(rows, field_values, np.flatnonzero(objected & ~bad), reason_of)
        bad |= objected
    if not unwritable:
        return field_values, []
    good = np.flatnonzero(~bad)
    good_values = field_values.values.take(pa.array(good))
    return FieldValues(field_values.field, field_values.type, field_values.rows[good], good_values), unwritable


def _objections(rows: AlignedRows, prefixes: Prefixes, field_values: FieldValues) -> Iterator[_Objection]:
    """The values of a field that cannot be written, reason by reason."""
    try:
        name = quote_field(field_values.field)
    except Unwritable as refused:
        reason = str(refused)
        yield np.ones(len(field_values.rows), np.bool_), lambda _: reason
        return
    if prefixes.unwritable:
        yield np.isin(rows.series[field_values.rows], list(prefixes.unwritable)), prefixes.unwritable.__getitem__
    too_long = prefixes.sizes + 4 + len(name) > MAX_KEY_BYTES
    if too_long.any():
        yield too_long[rows.series[field_values.rows]], lambda _: KEY_TOO_LONG
    outside = (rows.times_ns < EARLIEST_NS) | (rows.times_ns > LATEST_NS)
    if outside.any():
        yield outside[field_values.rows], lambda _: NO_TIME
    unwritable = value_texts.unwritable_values(field_values.values)
    if unwritable is not None:
        mask, reason_of_values = unwritable
        yield mask, lambda _: reason_of_values


def _by_series(
    rows: AlignedRows,
    field_values: FieldValues,
    chosen: Ints,
    reason_of: Callable[[int], str],
) -> Iterator[UnwritableValues]:
    """The chosen values, one series after the other."""
    series = rows.series[field_values.rows[chosen]]
    for positions in rows_by_code(series):
        number, indices = int(series[positions[0]]), chosen[positions]
        [key] = rows.series_keys(slice(number, number + 1))
        yield UnwritableValues(
            FieldSeries(key, field_values.field, field_values.type),
            reason_of(number),
            rows.times_ns[field_values.rows[indices]],
            field_values.values.take(pa.array(indices)),
        )
