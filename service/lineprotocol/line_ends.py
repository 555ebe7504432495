"""Where lines of line protocol begin in a text, without parsing them: a line feed inside a string ends no line."""

import numpy as np
import numpy.typing as npt

from service.lineprotocol.columnar_parser import line_delimiters
from service.lineprotocol.single_line import MAX_LINE_BYTES, line_end, skip_blanks

Longs = npt.NDArray[np.int64]
_LF, _CR, _SPACE, _ZERO, _MINUS = b"\n\r 0-"
_LONGEST_TIME = 21
"""Bytes at the end of a line in which its time stands: a space, a sign and 19 digits."""


def line_starts(text: bytes) -> Longs:
    """The start of each whole line of `text`, which begins with one, and where the last whole line ends.

    `text[starts[i]:starts[i + 1]]` is line i with its line feed. Without a whole line there is the 0 alone.
    """
    octets = np.frombuffer(text, np.uint8)
    if b'"' not in text and b"\\" not in text:
        return _with_zero(np.flatnonzero(octets == _LF) + 1)
    ends, unusual_at = line_delimiters(octets)
    if unusual_at is None:
        return _with_zero(ends + 1)
    plain = ends[ends < unusual_at] + 1
    position = int(plain[-1]) if len(plain) else 0
    singles = []
    while position < len(text):
        end = line_end(text, skip_blanks(text, position))
        if end >= len(text) or end - position > MAX_LINE_BYTES + 1:
            break
        position = end + 1
        singles.append(position)
    return _with_zero(np.concatenate([plain, np.array(singles, np.int64)]))


def _with_zero(ends: Longs) -> Longs:
    return np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)])


def untimed_lines(text: bytes, starts: Longs) -> Longs:
    """The indices of the lines that may lack a time: they do not end with a space and a whole number.

    `starts` is that of `line_starts`. Comments, blank lines and lines with blanks behind the time are among them.
    """
    octets = np.frombuffer(text, np.uint8)
    ends = starts[1:] - 1
    if not len(ends):
        return ends
    ends = ends - ((ends > starts[:-1]) & (octets[np.maximum(ends - 1, 0)] == _CR))
    undecided = np.arange(len(ends))
    position = ends - 1
    first = octets[np.maximum(position, 0)] - np.uint8(_ZERO) <= 9
    timed = np.zeros(len(ends), np.bool_)
    undecided, position = undecided[first], position[first]
    for _ in range(_LONGEST_TIME):
        if not len(undecided):
            break
        inside = position >= starts[undecided]
        undecided, position = undecided[inside], position[inside]
        byte = octets[position]
        timed[undecided[byte == _SPACE]] = True
        going_on = (byte - np.uint8(_ZERO) <= 9) | (byte == _MINUS)
        undecided, position = undecided[going_on], position[going_on] - 1
    return np.flatnonzero(~timed)
