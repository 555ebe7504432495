"""Lines that were parsed before, as points again without parsing them: only their ends and times are looked for.

For text that is known to be good, such as a file of a backup that was checked. What is not plain enough for that (text
values, times of other lengths) is parsed.
"""

import numpy as np
import numpy.typing as npt

from service.frames.points import Contents, Points
from service.lineprotocol.parser import parse_lines

_DIGITS = 19
"""Of a time between September 2001 and 2262."""
_POWERS = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)
_ZERO, _SPACE, _LINE_FEED, _QUOTE = b'0 \n"'


def printed_points(text: bytes) -> Points:
    """The points of whole, good lines with times in ns. What the columns hold is parsed when somebody asks for it."""
    plain = _plain_lines(text)
    if plain is None:
        return parse_lines(text, "ns", 0).points
    offsets, times_ns = plain

    def contents() -> Contents:
        points = parse_lines(text, "ns", 0).points
        return points.keys, points.columns

    return Points.lazy(text, offsets, np.arange(1, len(times_ns) + 1), times_ns, contents)


def _plain_lines(text: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Offsets and times of lines; None where they are not plain: then a line feed may stand inside a value."""
    letters = np.frombuffer(text, np.uint8)
    if not text.endswith(b"\n") or _QUOTE in text:
        return None
    ends = np.flatnonzero(letters == _LINE_FEED)
    offsets = np.concatenate([np.zeros(1, np.int64), ends + 1])
    starts_of_times = ends - _DIGITS
    if bool((starts_of_times - 1 < offsets[:-1]).any()) or bool((letters[starts_of_times - 1] != _SPACE).any()):
        return None
    digits = letters[starts_of_times[:, None] + np.arange(_DIGITS)] - np.uint8(_ZERO)
    if bool((digits > 9).any()):
        return None
    return offsets, digits.astype(np.int64) @ _POWERS
