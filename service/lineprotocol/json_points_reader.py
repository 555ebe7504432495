"""The points of a JSON body, one after the other, so that no more than one of them is in memory as objects.

A list of a million empty objects would take 20 times its text. Whole numbers are kept whole, whatever
their size; NaN and infinity are no JSON.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from service.errors import InvalidBody

MAX_POINT_BYTES = 10 * 1024 * 1024
"""Longest text of one point, as for one line of line protocol."""
_STEP_BYTES = 256 * 1024
_SPACE = re.compile(r"[ \t\n\r]*")


def read_points(body: bytes) -> Iterator[Any]:
    """The points of a JSON body: those of a list, or the one that it is.

    Raises:
        InvalidBody: no JSON, neither a list nor an object, or a point of more than MAX_POINT_BYTES; told when the reading comes to it.
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
        raise InvalidBody(f"The body is no JSON ({broken}). Send a list of points, or line protocol as text/plain.") from None


def _members(text: "_Text") -> Iterator[Any]:
    """The members of the list at which `text` stands."""
    text.take()
    if text.skip_to_next() == "]":
        text.take()
        return
    while True:
        yield text.value()
        behind = text.skip_to_next()
        if behind not in (",", "]"):
            raise ValueError(f"a comma or ] is missing at byte {text.byte}")
        text.take()
        if behind == "]":
            return
        text.skip_to_next()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


class _Text:
    """The text of a body, decoded as far as it is needed."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._decoded_bytes = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_constant=_no_number)
        self._held = ""
        self._at = 0

    @property
    def byte(self) -> int:
        """About where in the body the reading stands: at the byte, when the text is ASCII."""
        return self._decoded_bytes - (len(self._held) - self._at)

    def take(self) -> None:
        self._at += 1

    def skip_to_next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._held, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def value(self) -> object:
        """The value that begins here. Raises ValueError, RecursionError."""
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
        """Decode a further stretch, as long again as what is held, so that a long value is not looked at too often. False: that was all."""
        rest = len(self._held) - self._at
        if rest > MAX_POINT_BYTES:
            raise ValueError(f"a point takes more than {MAX_POINT_BYTES} bytes, or its end is missing; it begins at byte {self.byte}")
        if self._decoded_bytes >= len(self._body):
            return False
        stop = min(self._decoded_bytes + max(_STEP_BYTES, rest), len(self._body))
        fresh = self._utf8.decode(self._body[self._decoded_bytes : stop], final=stop == len(self._body))
        self._held, self._at, self._decoded_bytes = self._held[self._at :] + fresh, 0, stop
        return True
