"""Parses line protocol: bytes become typed columns exactly as InfluxDB 2.9.1 stores them, or lines are refused.

Lines of a common shape are parsed as columns; unusual lines are parsed one by one. Both parsers accept, refuse and read
the same (tests hold them against each other and against the server). Comments, blank lines and a CR before the line
feed are removed; nothing else is changed.

The cost is bounded. Parsing ends after a number of bad lines, at a line that is too long, when the points need too much
memory, and when the caller's check raises. The work is cut into pieces, so that other threads run in between.
"""

import codecs
import re
from collections.abc import Callable

from service.errors import BodyTooLarge, InvalidParameter
from service.frames.points import BadLine, ParsedLines
from service.lineprotocol.columnar_parser import scan_chunk
from service.lineprotocol.points_builder import LineGroup, SeriesNumbers, SingleLines, build_points
from service.lineprotocol.single_line import MAX_LINE_BYTES, BadSyntax, line_end, read_line, skip_blanks

UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
SMALL_BODY_BYTES = 8_192
"""Below this size, preparing columns costs more than it saves."""
MOST_NAMED = 1_000
"""Bad lines that are kept with their reason. The others are only counted."""
MOST_BAD = 10_000
"""Bad lines after which parsing ends."""
_FIRST_CHUNK_BYTES = 256 * 1024
_CHUNK_BYTES = 2 * 1024 * 1024
_SMALLEST_CHUNK_BYTES = 64 * 1024
_MOST_SINGLE_LINES = 4_096
_WORTHWHILE_LINES = 1_000
"""Plain lines between unusual ones from which parsing by columns pays."""
_SHOWN_CHARACTERS = 200
_LINE_BYTES = 100
_VALUE_BYTES = 60
_TEXT_COPIES = 4
"""Bytes in memory of a parsed line and of a value, and the copies of their text: measured, rounded up."""
_CHECKED_BYTES = 65_536
_GROUP_LINES = 65_536
_COMMENTS = re.compile(rb"(?:#[^\n]*\n)+")
Check = Callable[[], None]


def parse_lines(
    body: bytes,
    precision: str,
    now_ns: int,
    *,
    columnar: bool | None = None,
    check: Check = lambda: None,
    max_memory_bytes: int | None = None,
) -> ParsedLines:
    """The points of `body` in its order, and each bad line with its number and the reason.

    `precision` is the unit of the times: ns, us, ms or s. A line without a time gets `now_ns`, cut to the unit as
    InfluxDB does. `columnar` chooses the parser; without it the size decides. Lines are numbered from 1; a string that
    spans lines has the number of the line on which it begins. `check` is called every few milliseconds; an exception
    of it ends the parsing.

    Raises:
        InvalidParameter: another precision.
        BodyTooLarge: the points need more than about `max_memory_bytes`.
    """
    unit_ns = UNITS_NS.get(precision)
    if unit_ns is None:
        raise InvalidParameter("precision", f"precision={precision!r} is none of ns, us, ms, s.")
    if columnar is None:
        columnar = len(body) >= SMALL_BODY_BYTES
    parser = _Parser(body, unit_ns, now_ns - now_ns % unit_ns, check, max_memory_bytes)
    return parser.parse(columnar and _is_utf8(body))


def _is_utf8(body: bytes) -> bool:
    """Whether the body is UTF-8. It is decoded in pieces, as its text would need up to four times its memory."""
    if body.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for start in range(0, len(body), _CHUNK_BYTES):
            decoder.decode(view[start : start + _CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _EndedEarly(Exception):
    """The rest of the body is not parsed. The message is the reason."""


class _Parser:
    def __init__(self, body: bytes, unit_ns: int, now_ns: int, check: Check, max_memory_bytes: int | None) -> None:
        self._body = body if body.endswith(b"\n") else body + b"\n"
        self._unit_ns = unit_ns
        self._now_ns = now_ns
        self._check = check
        self._max_memory_bytes = max_memory_bytes
        self._numbers = SeriesNumbers()
        self._singles = SingleLines(self._numbers)
        self._groups: list[LineGroup] = []
        self._bad: list[BadLine] = []
        self._bad_count = 0
        self._unchecked_bytes = 0
        self._group_bytes = 0

    def parse(self, columnar: bool) -> ParsedLines:
        try:
            if columnar:
                self._by_columns()
            else:
                self._single_lines(0, 1, len(self._body))
        except _EndedEarly as reason:
            no_points = build_points([SingleLines(SeriesNumbers()).group()], SeriesNumbers())
            return ParsedLines(no_points, tuple(self._bad), self._bad_count, str(reason))
        points = build_points([*self._groups, self._singles.group()], self._numbers)
        return ParsedLines(points, tuple(self._bad), self._bad_count)

    def _by_columns(self) -> None:
        """Parse chunk after chunk by columns. After an unusual line, a growing number of lines go one by one."""
        position, number, chunk_bytes, singles = 0, 1, _FIRST_CHUNK_BYTES, 1
        while position < len(self._body):
            stop = min(position + chunk_bytes, len(self._body))
            chunk = scan_chunk(self._body, position, stop, number, self._unit_ns, self._now_ns, self._numbers)
            self._take(chunk.groups)
            for start, end, line in chunk.single_lines:
                self._single(start, end, line)
            self._pause(chunk.position)
            is_plain = chunk.lines >= _WORTHWHILE_LINES
            position, number = chunk.position, chunk.number
            if chunk.lines and not chunk.unusual:
                chunk_bytes, singles = min(2 * chunk_bytes, _CHUNK_BYTES), 1
                continue
            singles = 1 if is_plain else min(2 * singles, _MOST_SINGLE_LINES)
            chunk_bytes = max(chunk_bytes // 2, _SMALLEST_CHUNK_BYTES)
            position, number = self._single_lines(position, number, singles)

    def _single_lines(self, position: int, number: int, most: int) -> tuple[int, int]:
        """Parse up to `most` lines one by one. Returns where the next line starts, and its number."""
        body = self._body
        for _ in range(most):
            if position >= len(body):
                break
            comments = _COMMENTS.match(body, position, position + _CHECKED_BYTES)
            if comments is not None:
                self._pause(position)
                number += body.count(b"\n", position, comments.end())
                position = comments.end()
                continue
            end = line_end(body, skip_blanks(body, position))
            if end - position > MAX_LINE_BYTES:
                beginning = body[position : position + 4 * _SHOWN_CHARACTERS]
                self._refuse(number, beginning, f"the line is longer than {MAX_LINE_BYTES} bytes")
                raise _EndedEarly(f"where it ends cannot be told, so nothing behind line {number} was looked at")
            self._single(position, end, number)
            number += body.count(b"\n", position, end) + 1
            position = end + 1
        return position, number

    def _single(self, begin: int, end: int, number: int) -> None:
        self._unchecked_bytes += end - begin + 64
        if self._unchecked_bytes > _CHECKED_BYTES:
            self._pause(begin)
        start = min(skip_blanks(self._body, begin), end)
        if self._body.find(b"\0", begin, start) >= 0:
            self._refuse(number, b"", "the line begins with NUL bytes, which InfluxDB drops; was the file torn?")
            return
        text = self._body[start:end]
        if not text or text[0] in b"#" or text == b"\r":
            return
        try:
            line = read_line(text, self._unit_ns, self._numbers.known)
        except BadSyntax as reason:
            self._refuse(number, text, str(reason))
            return
        self._singles.add(start, number, self._now_ns if line.time_ns is None else line.time_ns, line)
        if len(self._singles) >= _GROUP_LINES:
            self._take([self._singles.group()])
            self._singles = SingleLines(self._numbers)

    def _refuse(self, number: int, text: bytes, reason: str) -> None:
        self._bad_count += 1
        if len(self._bad) < MOST_NAMED:
            shown = text[: 4 * _SHOWN_CHARACTERS].decode(errors="replace")[:_SHOWN_CHARACTERS]
            self._bad.append(BadLine(number, shown, reason))
        if self._bad_count >= MOST_BAD:
            raise _EndedEarly(f"after {MOST_BAD} of them the rest was not looked at")

    def _take(self, groups: list[LineGroup]) -> None:
        self._groups += groups
        for group in groups:
            values = sum(len(typed_values.keys) for typed_values in group.values.values())
            self._group_bytes += _LINE_BYTES * len(group.starts) + _VALUE_BYTES * values

    def _pause(self, position: int) -> None:
        """Call the check, and end the parsing when the points up to `position` need too much memory."""
        self._unchecked_bytes = 0
        self._check()
        if self._max_memory_bytes is not None:
            needed = self._group_bytes + self._singles.memory_bytes + self._numbers.memory_bytes
            if needed + _TEXT_COPIES * position > self._max_memory_bytes:
                raise BodyTooLarge(
                    f"The points of the body take more than the {self._max_memory_bytes} bytes of memory"
                    " that a write may use (MAX_WRITE_MEMORY_MB); nothing was stored. Send it in smaller parts."
                )
