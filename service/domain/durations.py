"""Durations as users write them: `30d`, `1h`, `15m`; and for `every` also `500ms`, `1mo`, `1y`.

The form is a positive whole number and one unit. Any other form is refused with this form in the message, and with what
was probably meant (`30days`: 30d); nothing is rounded or guessed.
"""

import re
from dataclasses import dataclass

from service.errors import InvalidParameter

SECOND_NS = 1_000_000_000
MINUTE_NS, HOUR_NS, DAY_NS, WEEK_NS = 60 * SECOND_NS, 3_600 * SECOND_NS, 86_400 * SECOND_NS, 7 * 86_400 * SECOND_NS
_UNIT_NS = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": WEEK_NS}
_HINT = "Write a whole number and one unit, s, m, h, d or w: 30s, 15m, 1h, 30d, 4w."
_FORM = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
LONGEST_NS = 2**63 - 1
"""A duration must fit the nanoseconds of one signed 64-bit integer (292 years)."""
LONGEST_MONTHS = 12 * 292
EVERY_UNIT_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, **_UNIT_NS}
"""The units of windows that have one length, ascending."""
_MONTHS = {"mo": 1, "y": 12}
_EVERY_HINT = "Write a whole number and one unit, ns, us, ms, s, m, h, d, w, mo or y: 500ms, 15m, 1h, 1d, 1mo, 1y."
_MOST_DIGITS = 9
_EVERY_FORM = re.compile(r"([0-9]{1,9})(ns|us|ms|mo|[smhdwy])", re.ASCII)
_NEAR_FORM = re.compile(r"([0-9]{1,9})[ _]?([A-Za-z\u00b5\u03bc]{1,12})")
_WORDS = {
    "ns": ("nanosecond", "nsec", "nano"),
    "us": ("microsecond", "usec", "micro", "\u00b5s", "\u03bcs"),
    "ms": ("millisecond", "msec", "milli"),
    "s": ("second", "sec"),
    "m": ("minute", "min"),
    "h": ("hour", "hr"),
    "d": ("day",),
    "w": ("week", "wk"),
    "mo": ("month", "mon", "mth"),
    "y": ("year", "yr"),
}
_UNIT_OF_WORD = {word: unit for unit, words in _WORDS.items() for word in (unit, *words)}


@dataclass(frozen=True)
class Length:
    """How long a window is: `ns` nanoseconds, or `months` of the calendar. Exactly one of both is positive."""

    ns: int = 0
    months: int = 0

    def __post_init__(self) -> None:
        if min(self.ns, self.months) < 0 or (self.ns > 0) == (self.months > 0):
            raise ValueError(f"no length: {self.ns} ns and {self.months} months")


def parse_duration(text: str, parameter: str) -> int:
    """Nanoseconds of `text` (`{int}{s|m|h|d|w}`, at least 1 second).

    Raises:
        InvalidParameter: another form, zero, negative, fractional, or longer than 292 years.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            parameter,
            f"{parameter}={text[:100]!r} is not a duration.{_meant(text, _UNIT_NS)} {_HINT}",
        )
    length_ns = int(match[1]) * _UNIT_NS[match[2]]
    _bound(text, parameter, length_ns, LONGEST_NS, "1s")
    return length_ns


def parse_every(text: str, parameter: str) -> Length:
    """The length of windows: `{int}{ns|us|ms|s|m|h|d|w}`, or a number of calendar months (`mo`) or years (`y`).

    Raises:
        InvalidParameter: another form, zero, negative, fractional, or longer than 292 years.
    """
    match = _EVERY_FORM.fullmatch(text)
    if match is None:
        meant = _meant(text, {**EVERY_UNIT_NS, **_MONTHS})
        raise InvalidParameter(parameter, f"{parameter}={text[:100]!r} is not a duration.{meant} {_EVERY_HINT}")
    number, unit = int(match[1]), match[2]
    if unit in _MONTHS:
        _bound(text, parameter, number * _MONTHS[unit], LONGEST_MONTHS, "1mo")
        return Length(months=number * _MONTHS[unit])
    _bound(text, parameter, number * EVERY_UNIT_NS[unit], LONGEST_NS, "1ns")
    return Length(number * EVERY_UNIT_NS[unit])


def _bound(text: str, parameter: str, length: int, longest: int, shortest: str) -> None:
    if length == 0:
        raise InvalidParameter(parameter, f"{parameter}={text!r} is empty. The shortest duration is {shortest}.")
    if length > longest:
        reason = "is longer than 292 years, the longest duration there is"
        raise InvalidParameter(parameter, f"{parameter}={text!r} {reason}.")


def _meant(text: str, units: dict[str, int]) -> str:
    """What was probably meant, as a sentence after a space; empty when nothing comes to mind."""
    match = _NEAR_FORM.fullmatch(text.strip())
    if match is None:
        return ""
    word = "mo" if match[2] == "M" else match[2].lower()
    unit = _UNIT_OF_WORD.get(word) or _UNIT_OF_WORD.get(word.removesuffix("s"))
    if unit is None:
        return ""
    if unit in units:
        return f" Did you mean {match[1]}{unit}?"
    if unit in _MONTHS:
        return " Months and years are lengths for every=; say this range in days, or with start and stop."
    return ""


def format_duration(length_ns: int) -> str:
    """The shortest text that `parse_duration` reads back as `length_ns` (whole seconds, positive)."""
    for unit in ("w", "d", "h", "m", "s"):
        if length_ns % _UNIT_NS[unit] == 0:
            return f"{length_ns // _UNIT_NS[unit]}{unit}"
    raise ValueError(f"{length_ns} ns is no whole number of seconds")


def format_every(length_ns: int) -> str:
    """The text of a window of one length that `parse_every` reads back, in the longest unit that fits."""
    for unit, unit_ns in reversed(EVERY_UNIT_NS.items()):
        if length_ns % unit_ns == 0 and length_ns // unit_ns < 10**_MOST_DIGITS:
            return f"{length_ns // unit_ns}{unit}"
    raise ValueError(f"{length_ns} ns cannot be said in one unit and {_MOST_DIGITS} digits")
