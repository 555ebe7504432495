"""Times as the dates of a spreadsheet: days since 1899-12-30 on the local clock, without a zone, as a double.

A date is exact to the millisecond, from March 1900 (before it, spreadsheets disagree) until the year 9999. Other times,
and those in an hour that the local clock shows twice, stay text with their offset.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.encoding.time_texts import Ints, offsets_s, rfc3339

_MS_NS = 1_000_000
_SECOND_MS = 1000
_DAY_MS = 86_400_000
_EPOCH_DAY = 25_569
"""1970-01-01, counted from 1899-12-30."""
_FIRST_DAY, _LAST_DAY = 61, 2_958_465
_EPOCH = dt.datetime(1970, 1, 1)
SECOND_STYLE, MILLISECOND_STYLE = 1, 2
"""Cell formats, as `service.encoding.sheet_package` numbers them."""


@dataclass(frozen=True)
class SheetTimes:
    """One for each row. `serials` and `styles` mean something where `exact` is true; `texts` gives all as RFC 3339."""

    exact: npt.NDArray[np.bool_]
    serials: pa.StringArray
    styles: pa.StringArray
    texts: Callable[[], pa.StringArray]


def sheet_times(times: pa.Array, zone: str) -> SheetTimes:
    """`zone` is an IANA name that exists."""
    times_ns = times.view(pa.int64()).to_numpy()
    local_ms, twice = _local_clock(times_ns, zone)
    days = local_ms // _DAY_MS + _EPOCH_DAY
    exact = (times_ns % _MS_NS == 0) & (days >= _FIRST_DAY) & (days <= _LAST_DAY) & ~twice
    serials = pa.array(local_ms / _DAY_MS + _EPOCH_DAY).cast(pa.string())
    styles = pa.array(np.where(local_ms % _SECOND_MS == 0, SECOND_STYLE, MILLISECOND_STYLE)).cast(pa.string())
    return SheetTimes(exact, serials, styles, lambda: rfc3339(times_ns, zone))


def _local_clock(times_ns: Ints, zone: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """What the clock of `zone` shows, in ms since 1970-01-01T00:00 on it, and whether it shows that twice."""
    if zone == "UTC":
        return times_ns // _MS_NS, np.zeros(len(times_ns), np.bool_)
    local_ms = times_ns // _MS_NS + offsets_s(times_ns // (_MS_NS * _SECOND_MS), zone) * _SECOND_MS
    minutes, minute_of_row = np.unique(local_ms // (60 * _SECOND_MS), return_inverse=True)
    info = ZoneInfo(zone)
    twice = np.array([_is_twice(minute, info) for minute in minutes.tolist()], np.bool_)
    return local_ms, twice[minute_of_row]


def _is_twice(minute: int, info: ZoneInfo) -> bool:
    first = (_EPOCH + dt.timedelta(minutes=minute)).replace(tzinfo=info)
    return first.utcoffset() != first.replace(fold=1).utcoffset()
