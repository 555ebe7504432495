"""Reads a file of line protocol as pieces of its own lines. Nothing is parsed here: the gateway looks at each line.

A line without a time gets the time at which the import began, so that sending it twice stores one point.
"""

import re
from collections.abc import Iterator

from service.fileformats.pieces import Longs, Piece, Position, Reject
from service.fileformats.text_blocks import BLOCK_BYTES, TextBlocks
from service.fileformats.unpacking import ByteSource
from service.lineprotocol.line_ends import line_starts, line_times
from service.lineprotocol.parser import UNITS_NS
from service.lineprotocol.single_line import MAX_LINE_BYTES

_TIMED = re.compile(rb" -?[0-9]+[ \t]*\r?\n?\Z")
_NO_POINT = re.compile(rb"[ \t\0]*(?:#|\r?\n?\Z)|[^=]*\Z|[^ ]*\Z")
"""A comment, nothing, or a line that lacks what every point has, so that a time would only hide what is wrong."""
TOO_LONG = f"the line is longer than {MAX_LINE_BYTES} bytes"


def line_pieces(
    source: ByteSource, position: Position, precision: str, begun_ns: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[Piece]:
    """The lines of `source` from `position` on, in its order. `begun_ns`: the time of lines that have none."""
    now = begun_ns // UNITS_NS[precision]
    for block in TextBlocks(source, _last_end, position, block_bytes):
        after = Position(block.end, block.next_line)
        if block.too_long:
            yield Piece(b"", after, block.line, rejects=(Reject(block.line, TOO_LONG),))
        else:
            text, times = _timed(block.text, now)
            yield Piece(text, after, block.line, times=times)


def _last_end(text: bytes) -> int:
    return int(line_starts(text)[-1])


def _timed(text: bytes, now: int) -> tuple[bytes, Longs | None]:
    """`text` with a time on every line, and the times of the lines; None where they are not certain."""
    whole = text if text.endswith(b"\n") else text + b"\n"
    starts = line_starts(whole)
    times, suspects = line_times(whole, starts)
    certain = True
    pieces, position = [], 0
    for index in suspects.tolist():
        start, end = int(starts[index]), int(starts[index + 1])
        line = whole[start:end]
        if _NO_POINT.match(line):
            continue
        certain = False
        if _TIMED.search(line) is None:
            ending = end - (2 if line.endswith(b"\r\n") else 1)
            pieces += [whole[position:ending].rstrip(b" "), b" %d" % now]
            position = ending
    return (b"".join([*pieces, whole[position:]]) if pieces else text), (times if certain else None)
