"""What part of an answer a request asks for: one range of bytes, of the state that it was asked for (RFC 9110, 14).

A range that cannot be read, or several of them, are ignored, as the RFC allows: the whole is answered.
"""

import re

from fastapi import Request

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableRange(ValueError):
    """The range begins behind the end."""


def requested_range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """The range `[start, stop)` that is asked for, of `size` bytes; None: the whole.

    With If-Range the range counts only for the state with that `etag`. Raises UnsatisfiableRange.
    """
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    return byte_range(request.headers.get("Range", ""), size)


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """As `requested_range`, of the value of a Range header."""
    matched = _RANGE.fullmatch(text.strip())
    if matched is None or not (matched[1] or matched[2]):
        return None
    if not matched[1]:
        start, stop = max(0, size - int(matched[2])), size
    else:
        start, stop = int(matched[1]), min(size, int(matched[2]) + 1 if matched[2] else size)
        if matched[2] and int(matched[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableRange
    return start, stop
