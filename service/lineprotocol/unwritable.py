"""Points that line protocol cannot hold, told apart from those that it can, each with the reason.

InfluxDB holds some that came another way: a tag that ends in a backslash, a name with a line feed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.series import FieldSeries
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.frames.label_codes import rows_by_code
from service.frames.row_alignment import AlignedRows, FieldValues, Ints
from service.lineprotocol import value_texts
from service.lineprotocol.names import MAX_KEY_BYTES, Unwritable, quote_field
from service.lineprotocol.prefixes import Prefixes

_Mask = npt.NDArray[np.bool_]
_Objection = tuple[_Mask, Callable[[int], str]]
_KEY_TOO_LONG = f"measurement, tags and field name take more than the {MAX_KEY_BYTES} bytes that InfluxDB holds"
_NO_TIME = "the time is outside 1677-09-21 to 2262-04-11, what InfluxDB can store"


@dataclass(frozen=True)
class UnwritableValues:
    """Values of one series for which there is no line, and why: `values[i]` stands at `times_ns[i]`."""

    series: FieldSeries
    reason: str
    times_ns: Ints
    values: pa.Array

    def __len__(self) -> int:
        return len(self.times_ns)


def split_writable(rows: AlignedRows, prefixes: Prefixes, piece: FieldValues) -> tuple[FieldValues, list[UnwritableValues]]:
    """What of a piece of `rows` can be written, and what not. Of several reasons the first is told."""
    bad = np.zeros(len(piece.rows), np.bool_)
    unwritable: list[UnwritableValues] = []
    for objected, reason_of in _objections(rows, prefixes, piece):
        unwritable += _by_series(rows, piece, np.flatnonzero(objected & ~bad), reason_of)
        bad |= objected
    if not unwritable:
        return piece, []
    good = np.flatnonzero(~bad)
    return FieldValues(piece.field, piece.type, piece.rows[good], piece.values.take(pa.array(good))), unwritable


def _objections(rows: AlignedRows, prefixes: Prefixes, piece: FieldValues) -> Iterator[_Objection]:
    """Values that cannot be written, and the reason by their series."""
    try:
        name = quote_field(piece.field)
    except Unwritable as refused:
        reason = str(refused)
        yield np.ones(len(piece.rows), np.bool_), lambda _: reason
        return
    if prefixes.unwritable:
        yield np.isin(rows.series[piece.rows], list(prefixes.unwritable)), prefixes.unwritable.__getitem__
    too_long = prefixes.sizes + 4 + len(name) > MAX_KEY_BYTES
    if too_long.any():
        yield too_long[rows.series[piece.rows]], lambda _: _KEY_TOO_LONG
    outside = (rows.times_ns < EARLIEST_NS) | (rows.times_ns > LATEST_NS)
    if outside.any():
        yield outside[piece.rows], lambda _: _NO_TIME
    values = value_texts.unwritable_values(piece.values)
    if values is not None:
        yield values[0], lambda _: values[1]


def _by_series(rows: AlignedRows, piece: FieldValues, chosen: Ints, reason_of: Callable[[int], str]) -> Iterator[UnwritableValues]:
    """The chosen values, a series at a time."""
    series = rows.series[piece.rows[chosen]]
    for places in rows_by_code(series):
        number, some = int(series[places[0]]), chosen[places]
        [key] = rows.series_keys(slice(number, number + 1))
        series_of_values = FieldSeries(key, piece.field, piece.type)
        yield UnwritableValues(series_of_values, reason_of(number), rows.times_ns[piece.rows[some]], piece.values.take(pa.array(some)))
