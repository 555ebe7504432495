"""The columnar road of line protocol: many lines of few shapes, parsed by whole columns.

A window of the body is cut at its delimiters; lines with equal names and value types are parsed
together. A line that is not plain is left to the exact road, and a place where the quoting is not
plain ends the window: in doubt nothing is decided here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.lineprotocol.line_shapes import FEWEST_LINES, BodyChunk, parse_shape
from service.lineprotocol.points_builder import LineGroup, Longs, SeriesNumbers

_MOST_EFFORT = 64
"""Looks at a line, on average, before the rest of a window goes line by line, which costs about as much."""
_COST_OF_BAD = 8
_SPACE, _QUOTE, _COMMA, _EQUALS, _BACKSLASH, _LF, _CR = b' ",=\\\n\r'
_SPECIAL = np.zeros(256, np.bool_)
_SPECIAL[[_SPACE, _QUOTE, _COMMA, _EQUALS, _BACKSLASH, _LF, _CR]] = True
_SEPARATOR = np.zeros(256, np.bool_)
_SEPARATOR[[_SPACE, _COMMA, _EQUALS]] = True
_NO_QUOTES_START = np.zeros(256, np.bool_)
_NO_QUOTES_START[[0x20, 0x09, 0x00, 0x23]] = True
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ScannedChunk:
    """What a window gave: groups of points, spans `(start, end, number)` for the exact road, and where to go on.

    `odd`: the line at `position` needs the exact road.
    """

    groups: list[LineGroup]
    left: Iterable[tuple[int, int, int]]
    lines: int
    position: int
    number: int
    odd: bool


def scan_chunk(body: bytes, start: int, stop: int, number: int, unit_ns: int, now_ns: int, keys: SeriesNumbers) -> ScannedChunk:
    """Parse the lines of `body[start:stop]` that are plain and complete. `body` is UTF-8 and ends in a line feed."""
    octets = np.frombuffer(body, np.uint8, stop - start, start)
    at, feeds, odd_at = _delimiters(octets)
    last = np.flatnonzero(octets[at] == _LF)
    count = len(last)
    if odd_at is not None:
        count = int(np.searchsorted(at[last], odd_at))
    if not count:
        return ScannedChunk([], [], 0, start, number, True)
    ends = at[last[:count]]
    starts = np.concatenate(([0], ends[:-1] + 1))
    firsts = np.concatenate(([0], last[: count - 1] + 1))
    numbers = number + np.searchsorted(feeds, starts)
    window = BodyChunk(body, start, octets, at, starts, firsts, last[:count] - firsts + 1, numbers, unit_ns, now_ns, keys)
    groups, left = _by_shape(window)
    spans = ((start + int(starts[row]), start + int(ends[row]), int(numbers[row])) for row in left)
    position = int(ends[-1]) + 1
    return ScannedChunk(groups, spans, count, start + position, number + int(np.searchsorted(feeds, position)), odd_at is not None)


def _by_shape(window: BodyChunk) -> tuple[list[LineGroup], Longs]:
    """Groups of lines of one shape each, and the rows of the lines left over."""
    initial = window.bytes[window.starts]
    rows = np.flatnonzero((initial != 0x23) & (initial != _LF))
    groups: list[LineGroup] = []
    left: list[Longs] = []
    effort = _MOST_EFFORT * len(rows)
    while len(rows) and effort > 0:
        alike = window.counts[rows] == window.counts[rows[0]]
        if np.count_nonzero(alike) < FEWEST_LINES:
            left.append(rows[alike])
            rows = rows[~alike]
            continue
        group, taken, given_up = parse_shape(window, rows[alike])
        if group is not None:
            groups.append(group)
        left.append(given_up)
        effort -= int(np.count_nonzero(alike)) * (_COST_OF_BAD if len(given_up) else 1)
        rest = np.ones(len(rows), np.bool_)
        rest[np.searchsorted(rows, np.concatenate((taken, given_up)))] = False
        rows = rows[rest]
    return groups, np.sort(np.concatenate([*left, rows]))


def _delimiters(octets: Bytes) -> tuple[Longs, Longs, int | None]:
    """Positions of the delimiters that count, of every line feed, and of the first thing that is not plain."""
    at: Longs = np.flatnonzero(_SPECIAL[octets])
    kinds = octets[at]
    feeds = at[kinds == _LF]
    odd: list[int] = []
    keep = np.ones(len(at), np.bool_)
    quotes = kinds == _QUOTE
    backslashes = kinds == _BACKSLASH
    runs = _backslashes_before(at, backslashes) if backslashes.any() else None
    if runs is not None:
        quotes &= runs % 2 == 0
    outside = np.cumsum(quotes) % 2 == 0
    if runs is not None:
        strange = outside & ((runs > 1) | ((runs == 1) & ~_SEPARATOR[kinds])) & ~backslashes
        odd += [int(first) for first in at[strange][:1]]
        keep &= ~backslashes & (runs == 0)
    if (kinds == _CR).any():
        keep &= (kinds != _CR) | ((at + 1 < len(octets)) & (octets[np.minimum(at + 1, len(octets) - 1)] == _LF))
    if quotes.any():
        keep &= ~quotes & outside
        odd += _odd_quotes(octets, at[quotes], at[keep])
    return at[keep], feeds, min(odd, default=None)


def _backslashes_before(at: Longs, backslashes: Flags) -> Longs:
    """How many backslashes stand directly before each special byte."""
    places = at[backslashes]
    begins = np.maximum.accumulate(np.where(np.diff(places, prepend=-2) != 1, places, 0))
    behind = np.minimum(np.searchsorted(places, at - 1), len(places) - 1)
    return np.where(places[behind] == at - 1, at - begins[behind], 0)


def _odd_quotes(octets: Bytes, quotes: Longs, at: Longs) -> list[int]:
    """The first quote that does not open a field's value or close one, if any.

    A quote opens a string only behind the `=` of a field, where that server counts more `=` than
    commas since the first space of the line (scanLine); it closes one only before a delimiter.
    """
    if not len(at):
        return []
    kinds = octets[at]
    ends = at[kinds == _LF]
    whole = int(np.searchsorted(quotes, ends[-1])) if len(ends) else 0
    opening, closing = quotes[:whole:2], quotes[1:whole:2]
    if not len(opening):
        return []
    before: Longs = np.searchsorted(at, opening) - 1
    line = np.searchsorted(ends, opening)
    starts = np.concatenate(([0], ends + 1))[line]
    spaces = np.flatnonzero(kinds == _SPACE)
    first = np.searchsorted(spaces, np.searchsorted(at, starts))
    space = spaces[np.minimum(first, len(spaces) - 1)] if len(spaces) else np.zeros(len(first), np.int64)
    balance = np.cumsum((kinds == _EQUALS).astype(np.int64) - (kinds == _COMMA))
    opens = (
        (before >= 0)
        & (at[before] == opening - 1)
        & (kinds[before] == _EQUALS)
        & (first < len(spaces))
        & (space < before)
        & (balance[before] - balance[space] == 1)
        & ~_NO_QUOTES_START[octets[starts]]
    )
    behind = np.minimum(np.searchsorted(at, closing + 1), len(at) - 1)
    closes = (at[behind] == closing + 1) & (kinds[behind] != _EQUALS)
    return [int(first) for first in (*opening[~opens][:1], *closing[~closes][:1])]
