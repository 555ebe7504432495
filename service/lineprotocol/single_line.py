"""Parses one line of line protocol by the rules of InfluxDB 2.9.1 (models/points.go), or stricter.

It is stricter where InfluxDB takes a line but stores something else than the line says: text after a closing quote, a
field named time, a CR before the line feed, names that InfluxDB reads in two ways. Each refusal names the reason and
the column (from 1, in bytes).
"""

import math
import re
from dataclasses import dataclass

from service.domain.schema import FieldType
from service.domain.series import SeriesKey
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.lineprotocol.names import (
    FIELD_NAME,
    KEY_TOO_LONG,
    MAX_KEY_BYTES,
    Unwritable,
    WrittenSeries,
    read_field_name,
    read_series,
)

MAX_STRING_BYTES = 1_048_576
"""Longest string value (tsdb.MaxFieldValueLength)."""
MAX_LINE_BYTES = 10 * 1024 * 1024
"""Longest line. InfluxDB bounds only names and strings; a line of this length holds ten of the longest strings."""
MAX_FIELDS = 65_536
"""Most fields on a line. InfluxDB has no such bound; without it a single line could occupy a thread for minutes."""
Value = float | int | bool | str
TRUE_WORDS = (b"t", b"T", b"true", b"True", b"TRUE")
FALSE_WORDS = (b"f", b"F", b"false", b"False", b"FALSE")

_BLANKS = re.compile(rb"[ \t\0]*")
_TOKEN = re.compile(rb'\\.|[ =,"\n]', re.DOTALL)
_KEY_END = re.compile(rb"(?<!\\) ")
_STRING = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_STRING_ESCAPE = re.compile(rb'\\([\\"])')
_PLAIN = re.compile(rb"[^, ]*")
_INTEGER = re.compile(rb"(-?[0-9]{1,400})i")
_UNSIGNED = re.compile(rb"([0-9]{1,400})u")
_FLOAT = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(rb"(-?[0-9]{1,400}) *")
_BOOLEANS = dict.fromkeys(TRUE_WORDS, True) | dict.fromkeys(FALSE_WORDS, False)
_NO_VALUE = 'no float (1.5), integer (7i), unsigned (7u), boolean (true) or string ("text")'
_NOT_FINITE = (b"nan", b"inf", b"+inf", b"-inf", b"infinity", b"+infinity", b"-infinity", b"-nan")


class BadSyntax(ValueError):
    """A line that is refused. The message is the reason."""


@dataclass(frozen=True)
class Line:
    """A parsed line. `prefix` is its text before the time. `time_ns` is None when the line has no time."""

    prefix: bytes
    series: SeriesKey
    fields: tuple[tuple[str, FieldType, Value], ...]
    time_ns: int | None


def line_end(body: bytes, start: int) -> int:
    """The end of the line at `start`: the position of its line feed, or the end of `body`.

    A line feed in a string, or after a backslash, does not end a line (`scanLine` in models/points.go). A comment ends
    at the first line feed. `start` is after the leading blanks of the line. The end of a line longer than
    MAX_LINE_BYTES + 1 is not searched; then the result is farther than that from `start`.
    """
    limit = min(len(body), start + MAX_LINE_BYTES + 2)
    stop = body.find(b"\n", start, limit)
    stop = limit if stop < 0 else stop
    is_comment = body[start : start + 1] == b"#"
    if is_comment or (body.find(b'"', start, stop) < 0 and body.find(b"\\", start, stop) < 0):
        return stop
    in_fields = quoted = False
    pairs = 0
    for match in _TOKEN.finditer(body, start, limit):
        token = match[0]
        if token == b"\n":
            if not quoted:
                return match.start()
        elif token == b" ":
            in_fields = True
        elif token == b'"':
            quoted = not quoted if in_fields and pairs > 0 else quoted
        elif in_fields and not quoted and len(token) == 1:
            pairs += 1 if token == b"=" else -1
    return limit


def skip_blanks(body: bytes, start: int) -> int:
    """The position after the blanks at `start`. It is at most MAX_LINE_BYTES + 1 after `start`."""
    match = _BLANKS.match(body, start, start + MAX_LINE_BYTES + 1)
    assert match is not None
    return match.end()


def read_line(line: bytes, unit_ns: int, known: dict[bytes, WrittenSeries]) -> Line:
    """Parse `line`, which has no leading blanks and no line end. `known` keeps the series by their text.

    Raises:
        BadSyntax: with the reason.
    """
    _check_utf8(line)
    if line.endswith(b"\r"):
        line = line[:-1]
    cut = _KEY_END.search(line, 1)
    raw_key = line if cut is None else line[: cut.start()]
    try:
        series = known.get(raw_key) or read_series(raw_key)
    except Unwritable as reason:
        raise BadSyntax(str(reason)) from None
    if cut is None:
        raise BadSyntax("there are no fields after the measurement and tags")
    known[raw_key] = series
    start = skip_blanks(line, cut.end())
    fields, stop = _read_fields(line, start, len(raw_key))
    prefix = series.text + b" " + line[start:stop]
    return Line(prefix, series.key, fields, _read_time(line, skip_blanks(line, stop), unit_ns))


def _check_utf8(line: bytes) -> None:
    if line.isascii():
        return
    try:
        line.decode()
    except UnicodeDecodeError as broken:
        raise BadSyntax(f"byte 0x{line[broken.start]:02x} at column {broken.start + 1} is not UTF-8") from None


def _read_fields(line: bytes, start: int, key_bytes: int) -> tuple[tuple[tuple[str, FieldType, Value], ...], int]:
    if start >= len(line):
        raise BadSyntax("there are no fields after the measurement and tags")
    fields, position = [], start
    while True:
        name, position = _read_name(line, position, key_bytes)
        field_type, value, position = _read_value(line, position, name)
        fields.append((name, field_type, value))
        if len(fields) > MAX_FIELDS:
            raise BadSyntax(f"the line has more than {MAX_FIELDS} fields; write the others on a line of their own")
        if position >= len(line) or line[position] == 0x20:
            return tuple(fields), position
        position += 1


def _read_name(line: bytes, start: int, key_bytes: int) -> tuple[str, int]:
    match = FIELD_NAME.match(line, start)
    if match is None:
        raise BadSyntax(f"a field name is missing at column {start + 1}")
    stop = match.end()
    if line[stop : stop + 1] != b"=":
        raise BadSyntax(f"the field {_shown(match[0])} at column {start + 1} has no value (name=value)")
    if key_bytes + 4 + len(match[0]) > MAX_KEY_BYTES:
        raise BadSyntax(KEY_TOO_LONG)
    try:
        return read_field_name(match[0]), stop + 1
    except Unwritable as reason:
        raise BadSyntax(f"{reason} (column {start + 1})") from None


def _read_value(line: bytes, start: int, name: str) -> tuple[FieldType, Value, int]:
    if line[start : start + 1] == b'"':
        return _read_string(line, start, name)
    match = _PLAIN.match(line, start)
    assert match is not None
    try:
        field_type, value = read_plain(match[0])
    except Unwritable as reason:
        raise BadSyntax(f"the field {name!r} at column {start + 1} {reason}") from None
    return field_type, value, match.end()


def _read_string(line: bytes, start: int, name: str) -> tuple[FieldType, str, int]:
    match = _STRING.match(line, start)
    if match is None:
        raise BadSyntax(f"the string of the field {name!r} at column {start + 1} has no closing quote")
    if line[match.end() : match.end() + 1] not in (b"", b",", b" "):
        raise BadSyntax(f"there is text after the closing quote of the field {name!r} at column {match.end() + 1}")
    content = _STRING_ESCAPE.sub(rb"\1", match[1]) if b"\\" in match[1] else match[1]
    if len(content) > MAX_STRING_BYTES:
        length = f"has {len(content)} bytes; InfluxDB holds at most {MAX_STRING_BYTES}"
        raise BadSyntax(f"the string of the field {name!r} {length}")
    return FieldType.STRING, content.decode(), match.end()


def read_plain(token: bytes) -> tuple[FieldType, Value]:
    """The type and value of a token without quotes. Raises Unwritable."""
    last = token[-1:]
    if last == b"i" and (match := _INTEGER.fullmatch(token)):
        return FieldType.INTEGER, _in_range(int(match[1]), -(2**63), 2**63 - 1, token, "a signed")
    if last == b"u" and (match := _UNSIGNED.fullmatch(token)):
        return FieldType.UNSIGNED, _in_range(int(match[1]), 0, 2**64 - 1, token, "an unsigned")
    if _FLOAT.fullmatch(token):
        number = float(token)
        if not math.isfinite(number):
            raise Unwritable(f"is {_shown(token)}, beyond the range of a 64-bit float")
        return FieldType.FLOAT, number
    if token in _BOOLEANS:
        return FieldType.BOOLEAN, _BOOLEANS[token]
    if not token:
        raise Unwritable("has no value (name=value)")
    if token.lower() in _NOT_FINITE:
        raise Unwritable(f"is {_shown(token)}; NaN and infinity cannot be stored, leave the field out")
    raise Unwritable(f"is {_shown(token)}: {_NO_VALUE}")


def _in_range(number: int, lowest: int, highest: int, token: bytes, signedness: str) -> int:
    if lowest <= number <= highest:
        return number
    raise Unwritable(f"is {_shown(token)}, beyond the range of {signedness} 64-bit integer")


def _read_time(line: bytes, start: int, unit_ns: int) -> int | None:
    if start >= len(line):
        return None
    match = _TIME.fullmatch(line, start)
    if match is None:
        raise BadSyntax(f"the time {_shown(line[start:])} at column {start + 1} is no whole number")
    time_ns = int(match[1]) * unit_ns
    if not EARLIEST_NS <= time_ns <= LATEST_NS:
        domain = "outside 1677-09-21 to 2262-04-11, what InfluxDB can store"
        raise BadSyntax(f"the time {_shown(match[1])} at column {start + 1} is {domain}; is the precision right?")
    return time_ns


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    return repr(text if len(text) <= 60 else text[:60] + "...")
