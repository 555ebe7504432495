"""Cuts the text of a file into blocks of whole records, and counts lines and bytes. No record is held twice.

Memory is bounded by a block and the longest record. A record that is longer than the bound is passed over up to the
next line feed, and named.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.errors import FileRefused
from service.fileformats.pieces import Position
from service.fileformats.unpacking import ByteSource

BLOCK_BYTES = 4 * 1024 * 1024
LONGEST_RECORD_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_MOST_UNDECODABLE, _MOST_CONTROLS = 0.1, 0.6
"""The shares of bytes that no text has: those that are no UTF-8, and control characters."""
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
Cut = Callable[[bytes], int]
"""The end of the last whole record of a text that begins with one; 0 when there is none."""


@dataclass(frozen=True)
class TextBlock:
    """Whole records. `line` is the line on which they begin, `end` the position behind them in unpacked bytes.

    `too_long`: instead of its text, a record that is longer than the bound.
    """

    text: bytes
    line: int
    end: int
    next_line: int
    too_long: bool = False


class TextBlocks:
    """The blocks of a text from `position` on. The last record need not end with a line feed."""

    def __init__(self, source: ByteSource, cut: Cut, position: Position, block_bytes: int = BLOCK_BYTES) -> None:
        self._source = source
        self._cut = cut
        self._block_bytes = block_bytes
        self._end, self._line = position.place, position.line
        self._held = b""
        self._at_end = False
        self._damage: FileRefused | None = None
        if position.place:
            source.skip(position.place)
        else:
            self._begin()

    @property
    def head(self) -> bytes:
        """What was read ahead."""
        return self._held

    def __iter__(self) -> Iterator[TextBlock]:
        wanted = self._block_bytes
        while True:
            self._fill(wanted)
            if self._damage is not None:
                yield from self._rest_before(self._damage)
            if not self._held:
                return
            size = len(self._held) if self._at_end else self._cut(self._held)
            if self._at_end and self._block_bytes < size:
                size = self._cut(self._held[: self._block_bytes]) or size
            if size:
                wanted = self._block_bytes
                yield self._taken(size)
            elif wanted >= LONGEST_RECORD_BYTES:
                yield self._passed_over()
                wanted = self._block_bytes
            else:
                wanted = min(2 * wanted, LONGEST_RECORD_BYTES)

    def take(self, size: int) -> TextBlock:
        """The first `size` bytes of `head`, as a block of their own."""
        return self._taken(size)

    def _begin(self) -> None:
        self._fill(_HEAD_BYTES)
        if self._held.startswith(codecs.BOM_UTF8):
            self._held = self._held[len(codecs.BOM_UTF8) :]
            self._end += len(codecs.BOM_UTF8)
        check_text(self._held, self._source.name)

    def _fill(self, size: int) -> None:
        pieces, length = [self._held], len(self._held)
        while length < size and not self._at_end:
            try:
                piece = self._source.read(size - length)
            except FileRefused as damage:
                self._damage = damage
                break
            self._at_end = not piece
            pieces.append(piece)
            length += len(piece)
        self._held = b"".join(pieces)

    def _rest_before(self, damage: FileRefused) -> Iterator[TextBlock]:
        """The whole records before a damaged place; then the damage is raised."""
        size = self._cut(self._held)
        if size:
            yield self._taken(size)
        raise FileRefused(f"{damage.message} It was read up to line {self._line - 1:,}.")

    def _taken(self, size: int, too_long: bool = False) -> TextBlock:
        text, self._held = self._held[:size], self._held[size:]
        line = self._line
        self._end += size
        self._line += text.count(b"\n")
        return TextBlock(b"" if too_long else text, line, self._end, self._line, too_long)

    def _passed_over(self) -> TextBlock:
        line = self._line
        while (size := self._held.find(b"\n") + 1) == 0:
            self._end += len(self._held)
            self._held = b""
            self._fill(self._block_bytes)
            if not self._held:
                break
        block = self._taken(size, too_long=True)
        return TextBlock(b"", line, block.end, block.next_line, too_long=True)


def check_text(head: bytes, name: str) -> None:
    """Raises FileRefused where a file does not begin as a text does."""
    if head.startswith(_WIDE_MARKS):
        raise FileRefused(f"{name} is UTF-16. Convert it first: iconv -f UTF-16 -t UTF-8 {name} > converted")
    sample = head[:4096]
    odd = sum(byte < 0x20 and byte not in b"\t\n\r" for byte in sample)
    undecodable = sample.decode("utf-8", "replace").count("\ufffd")
    if undecodable > _MOST_UNDECODABLE * len(sample) or odd > _MOST_CONTROLS * len(sample):
        raise FileRefused(
            f"{name} is no text: neither line protocol, CSV, Parquet nor one of them packed by gzip or zstd."
        )
