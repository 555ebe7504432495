"""Durations as users write them: `30d`, `1h`, `15m`.

Windows and `every` have the same form: a positive whole number and one unit. Any other form is refused with this form
in the message; nothing is rounded or guessed.
"""

import re

from service.errors import InvalidParameter

SECOND_NS = 1_000_000_000
_UNIT_NS = {
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3_600 * SECOND_NS,
    "d": 86_400 * SECOND_NS,
    "w": 7 * 86_400 * SECOND_NS,
}
_HINT = "Write a whole number and one unit, s, m, h, d or w: 30s, 15m, 1h, 30d, 4w."
_FORM = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
LONGEST_NS = 2**63 - 1
"""A duration must fit the nanoseconds of one signed 64-bit integer (292 years)."""


def parse_duration(text: str, parameter: str) -> int:
    """Nanoseconds of `text` (`{int}{s|m|h|d|w}`, at least 1 second).

    Raises:
        InvalidParameter: another form, zero, negative, fractional, or longer than 292 years.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            parameter,
            f"{parameter}={text!r} is not a duration. {_HINT}",
        )
    length_ns = int(match[1]) * _UNIT_NS[match[2]]
    if length_ns == 0:
        raise InvalidParameter(parameter, f"{parameter}={text!r} is empty. The shortest duration is 1s.")
    if length_ns > LONGEST_NS:
        reason = "is longer than 292 years, the longest duration there is"
        raise InvalidParameter(parameter, f"{parameter}={text!r} {reason}.")
    return length_ns


def format_duration(length_ns: int) -> str:
    """The shortest text that `parse_duration` reads back as `length_ns` (whole seconds, positive)."""
    for unit in ("w", "d", "h", "m", "s"):
        if length_ns % _UNIT_NS[unit] == 0:
            return f"{length_ns // _UNIT_NS[unit]}{unit}"
    raise ValueError(f"{length_ns} ns is no whole number of seconds")
