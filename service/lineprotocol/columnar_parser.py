"""The columnar parser of line protocol: it parses many lines of few shapes by whole columns.

A part of the body is cut at its delimiters, and lines with equal names and value types are parsed together. Lines that
are not plain go to the single-line parser. Where the quoting is not plain, the part ends. Nothing is guessed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.lineprotocol.line_shapes import FEWEST_LINES, BodyChunk, Flags, parse_shape
from service.lineprotocol.points_builder import LineGroup, Longs, SeriesNumbers

_MOST_EFFORT = 64
"""How often a line is looked at, on average, before the rest of a chunk goes line by line, which costs as much."""
_COST_OF_BAD = 8
_SPACE, _QUOTE, _COMMA, _EQUALS, _BACKSLASH, _LF, _CR = b' ",=\\\n\r'
_SPECIAL = np.zeros(256, np.bool_)
_SPECIAL[[_SPACE, _QUOTE, _COMMA, _EQUALS, _BACKSLASH, _LF, _CR]] = True
_SEPARATOR = np.zeros(256, np.bool_)
_SEPARATOR[[_SPACE, _COMMA, _EQUALS]] = True
_NO_QUOTES_START = np.zeros(256, np.bool_)
_NO_QUOTES_START[[0x20, 0x09, 0x00, 0x23]] = True
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ScannedChunk:
    """The result of one chunk: groups of parsed lines, and spans `(start, end, number)` for the single-line parser.

    `lines` counts the complete lines. The next chunk starts at `position` with line `number`; when `unusual`, that line
    needs the single-line parser.
    """

    groups: list[LineGroup]
    single_lines: Iterable[tuple[int, int, int]]
    lines: int
    position: int
    number: int
    unusual: bool


def scan_chunk(
    body: bytes,
    start: int,
    stop: int,
    number: int,
    unit_ns: int,
    now_ns: int,
    series: SeriesNumbers,
) -> ScannedChunk:
    """Parse the plain, complete lines of `body[start:stop]`. `body` is UTF-8 and ends with a line feed."""
    octets = np.frombuffer(body, np.uint8, stop - start, start)
    at, feeds, unusual_at = _delimiters(octets)
    last = np.flatnonzero(octets[at] == _LF)
    count = len(last)
    if unusual_at is not None:
        count = int(np.searchsorted(at[last], unusual_at))
    if not count:
        return ScannedChunk([], [], 0, start, number, True)
    ends = at[last[:count]]
    starts = np.concatenate(([0], ends[:-1] + 1))
    firsts = np.concatenate(([0], last[: count - 1] + 1))
    numbers = number + np.searchsorted(feeds, starts)
    counts = last[:count] - firsts + 1
    chunk = BodyChunk(body, start, octets, at, starts, firsts, counts, numbers, unit_ns, now_ns, series)
    groups, single_rows = _by_shape(chunk)
    spans = ((start + int(starts[row]), start + int(ends[row]), int(numbers[row])) for row in single_rows)
    position = int(ends[-1]) + 1
    next_number = number + int(np.searchsorted(feeds, position))
    return ScannedChunk(groups, spans, count, start + position, next_number, unusual_at is not None)


def line_delimiters(octets: Bytes) -> tuple[Longs, int | None]:
    """The position of each line feed that ends a line, and that of the first byte from which on this is not certain."""
    at, _, unusual_at = _delimiters(octets)
    return at[octets[at] == _LF], unusual_at


def _by_shape(chunk: BodyChunk) -> tuple[list[LineGroup], Longs]:
    """Groups of lines of one shape each, and the rows of the lines for the single-line parser."""
    initial = chunk.bytes[chunk.starts]
    rows = np.flatnonzero((initial != 0x23) & (initial != _LF))
    groups: list[LineGroup] = []
    single_rows: list[Longs] = []
    effort = _MOST_EFFORT * len(rows)
    while len(rows) and effort > 0:
        same_count = chunk.counts[rows] == chunk.counts[rows[0]]
        if np.count_nonzero(same_count) < FEWEST_LINES:
            single_rows.append(rows[same_count])
            rows = rows[~same_count]
            continue
        group, parsed_rows, refused = parse_shape(chunk, rows[same_count])
        if group is not None:
            groups.append(group)
        single_rows.append(refused)
        effort -= int(np.count_nonzero(same_count)) * (_COST_OF_BAD if len(refused) else 1)
        rest = np.ones(len(rows), np.bool_)
        rest[np.searchsorted(rows, np.concatenate((parsed_rows, refused)))] = False
        rows = rows[rest]
    return groups, np.sort(np.concatenate([*single_rows, rows]))


def _delimiters(octets: Bytes) -> tuple[Longs, Longs, int | None]:
    """The positions of the effective delimiters, of every line feed, and of the first byte that is not plain."""
    at: Longs = np.flatnonzero(_SPECIAL[octets])
    characters = octets[at]
    feeds = at[characters == _LF]
    unusual: list[int] = []
    keep = np.ones(len(at), np.bool_)
    quotes = characters == _QUOTE
    backslashes = characters == _BACKSLASH
    runs = _backslashes_before(at, backslashes) if backslashes.any() else None
    if runs is not None:
        quotes &= runs % 2 == 0
    outside = np.cumsum(quotes) % 2 == 0
    if runs is not None:
        misplaced = outside & ((runs > 1) | ((runs == 1) & ~_SEPARATOR[characters])) & ~backslashes
        unusual += [int(first) for first in at[misplaced][:1]]
        keep &= ~backslashes & (runs == 0)
    if (characters == _CR).any():
        keep &= (characters != _CR) | ((at + 1 < len(octets)) & (octets[np.minimum(at + 1, len(octets) - 1)] == _LF))
    if quotes.any():
        keep &= ~quotes & outside
        unusual += _unusual_quotes(octets, at[quotes], at[keep])
    return at[keep], feeds, min(unusual, default=None)


def _backslashes_before(at: Longs, backslashes: Flags) -> Longs:
    """The number of backslashes directly before each special byte."""
    positions = at[backslashes]
    begins = np.maximum.accumulate(np.where(np.diff(positions, prepend=-2) != 1, positions, 0))
    previous = np.minimum(np.searchsorted(positions, at - 1), len(positions) - 1)
    return np.where(positions[previous] == at - 1, at - begins[previous], 0)


def _unusual_quotes(octets: Bytes, quotes: Longs, at: Longs) -> list[int]:
    """The first quote that neither opens nor closes the value of a field, if any.

    A quote opens a string only after the `=` of a field, where InfluxDB counts more `=` than commas since the first
    space of the line (`scanLine` in models/points.go). It closes one only before a delimiter.
    """
    if not len(at):
        return []
    characters = octets[at]
    ends = at[characters == _LF]
    whole = int(np.searchsorted(quotes, ends[-1])) if len(ends) else 0
    opening, closing = quotes[:whole:2], quotes[1:whole:2]
    if not len(opening):
        return []
    before: Longs = np.searchsorted(at, opening) - 1
    line = np.searchsorted(ends, opening)
    starts = np.concatenate(([0], ends + 1))[line]
    spaces = np.flatnonzero(characters == _SPACE)
    first = np.searchsorted(spaces, np.searchsorted(at, starts))
    space = spaces[np.minimum(first, len(spaces) - 1)] if len(spaces) else np.zeros(len(first), np.int64)
    balance = np.cumsum((characters == _EQUALS).astype(np.int64) - (characters == _COMMA))
    opens = (
        (before >= 0)
        & (at[before] == opening - 1)
        & (characters[before] == _EQUALS)
        & (first < len(spaces))
        & (space < before)
        & (balance[before] - balance[space] == 1)
        & ~_NO_QUOTES_START[octets[starts]]
    )
    following = np.minimum(np.searchsorted(at, closing + 1), len(at) - 1)
    closes = (at[following] == closing + 1) & (characters[following] != _EQUALS)
    return [int(first) for first in (*opening[~opens][:1], *closing[~closes][:1])]
