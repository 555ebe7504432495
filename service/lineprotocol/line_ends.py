"""Where lines of line protocol begin in a text, without parsing them: a line feed inside a string ends no line."""

import numpy as np
import numpy.typing as npt

from service.lineprotocol.columnar_parser import line_delimiters
from service.lineprotocol.single_line import MAX_LINE_BYTES, line_end, skip_blanks

Longs = npt.NDArray[np.int64]
_LF, _CR, _SPACE, _ZERO, _MINUS = b"\n\r 0-"
_MOST_DIGITS = 19
_LONGEST_TIME = 1 + _MOST_DIGITS + 1
"""Bytes at the end of a line in which its time stands: a space, 19 digits, and one more that shows a longer number."""


def line_starts(text: bytes) -> Longs:
    """The start of each whole line of `text`, which begins with one, and where the last whole line ends.

    `text[starts[i]:starts[i + 1]]` is line i with its line feed. Without a whole line there is the 0 alone.
    """
    octets = np.frombuffer(text, np.uint8)
    if b'"' not in text and b"\\" not in text:
        return _with_zero(np.flatnonzero(octets == _LF) + 1)
    ends, unusual_at = line_delimiters(octets)
    plain = (ends if unusual_at is None else ends[ends < unusual_at]) + 1
    position = int(plain[-1]) if len(plain) else 0
    singles = []
    while text.find(b"\n", position) >= 0:
        end = line_end(text, skip_blanks(text, position))
        if end >= len(text) or end - position > MAX_LINE_BYTES + 1:
            break
        position = end + 1
        singles.append(position)
    return _with_zero(np.concatenate([plain, np.array(singles, np.int64)]))


def _with_zero(ends: Longs) -> Longs:
    return np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)])


def line_times(text: bytes, starts: Longs) -> tuple[Longs, Longs]:
    """The number that ends each line behind a space, and the indices of the lines that may lack one.

    `starts` is that of `line_starts`. Comments, blank lines and lines with blanks behind the time are among those that
    may lack one; their number has no meaning.
    """
    octets = np.frombuffer(text, np.uint8)
    ends = starts[1:] - 1
    numbers, timed = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.bool_)
    if not len(ends):
        return numbers, ends
    ends = ends - ((ends > starts[:-1]) & (octets[np.maximum(ends - 1, 0)] == _CR))
    rows, position, factor = np.arange(len(ends)), ends - 1, 1
    for digits in range(_LONGEST_TIME):
        inside = position >= starts[rows]
        rows, position = rows[inside], position[inside]
        if not len(rows):
            break
        byte = octets[position]
        is_digit = byte - np.uint8(_ZERO) <= 9
        if digits:
            timed[rows[byte == _SPACE]] = True
            signed = rows[(byte == _MINUS) & (octets[position - 1] == _SPACE)]
            timed[signed] = True
            numbers[signed] *= -1
        rows, position = rows[is_digit], position[is_digit] - 1
        if digits < _MOST_DIGITS:
            numbers[rows] += (byte[is_digit] - np.uint8(_ZERO)) * np.int64(factor)
            factor *= 10
    return numbers, np.flatnonzero(~timed)
