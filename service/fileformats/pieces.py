"""Pieces of a file that are ready to be sent: whole lines of line protocol, and where each stands in the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from service.lineprotocol.line_ends import line_starts

Longs = npt.NDArray[np.int64]
_MOST_COMPARED = 5_000
"""Lines of a piece that are held against those of another."""


@dataclass(frozen=True)
class Position:
    """How far a file is read. `place` counts unpacked bytes of a text, or rows of Parquet; `line` is the next line.

    `context` is what a reader that begins here must know of what stands before: the header of a section.
    """

    place: int = 0
    line: int = 1
    context: str = ""


@dataclass(frozen=True)
class Reject:
    """A line, row or value of a file that is not stored, and why. `text` is its line protocol, if there is any."""

    line: int
    reason: str
    text: str = ""


@dataclass(frozen=True)
class Piece:
    """Lines to be sent in one post. `after`: up to where the file is done once they are stored.

    `first_line` is the line of the file on which they begin, where they are the file's own text. Otherwise `offsets`
    and `rows` say where each line begins in `text` and in which line of the file its row stands.

    `times` has the time of each line in the unit of the file, where they are known. `rejects` were found while the
    lines were made; `empty_rows` are rows of the file without any value.
    """

    text: bytes
    after: Position
    first_line: int = 1
    offsets: Longs | None = None
    rows: Longs | None = None
    times: Longs | None = None
    rejects: tuple[Reject, ...] = ()
    empty_rows: int = 0

    @cached_property
    def starts(self) -> Longs:
        """The start of each line in `text`, and the end of the last."""
        if self.offsets is not None:
            return self.offsets
        starts = line_starts(self.text)
        return starts if starts[-1] == len(self.text) else np.append(starts, len(self.text))

    @cached_property
    def _line_feeds(self) -> Longs:
        """How many line feeds stand before each line of the piece."""
        feeds = np.flatnonzero(np.frombuffer(self.text, np.uint8) == 0x0A)
        return np.searchsorted(feeds, self.starts[:-1]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def index_of(self, posted_line: int) -> int:
        """The index of the line that the gateway calls `posted_line`; it counts line feeds, from 1."""
        return max(int(np.searchsorted(self._line_feeds, posted_line - 1, "right")) - 1, 0)

    def line_of(self, index: int) -> int:
        """The line of the file in which line `index` of the piece stands."""
        return int(self.rows[index]) if self.rows is not None else self.first_line + int(self._line_feeds[index])

    def text_of(self, index: int) -> str:
        return self.text[self.starts[index] : self.starts[index + 1]].decode("utf-8", "replace").rstrip("\r\n")

    def parts(self, most_lines: int) -> Iterator["Piece"]:
        """The piece in parts of at most `most_lines`, with the same `after` and without rejects."""
        for start in range(0, len(self), most_lines):
            stop = min(start + most_lines, len(self))
            begin, end = int(self.starts[start]), int(self.starts[stop])
            rows = np.array([self.line_of(index) for index in range(start, stop)], np.int64)
            offsets = self.starts[start : stop + 1] - begin
            yield Piece(self.text[begin:end], self.after, offsets=offsets, rows=rows)

    def may_meet(self, other: "Piece") -> bool:
        """Whether both may hold values of one point. True where that is not certain or costs much to find out."""
        if not self.text or not other.text:
            return False
        if self.times is None or other.times is None or not len(self.times) or not len(other.times):
            return True
        first = max(int(self.times.min()), int(other.times.min()))
        last = min(int(self.times.max()), int(other.times.max()))
        keys = self._keys(first, last), other._keys(first, last)
        return keys[0] is None or keys[1] is None or not keys[0].isdisjoint(keys[1])

    def _keys(self, first: int, last: int) -> set[tuple[int, tuple[bytes, ...]]] | None:
        """Time and series of the lines in a range of time; None for many of them, or where a name is escaped."""
        assert self.times is not None
        lines = np.flatnonzero((self.times >= first) & (self.times <= last))
        if len(lines) > _MOST_COMPARED:
            return None
        keys = set()
        for line in lines.tolist():
            series = self.text[self.starts[line] : self.starts[line + 1]].lstrip().partition(b" ")[0]
            if b"\\" in series:
                return None
            keys.add((int(self.times[line]), tuple(sorted(series.split(b",")))))
        return keys
