"""Line protocol in: bytes to typed columns, exactly as InfluxDB 2.9.1 would store them, or refused by line.

Lines of a common shape are parsed as columns; whatever is out of the ordinary goes line by line. Both
roads accept, refuse and read the same (tested against each other and against the server). Comments,
blank lines and a CR before the line feed are taken off; nothing else is altered.

The cost is bounded: parsing ends after so many bad lines, at a line that is too long, when it would hold
more memory than it may, and whenever the caller's check says so. Work is cut into pieces, so that other
threads run between them.
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
"""Below this the setting up of columns costs more than it saves."""
MOST_NAMED = 1_000
"""Bad lines that are kept with their reason; the others are counted."""
MOST_BAD = 10_000
"""Bad lines after which the rest of a body is not looked at."""
_FIRST_WINDOW_BYTES = 256 * 1024
_WINDOW_BYTES = 2 * 1024 * 1024
_SMALLEST_WINDOW_BYTES = 64 * 1024
_MOST_SINGLE_LINES = 4_096
_WORTHWHILE_LINES = 1_000
"""Plain lines between odd ones from which looking for columns pays."""
_SHOWN_CHARACTERS = 200
_LINE_BYTES = 100
_VALUE_BYTES = 60
_TEXT_COPIES = 4
"""What a parsed line and value hold in memory, and how often their text is held: measured, rounded up."""
_CHECKED_BYTES = 65_536
_EXACT_LINES = 65_536
_COMMENTS = re.compile(rb"(?:#[^\n]*\n)+")
Check = Callable[[], None]


def parse_lines(
    body: bytes, precision: str, now_ns: int, *, columnar: bool | None = None, check: Check = lambda: None, max_memory_bytes: int | None = None
) -> ParsedLines:
    """Points of `body` in its order, and each line that cannot be taken with its number and the reason.

    `precision` is the unit of the times, ns, us, ms or s. A line without a time gets `now_ns`, cut to
    the unit as InfluxDB does. `columnar` picks a road; absent: by size. Lines are numbered from 1; a
    string that spans lines counts as the line it began on. `check` is called every few milliseconds;
    what it raises ends the parsing.

    Raises:
        InvalidParameter: another precision.
        BodyTooLarge: the points would hold more than about `max_memory_bytes`.
    """
    unit_ns = UNITS_NS.get(precision)
    if unit_ns is None:
        raise InvalidParameter("precision", f"precision={precision!r} is none of ns, us, ms, s.")
    if columnar is None:
        columnar = len(body) >= SMALL_BODY_BYTES
    parser = _Parser(body, unit_ns, now_ns - now_ns % unit_ns, check, max_memory_bytes)
    return parser.parse(columnar and _is_utf8(body))


def _is_utf8(body: bytes) -> bool:
    """Looked at in pieces: a text of the whole body would take up to four times its memory."""
    if body.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for start in range(0, len(body), _WINDOW_BYTES):
            decoder.decode(view[start : start + _WINDOW_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _Enough(Exception):
    """The rest of the body need not be looked at; the message says why."""


class _Parser:
    def __init__(self, body: bytes, unit_ns: int, now_ns: int, check: Check, max_memory_bytes: int | None) -> None:
        self._body = body if body.endswith(b"\n") else body + b"\n"
        self._unit_ns = unit_ns
        self._now_ns = now_ns
        self._check = check
        self._max_memory_bytes = max_memory_bytes
        self._keys = SeriesNumbers()
        self._singles = SingleLines(self._keys)
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
        except _Enough as why:
            return ParsedLines(build_points([SingleLines(SeriesNumbers()).group()], SeriesNumbers()), tuple(self._bad), self._bad_count, str(why))
        points = build_points([*self._groups, self._singles.group()], self._keys)
        return ParsedLines(points, tuple(self._bad), self._bad_count)

    def _by_columns(self) -> None:
        """Windows of lines by columns; where one is not plain, a growing stretch line by line."""
        position, number, window, singles = 0, 1, _FIRST_WINDOW_BYTES, 1
        while position < len(self._body):
            stop = min(position + window, len(self._body))
            done = scan_chunk(self._body, position, stop, number, self._unit_ns, self._now_ns, self._keys)
            self._take(done.groups)
            for start, end, line in done.left:
                self._single(start, end, line)
            self._pause(done.position)
            plain = done.lines >= _WORTHWHILE_LINES
            position, number = done.position, done.number
            if done.lines and not done.odd:
                window, singles = min(2 * window, _WINDOW_BYTES), 1
                continue
            singles = 1 if plain else min(2 * singles, _MOST_SINGLE_LINES)
            window = max(window // 2, _SMALLEST_WINDOW_BYTES)
            position, number = self._single_lines(position, number, singles)

    def _single_lines(self, position: int, number: int, most: int) -> tuple[int, int]:
        """Parse up to `most` lines; where the next one starts, and its number."""
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
                self._refuse(number, body[position : position + 4 * _SHOWN_CHARACTERS], f"the line is longer than {MAX_LINE_BYTES} bytes")
                raise _Enough(f"where it ends cannot be told, so nothing behind line {number} was looked at")
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
            line = read_line(text, self._unit_ns, self._keys.known)
        except BadSyntax as reason:
            self._refuse(number, text, str(reason))
            return
        self._singles.add(start, number, self._now_ns if line.time_ns is None else line.time_ns, line)
        if len(self._singles) >= _EXACT_LINES:
            self._take([self._singles.group()])
            self._singles = SingleLines(self._keys)

    def _refuse(self, number: int, text: bytes, reason: str) -> None:
        self._bad_count += 1
        if len(self._bad) < MOST_NAMED:
            shown = text[: 4 * _SHOWN_CHARACTERS].decode(errors="replace")[:_SHOWN_CHARACTERS]
            self._bad.append(BadLine(number, shown, reason))
        if self._bad_count >= MOST_BAD:
            raise _Enough(f"after {MOST_BAD} of them the rest was not looked at")

    def _take(self, groups: list[LineGroup]) -> None:
        self._groups += groups
        for group in groups:
            values = sum(len(one.keys) for one in group.values.values())
            self._group_bytes += _LINE_BYTES * len(group.starts) + _VALUE_BYTES * values

    def _pause(self, position: int) -> None:
        """Let the caller end the parsing, and end it when what was parsed up to `position` holds too much."""
        self._unchecked_bytes = 0
        self._check()
        if self._max_memory_bytes is not None:
            held = self._group_bytes + self._singles.memory_bytes + self._keys.memory_bytes + _TEXT_COPIES * position
            if held > self._max_memory_bytes:
                raise BodyTooLarge(
                    f"The points of the body take more than the {self._max_memory_bytes} bytes of memory that a write may use"
                    " (MAX_WRITE_MEMORY_MB); nothing was stored. Send it in smaller parts."
                )
