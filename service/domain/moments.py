"""A moment as users write it: RFC 3339 with an offset, a number since 1970 with its unit, or a time of a named zone.

Nothing is guessed: a number without a unit, a local time without a zone, and a local time that comes twice or never are
refused with what to write instead.
"""

import datetime as dt
import re

from service.domain.durations import SECOND_NS
from service.domain.local_time import first_instant, instants_of, shown_ns
from service.domain.timerange import EARLIEST_NS, LATEST_NS, format_time, parse_time
from service.errors import InvalidParameter

_EPOCH_FORM = re.compile(r"(-?[0-9]{1,19})(s|ms|us|ns)", re.ASCII)
_BARE_NUMBER = re.compile(r"-?[0-9]{9,19}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)\.(\d{1,9}))?", re.ASCII)
_UNIT_NS = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DOMAIN = "1677-09-21 to 2262-04-11, what InfluxDB can store"


def parse_moment(text: str, parameter: str, zone: str | None, zone_parameter: str | None = "tz") -> int:
    """Nanoseconds since 1970 of `text`.

    `2026-01-31T00:00:00Z` and other RFC 3339 times with an offset; `1700000000s`, and `ms`, `us`, `ns` likewise. With a
    `zone` (IANA) also `2026-01-31T08:00`, `2026-01-31 08:00:00.5`, and `2026-01-31`, the instant at which that day
    begins there. `zone_parameter` is where the caller could have named a zone; None: nowhere.

    Raises:
        InvalidParameter: another form, a local time without a zone or in an hour that the zone's clock skips or
            repeats, no such day, or outside what InfluxDB can store.
    """
    number = _EPOCH_FORM.fullmatch(text)
    if number is not None:
        return _stored(int(number[1]) * _UNIT_NS[number[2]], text, parameter)
    if _BARE_NUMBER.fullmatch(text):
        raise InvalidParameter(parameter, f"{parameter}={text!r} has no unit.{_with_units(text)}")
    day, clock = _DATE.fullmatch(text), _LOCAL.fullmatch(text)
    if day is None and clock is None:
        return parse_time(text, parameter)
    if zone is None:
        reason = f"{parameter}={text!r} has no offset, so it names no instant."
        raise InvalidParameter(parameter, f"{reason} {_zone_advice(text, zone_parameter)}")
    return _day(text, parameter, zone) if clock is None else _clock_time(text, clock, parameter, zone)


def _zone_advice(text: str, zone_parameter: str | None) -> str:
    if zone_parameter is None:
        return f"Write an offset: {_with_offset(text)}."
    zones = f"{zone_parameter}=Europe/Berlin (or {zone_parameter}=UTC)"
    return f"Add {zone_parameter}=, such as {zones}, or write an offset: {_with_offset(text)}."


def _day(text: str, parameter: str, zone: str) -> int:
    """The instant at which the day `text` begins."""
    local_ns = _shown(text, text, parameter)
    instant_ns = first_instant(local_ns, zone)
    if instant_ns is None:
        raise InvalidParameter(parameter, f"{parameter}={text!r} is outside {_DOMAIN}.")
    if instant_ns == first_instant(local_ns + 86_400 * SECOND_NS, zone):
        raise InvalidParameter(parameter, f"{parameter}={text!r} is a day that {zone} skipped.")
    return instant_ns


def _clock_time(text: str, match: re.Match[str], parameter: str, zone: str) -> int:
    local_ns = _shown(f"{match[1]}T{match[2]}", text, parameter) + int((match[3] or "").ljust(9, "0"))
    _stored(local_ns, text, parameter)
    instants = instants_of(local_ns, zone)
    if len(instants) == 1:
        return _stored(instants[0], text, parameter)
    if instants:
        both = " and ".join(map(format_time, instants))
        reason = f"{parameter}={text!r} comes twice in {zone}, where the clock goes back: {both}."
        raise InvalidParameter(parameter, f"{reason} Write the one that you mean.")
    after_ns = first_instant(local_ns, zone)
    reason = f"{parameter}={text!r} does not exist in {zone}: its clock skips that time."
    change = "" if after_ns is None else f" The clock changes at {format_time(after_ns)}; write that, or another time."
    raise InvalidParameter(parameter, f"{reason}{change}")


def _shown(form: str, text: str, parameter: str) -> int:
    try:
        return shown_ns(dt.datetime.fromisoformat(form))
    except ValueError as broken:
        raise InvalidParameter(parameter, f"{parameter}={text!r} names no instant: {broken}.") from None


def _stored(time_ns: int, text: str, parameter: str) -> int:
    if not EARLIEST_NS <= time_ns <= LATEST_NS + 1:
        raise InvalidParameter(parameter, f"{parameter}={text!r} is outside {_DOMAIN}.")
    return time_ns


def _with_units(text: str) -> str:
    """The unit that fits a number of so many digits is named, and not taken."""
    unit = {9: "s", 10: "s", 12: "ms", 13: "ms", 15: "us", 16: "us", 18: "ns", 19: "ns"}.get(len(text.lstrip("-")))
    meant = f" Did you mean {text}{unit}?" if unit else ""
    return f"{meant} Write {text}s, {text}ms, {text}us or {text}ns since 1970."


def _with_offset(text: str) -> str:
    """A local time as one of UTC in the form of RFC 3339, which always has seconds."""
    rest = {len("2026-01-31"): "T00:00:00", len("2026-01-31T08:00"): ":00"}.get(len(text), "")
    return f"{text}{rest}Z"
