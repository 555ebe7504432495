"""Writes the points of a read as line protocol, all fields of a series and time in one line.

What line protocol cannot hold is refused with its name. Behind lines that are sent already, a comment says the reason
before the answer breaks off, so that whoever looks at the cut answer sees why.
"""

from collections.abc import Iterable, Iterator

from service.domain.timerange import format_time
from service.encoding.document import Piece
from service.errors import UnwritablePoint
from service.frames.frame import Block
from service.lineprotocol.unwritable import UnwritableValues
from service.lineprotocol.writer import write_block

REFUSAL_MARK = "# not complete: "
"""Begins the comment that ends a cut answer."""
_PIECE_BYTES = 1024 * 1024
_ADVICE = "Read format=annotated_csv or parquet, which hold it, or filter it out."


def line_pieces(blocks: Iterable[Block], limit: int | None) -> Iterator[list[Piece]]:
    """The lines of each block of complete rows, at most `limit` in all.

    Raises UnwritablePoint, and what `blocks` raises.
    """
    left, begun = limit, False
    for block in blocks:
        written = write_block(block)
        if written.unwritable:
            refusal = _refusal(written.unwritable[0])
            if begun:
                yield [f"{REFUSAL_MARK}{_one_line(refusal)}\n".encode()]
            raise UnwritablePoint(refusal)
        taken = len(written.points) if left is None else min(left, len(written.points))
        text = memoryview(written.points.text)[: written.points.offsets[taken]]
        if taken:
            yield [text[start : start + _PIECE_BYTES] for start in range(0, len(text), _PIECE_BYTES)]
            begun = True
        if left is not None:
            left -= taken
            if not left:
                return


def _refusal(unwritable: UnwritableValues) -> str:
    series = unwritable.series
    place = f"measurement {series.key.measurement!r}, field {series.field!r}"
    tags = "".join(f", {key!r}={value!r}" for key, value in series.key.tags)
    when = format_time(int(unwritable.times_ns[0]))
    return f"Line protocol cannot hold the point at {when} ({place}{tags}): {unwritable.reason}. {_ADVICE}"


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
