"""Opens a file or standard input and unpacks gzip and zstd, known by their content and not by a name.

Memory is bounded, however far the file unpacks. What stands before a damaged place is given out first.
"""

import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from service.errors import FileRefused

STANDARD_INPUT = "-"
_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE_ZSTD = b"\x2a\x4d\x18"
"""A skippable frame of zstd begins with one of sixteen bytes, and these (RFC 8878, 3.1.2)."""
_HEAD_BYTES = 64 * 1024
_PACKED_BYTES = 16 * 1024
"""Read at once of a packed file. Of a damaged one, no more than that is lost before the damage."""
_UNPACKED_BYTES = 64 * 1024
"""Asked of zstd at once: a read that meets damage gives nothing."""
_PIECE_BYTES = 1024 * 1024


class ByteSource:
    """The unpacked bytes of a file. `packing` is gzip, zstd or empty; `taken_bytes` counts those of the file itself."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.taken_bytes = 0
        self.file = file
        self._head = self._raw(_HEAD_BYTES)
        self.packing = _packing(self._head)
        self._pieces = self._unpacked()
        self._rest = b""

    def starts_with(self, magic: bytes) -> bool:
        """Whether the file itself, before it is unpacked, begins so. Asked before anything is read."""
        return self._head.startswith(magic)

    def peek(self, size: int) -> bytes:
        """The first `size` bytes, which stay there to be read. Raises FileRefused at a damaged place."""
        pieces, length = [self._rest], len(self._rest)
        while length < size and (piece := next(self._pieces, b"")):
            pieces.append(piece)
            length += len(piece)
        self._rest = b"".join(pieces)
        return self._rest[:size]

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. Raises FileRefused at a damaged place."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def skip(self, size: int) -> None:
        """Pass over the first `size` bytes. Nothing was read before."""
        if not self.packing and self.file.seekable():
            self.file.seek(size)
            self._head, self._rest, self.taken_bytes = b"", b"", size
            self._pieces = self._unpacked()
            return
        left = size
        while left and (piece := self.read(min(left, _PIECE_BYTES))):
            left -= len(piece)

    def _raw(self, size: int) -> bytes:
        data = self.file.read(size)
        self.taken_bytes += len(data)
        return data

    def _raw_pieces(self) -> Iterator[bytes]:
        size = _PACKED_BYTES if self.packing else _PIECE_BYTES
        if self._head:
            yield self._head
        while data := self._raw(size):
            yield data

    def _unpacked(self) -> Iterator[bytes]:
        if self.packing == "gzip":
            yield from self._gunzipped()
        elif self.packing == "zstd":
            yield from self._unzstd()
        else:
            yield from self._raw_pieces()

    def _gunzipped(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        begun = False
        for packed in self._raw_pieces():
            data = packed
            while data:
                if unpacker.eof:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
                try:
                    piece = unpacker.decompress(data, _PIECE_BYTES)
                except zlib.error as broken:
                    raise self._damaged("gzip", str(broken)) from None
                begun = True
                if piece:
                    yield piece
                data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if begun and not unpacker.eof:
            raise self._damaged("gzip", "the file ends in the middle")

    def _unzstd(self) -> Iterator[bytes]:
        stream = pa.CompressedInputStream(pa.PythonFile(_Raw(self._raw_pieces()), "r"), "zstd")
        while True:
            try:
                piece = stream.read(_UNPACKED_BYTES)
            except OSError as broken:
                raise self._damaged("zstd", str(broken)[:100]) from None
            if not piece:
                return
            yield piece

    def _damaged(self, packing: str, reason: str) -> FileRefused:
        place = f"near byte {self.taken_bytes:,} of the file"
        return FileRefused(f"{self.name} is damaged: {packing} does not unpack it {place} ({reason}).")


class _Raw:
    """The pieces of a file as a file, for Arrow."""

    closed = False

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        self.closed = True


@contextmanager
def as_seekable(source: ByteSource) -> Iterator[BinaryIO]:
    """The bytes of a source as a file that can be read at any place: the file itself, or a temporary copy."""
    if not source.packing and source.file.seekable():
        source.file.seek(0)
        yield source.file
        return
    with tempfile.TemporaryFile() as copy:
        while piece := source.read(_PIECE_BYTES):
            copy.write(piece)
        copy.seek(0)
        yield copy


@contextmanager
def opened(name: str) -> Iterator[ByteSource]:
    """The file `name`, or standard input for `-`. Raises FileRefused for a folder or a file without a byte."""
    if name == STANDARD_INPUT:
        yield _checked(ByteSource("standard input", sys.stdin.buffer))
        return
    path = Path(name)
    if path.is_dir():
        raise FileRefused(f"{name} is a folder. Name a file; each file is an import of its own.")
    with path.open("rb") as file:
        yield _checked(ByteSource(name, file))


def _checked(source: ByteSource) -> ByteSource:
    if not source.taken_bytes:
        raise FileRefused(f"{source.name} is empty: there is nothing to import.")
    if source.starts_with(_ZIP_MAGIC):
        advice = "Save the table as CSV, or unpack the file, and import that."
        raise FileRefused(f"{source.name} is a ZIP file, as Excel workbooks (.xlsx) are. {advice}")
    return source


def _packing(head: bytes) -> str:
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    is_zstd = head.startswith(_ZSTD_MAGIC) or (head[1:4] == _SKIPPABLE_ZSTD and 0x50 <= head[0] <= 0x5F)
    return "zstd" if is_zstd else ""
