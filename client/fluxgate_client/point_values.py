"""Checks one value of a point: it has the declared type and can be stored exactly, or it is refused with what to do."""

import datetime as dt
import math
import numbers
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from fluxgate_client.columns import Column
from fluxgate_client.errors import InvalidRequest
from fluxgate_client.points import quoted

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY_S = 86_400
EARLIEST_NS, LATEST_NS = -(2**63) + 2, 2**63 - 2
"""The times that InfluxDB can store: 1677-09-21 to 2262-04-11."""


def checked_value(value: object, column: Column, kind: str) -> object:
    """`value` as it is stored in `column`; None is absent. `kind` names the class in errors. Raises InvalidRequest."""
    place = f"{kind}.{column.member}"
    if value is None:
        if not column.optional:
            raise InvalidRequest(f"{place} is missing. Declare it with | None where it may be absent.")
        return None
    checked = _CHECKS[column.type](value, place)
    if column.is_tag:
        quoted(checked, place)
    return checked


def nanoseconds(moment: object, place: str) -> int:
    """Nanoseconds since 1970 of an aware datetime (pandas timestamps too), or of a number of them.

    Raises InvalidRequest.
    """
    if isinstance(moment, dt.datetime):
        if moment.utcoffset() is None:
            raise InvalidRequest(
                f"{place}={moment!r} has no time zone, so it names no instant. Add tzinfo=datetime.UTC or a ZoneInfo."
            )
        since = moment - _EPOCH
        seconds = since.days * _DAY_S + since.seconds
        time_ns = (seconds * 1_000_000 + since.microseconds) * 1_000 + int(getattr(moment, "nanosecond", 0))
    elif isinstance(moment, bool) or not isinstance(moment, numbers.Integral):
        raise InvalidRequest(f"{place}={moment!r} is no aware datetime, and no whole number of nanoseconds since 1970.")
    else:
        time_ns = int(moment)
    if not EARLIEST_NS <= time_ns <= LATEST_NS:
        raise InvalidRequest(f"{place}={moment!r} is outside 1677-09-21 to 2262-04-11, what InfluxDB can store.")
    return time_ns


def _float(value: Any, place: str) -> float:  # noqa: ANN401  (what a caller gives)
    """Integers and other real numbers count where a float holds them exactly."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidRequest(f"{place}={value!r} is no number. {_cast('float', value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidRequest(f"{place}={value!r} cannot be stored. Leave the field out (None) where there is none.")
    if number != value:
        raise InvalidRequest(f"{place}={value!r} is no float exactly. {_cast('float', value)}")
    return number


def _whole(least: int, most: int) -> Callable[[Any, str], int]:
    def check(value: Any, place: str) -> int:  # noqa: ANN401  (what a caller gives)
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise InvalidRequest(f"{place}={value!r} is no whole number. {_cast('int', value)}")
        if not least <= int(value) <= most:
            raise InvalidRequest(f"{place}={value!r} is outside {least} to {most}.")
        return int(value)

    return check


def _truth(value: object, place: str) -> bool:
    if type(value).__name__ not in ("bool", "bool_"):  # the second is numpy's
        raise InvalidRequest(f"{place}={value!r} is neither True nor False.")
    return bool(value)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{place}={value!r} is no text. {_cast('str', value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{place}={value!r} holds half a character (a surrogate), which UTF-8 cannot.") from None
    return str(value)


def _cast(kind: str, value: object) -> str:
    return f"It is {type(value).__name__}: convert it yourself, with {kind}(…), if that is what you mean."


_CHECKS: dict[pa.DataType, Callable[[Any, str], Any]] = {
    pa.float64(): _float,
    pa.int64(): _whole(-(2**63), 2**63 - 1),
    pa.uint64(): _whole(0, 2**64 - 1),
    pa.bool_(): _truth,
    pa.large_string(): _text,
}
