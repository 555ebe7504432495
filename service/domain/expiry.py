"""When a key expires, as a person writes it: a duration, a day or a time."""

import re

from service.domain.durations import SECOND_NS, parse_duration
from service.domain.timerange import parse_time
from service.errors import InvalidParameter


def expiry(text: str, now: float) -> float:
    """The expiry in seconds since 1970, from an RFC 3339 time, a day (its begin in UTC) or a duration from `now`.

    Raises InvalidParameter for a text that is none of these, or a time that is over.
    """
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        text = f"{text}T00:00:00Z"
    at = parse_time(text, "expires") / SECOND_NS if re.match(r"\d{4}-", text, re.ASCII) else now + _seconds(text)
    if at <= now:
        raise InvalidParameter("expires", f"expires={text!r} is over already. Write a later time, or a duration: 30d.")
    return at


def _seconds(text: str) -> float:
    try:
        return parse_duration(text, "expires") / SECOND_NS
    except InvalidParameter as wrong:
        raise InvalidParameter("expires", f"{wrong.message} Or write a day, 2027-01-01, or an RFC 3339 time.") from None
