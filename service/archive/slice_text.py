"""Blocks of a slice as pieces of line protocol, with the count and the digest of exactly what was written."""

from collections.abc import Iterable, Iterator

from service.archive.compression import PIECE_BYTES
from service.archive.point_frames import frames_of
from service.domain.timerange import TimeRange, format_time
from service.errors import StoreBroken
from service.frames.frame import Block
from service.frames.points import Points
from service.frames.slice_digest import SliceDigest, SliceDigester
from service.lineprotocol.unwritable import UnwritableValues
from service.lineprotocol.writer import write_block

_WHOLE = 1 << 62
"""A length of slices that makes at most four of all the time there is; they are added up."""
MOST_NAMED = 1000


class SliceText:
    """The lines of blocks, which are taken once, by `pieces`; after that the other members say what they were.

    `unwritable` holds the first thousand groups of values that line protocol cannot hold; `unwritable_values` counts
    all.
    """

    def __init__(self, blocks: Iterable[Block], span: TimeRange) -> None:
        self.text_bytes = 0
        self.points = 0
        self.first_ns = span.stop_ns
        self.last_ns = span.start_ns - 1
        self.unwritable: list[UnwritableValues] = []
        self.unwritable_values = 0
        self._blocks = blocks
        self._span = span
        self._digest = SliceMeter()

    @property
    def digest(self) -> SliceDigest:
        return self._digest.total

    def pieces(self) -> Iterator[bytes]:
        """Whole lines in pieces of about PIECE_BYTES. Raises StoreBroken for a point outside the range."""
        held: list[bytes] = []
        size = 0
        for block in self._blocks:
            for piece in self._lines(block):
                if held and size + len(piece) > PIECE_BYTES:
                    yield b"".join(held)
                    held, size = [], 0
                held.append(piece)
                size += len(piece)
        if held:
            yield b"".join(held)

    def _lines(self, block: Block) -> Iterator[bytes]:
        written = write_block(block)
        points = written.points
        if written.unwritable:
            self.unwritable_values += sum(map(len, written.unwritable))
            self.unwritable += written.unwritable[: MOST_NAMED - len(self.unwritable)]
            self._digest.add(frames_of(points))
        else:
            self._digest.add(block)
        if len(points):
            self._count(points)
            yield from _cut(points)

    def _count(self, points: Points) -> None:
        first_ns, last_ns = int(points.times_ns.min()), int(points.times_ns.max())
        if first_ns < self._span.start_ns or last_ns >= self._span.stop_ns:
            raise StoreBroken(
                f"The store sent a point of {format_time(first_ns if first_ns < self._span.start_ns else last_ns)},"
                f" outside the range {format_time(self._span.start_ns)} that was asked for. Ask again."
            )
        self.first_ns, self.last_ns = min(self.first_ns, first_ns), max(self.last_ns, last_ns)
        self.points += len(points)
        self.text_bytes += len(points.text)


class SliceMeter:
    """The digest of frames, whatever their times."""

    def __init__(self) -> None:
        self._digester = SliceDigester(_WHOLE)

    def add(self, frames: Iterable[object]) -> None:
        for frame in frames:
            self._digester.add(frame)

    @property
    def total(self) -> SliceDigest:
        return sum(self._digester.slices.values(), SliceDigest())


def _cut(points: Points) -> Iterator[bytes]:
    """The text in pieces of whole lines, each at most PIECE_BYTES unless a single line is longer."""
    start = 0
    count = len(points)
    while start < count:
        begin = int(points.offsets[start])
        stop = int(points.offsets.searchsorted(begin + PIECE_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), count)
        yield points.text[begin : int(points.offsets[stop])]
        start = stop
