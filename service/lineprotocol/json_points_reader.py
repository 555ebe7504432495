"""Reads the points of a JSON body one after the other, so that only one of them is in memory as objects.

A list of a million empty objects would need 20 times the memory of its text. Whole numbers stay whole, whatever their
size. NaN and infinity are not JSON.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from service.errors import InvalidBody

MAX_POINT_BYTES = 10 * 1024 * 1024
"""Longest text of one point, the same as for one line of line protocol."""
_STEP_BYTES = 256 * 1024
_SPACE = re.compile(r"[ \t\n\r]*")


def read_points(body: bytes) -> Iterator[Any]:
    """The points of a JSON body, which is a list of points or one point.

    Raises:
        InvalidBody: no JSON, neither a list nor an object, or a point of more than MAX_POINT_BYTES. It is raised where
            the reading finds it, after the points before.
    """
    text = _Text(body)
    try:
        first = text.skip_to_next()
        if first == "{":
            yield text.value()
        elif first == "[":
            yield from _members(text)
        else:
            raise InvalidBody('The body is no list of points. Send [{"measurement": ..., "fields": {...}}, ...].')
        if text.skip_to_next():
            raise ValueError(f"something stands behind the points at byte {text.byte}")
    except (ValueError, RecursionError) as broken:
        remedy = "Send a list of points, or line protocol as text/plain."
        raise InvalidBody(f"The body is no JSON ({broken}). {remedy}") from None


def _members(text: "_Text") -> Iterator[Any]:
    """The members of the list that begins at the position of `text`."""
    text.take()
    if text.skip_to_next() == "]":
        text.take()
        return
    while True:
        yield text.value()
        separator = text.skip_to_next()
        if separator not in (",", "]"):
            raise ValueError(f"a comma or ] is missing at byte {text.byte}")
        text.take()
        if separator == "]":
            return
        text.skip_to_next()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


class _Text:
    """The text of a body, decoded only as far as it is read."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._decoded_bytes = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_constant=_no_number)
        self._held = ""
        self._at = 0

    @property
    def byte(self) -> int:
        """The position in the body, exact where the text is ASCII."""
        return self._decoded_bytes - (len(self._held) - self._at)

    def take(self) -> None:
        self._at += 1

    def skip_to_next(self) -> str:
        """Move to the next character that is no space, and return it; empty at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def value(self) -> object:
        """Read the value that begins at the position. Raises ValueError, RecursionError."""
        while True:
            try:
                value, end = self._json.raw_decode(self._held, self._at)
            except (ValueError, RecursionError) as broken:
                if isinstance(broken, RecursionError) or not self._more():
                    raise self._placed(broken) from None
                continue
            if end < len(self._held) or not self._more():
                self._at = end
                return value

    def _placed(self, broken: Exception) -> Exception:
        if isinstance(broken, json.JSONDecodeError):
            return ValueError(f"{broken.msg} at byte {self.byte + broken.pos - self._at}")
        return ValueError("it is nested too deeply") if isinstance(broken, RecursionError) else broken

    def _more(self) -> bool:
        """Decode as much again as is held, so that a long value is not parsed often. False at the end of the body."""
        rest = len(self._held) - self._at
        if rest > MAX_POINT_BYTES:
            begins = f"it begins at byte {self.byte}"
            raise ValueError(f"a point takes more than {MAX_POINT_BYTES} bytes, or its end is missing; {begins}")
        if self._decoded_bytes >= len(self._body):
            return False
        stop = min(self._decoded_bytes + max(_STEP_BYTES, rest), len(self._body))
        fresh = self._utf8.decode(self._body[self._decoded_bytes : stop], final=stop == len(self._body))
        self._held, self._at, self._decoded_bytes = self._held[self._at :] + fresh, 0, stop
        return True
