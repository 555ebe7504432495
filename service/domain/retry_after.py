"""Reads the header `Retry-After` (RFC 9110, 10.2.3): a number of seconds, or a date."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)


def retry_after_s(text: str | None, now_s: float) -> float | None:
    """Seconds to wait from `now_s` (seconds since 1970), at least 0; None without a header, or for another form."""
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        at_s = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0.0, at_s - now_s)
