"""Line protocol in: bytes to typed columns, exactly as InfluxDB 2.9.1 would store them, or refused by line.

Lines of a common shape are parsed as columns; whatever is out of the ordinary goes line by line. Both
roads accept, refuse and read the same (tested against each other and against the server). Comments,
blank lines and a CR before the line feed are taken off; nothing else is altered.
"""

from service.errors import InvalidParameter
from service.frames.lineprotocol_build import ExactGroup, Group, Keys, build
from service.frames.lineprotocol_columns import scan
from service.frames.lineprotocol_exact import BadSyntax, line_end, read_line, skip_blanks
from service.frames.points import BadLine, ParsedLines

UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
SMALL_BODY_BYTES = 8_192
"""Below this the setting up of columns costs more than it saves."""
_WINDOW_BYTES = 2 * 1024 * 1024
_SMALLEST_WINDOW_BYTES = 64 * 1024
_MOST_SINGLE_LINES = 4_096
_WORTHWHILE_LINES = 1_000
"""Plain lines between odd ones from which looking for columns pays."""
_SHOWN_CHARACTERS = 200


def parse_lines(body: bytes, precision: str, now_ns: int, *, columnar: bool | None = None) -> ParsedLines:
    """Points of `body` in its order, and each line that cannot be taken with its number and the reason.

    `precision` is the unit of the times, ns, us, ms or s. A line without a time gets `now_ns`, cut to
    the unit as InfluxDB does. `columnar` picks a road; absent: by size. Lines are numbered from 1; a
    string that spans lines counts as the line it began on.

    Raises:
        InvalidParameter: another precision.
    """
    unit_ns = UNITS_NS.get(precision)
    if unit_ns is None:
        raise InvalidParameter("precision", f"precision={precision!r} is none of ns, us, ms, s.")
    if columnar is None:
        columnar = len(body) >= SMALL_BODY_BYTES
    return _Parser(body, unit_ns, now_ns - now_ns % unit_ns).parse(columnar and _is_utf8(body))


def _is_utf8(body: bytes) -> bool:
    try:
        return body.isascii() or bool(body.decode())
    except UnicodeDecodeError:
        return False


class _Parser:
    def __init__(self, body: bytes, unit_ns: int, now_ns: int) -> None:
        self._body = body if body.endswith(b"\n") else body + b"\n"
        self._unit_ns = unit_ns
        self._now_ns = now_ns
        self._keys = Keys()
        self._exact = ExactGroup(self._keys)
        self._groups: list[Group] = []
        self._bad: list[BadLine] = []

    def parse(self, columnar: bool) -> ParsedLines:
        if columnar:
            self._by_columns()
        else:
            self._single_lines(0, 1, len(self._body))
        points = build([*self._groups, self._exact.group()], self._keys)
        return ParsedLines(points, tuple(sorted(self._bad, key=lambda bad: bad.line)))

    def _by_columns(self) -> None:
        """Windows of lines by columns; where one is not plain, a growing stretch line by line."""
        position, number, window, singles = 0, 1, _WINDOW_BYTES, 1
        while position < len(self._body):
            stop = min(position + window, len(self._body))
            done = scan(self._body, position, stop, number, self._unit_ns, self._now_ns, self._keys)
            self._groups += done.groups
            for start, end, line in done.left:
                self._single(start, end, line)
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
            start = skip_blanks(body, position)
            end = line_end(body, start)
            self._single(start, end, number)
            number += body.count(b"\n", position, end) + 1
            position = end + 1
        return position, number

    def _single(self, start: int, end: int, number: int) -> None:
        start = min(skip_blanks(self._body, start), end)
        text = self._body[start:end]
        if not text or text[0] in b"#" or text == b"\r":
            return
        try:
            line = read_line(text, self._unit_ns, self._keys.known)
        except BadSyntax as reason:
            shown = text[: 4 * _SHOWN_CHARACTERS].decode(errors="replace")[:_SHOWN_CHARACTERS]
            self._bad.append(BadLine(number, shown, str(reason)))
            return
        self._exact.add(start, number, self._now_ns if line.time_ns is None else line.time_ns, line)
