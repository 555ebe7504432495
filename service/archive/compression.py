"""Pieces of text to gzip or zstd and back, in bounded memory.

Each piece is a member of its own, so that a reader gets the pieces back as they were, whole lines that is, without
looking for line ends inside strings. `gunzip`, `influx write` and `zstd -d` read members one after the other, as one
text.
A zstd frame follows a skippable frame that says its sizes (RFC 8878, 3.1.2). The same pieces give the same bytes.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

import pyarrow as pa
from isal import isal_zlib

PIECE_BYTES = 4 * 1024 * 1024
"""About the size of a piece of text that writers make."""
LARGEST_PIECE_BYTES = 16 * 1024 * 1024
"""The most that a reader unpacks at once: a piece and the longest line (10 MiB) fit."""
_GZIP_LEVEL = 2
"""Of ISA-L: as small as zlib's fastest level, and an eighth of its time or less (docs/benchmarks.md)."""
_ZSTD_LEVEL = 3
_GZIP = zlib.MAX_WBITS | 16
_HEAD = struct.Struct("<IIII")
"""A skippable frame: magic number, length of what follows in it, then the sizes of the next frame and of its text."""
_MAGIC = 0x184D2A50


class Packing(StrEnum):
    """How a file is compressed. gzip is what `influx write` reads."""

    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def extension(self) -> str:
        return {"gzip": "lp.gz", "zstd": "lp.zst"}[self.value]


class NotPacked(ValueError):
    """Why bytes do not unpack."""


def packed(pieces: Iterable[bytes], packing: Packing) -> Iterator[bytes]:
    """Each piece as one member. A gzip member has no time in its head."""
    for piece in pieces:
        if packing is Packing.GZIP:
            compressor = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP)
            yield compressor.compress(piece) + compressor.flush()
        else:
            frame = pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(piece, asbytes=True)
            yield _HEAD.pack(_MAGIC, 8, len(frame), len(piece)) + frame


def unpacked(source: Iterable[bytes], packing: Packing, most_bytes: int) -> Iterator[bytes]:
    """The pieces. Raises NotPacked for what is cut, changed, or more than `most_bytes` of text in all.

    No more than LARGEST_PIECE_BYTES are ever unpacked before they are counted.
    """
    total = 0
    for piece in _gunzipped(source) if packing is Packing.GZIP else _unframed(source):
        total += len(piece)
        if total > most_bytes:
            raise NotPacked(f"it unpacks to more than the {most_bytes} bytes that it should hold")
        yield piece


def _gunzipped(source: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = None
    parts: list[bytes] = []
    size = 0
    for some in source:
        data = some
        while data:
            if unpacker is None:
                unpacker, parts, size = zlib.decompressobj(_GZIP), [], 0
            try:
                part = unpacker.decompress(data, LARGEST_PIECE_BYTES + 1 - size)
            except zlib.error as failure:
                raise NotPacked(f"gzip does not unpack it ({failure})") from None
            size += len(part)
            if size > LARGEST_PIECE_BYTES:
                raise NotPacked(f"a part of it unpacks to more than {LARGEST_PIECE_BYTES} bytes")
            parts.append(part)
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data = unpacker.unused_data
                unpacker = None
                yield b"".join(parts)
    if unpacker is not None:
        raise NotPacked("it ends in the middle of a gzip member")


def _unframed(source: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    frame_bytes = text_bytes = 0
    for some in source:
        held += some
        while len(held) >= (frame_bytes or _HEAD.size):
            if not frame_bytes:
                frame_bytes, text_bytes = _sizes(bytes(held[: _HEAD.size]))
                del held[: _HEAD.size]
                continue
            yield _unzstd(bytes(held[:frame_bytes]), text_bytes)
            del held[:frame_bytes]
            frame_bytes = 0
    if held or frame_bytes:
        raise NotPacked("it ends in the middle of a zstd frame")


def _sizes(head: bytes) -> tuple[int, int]:
    magic, length, frame_bytes, text_bytes = _HEAD.unpack(head)
    if (magic, length) != (_MAGIC, 8) or not frame_bytes:
        raise NotPacked("it has no sizes before a zstd frame")
    if text_bytes > LARGEST_PIECE_BYTES or frame_bytes > LARGEST_PIECE_BYTES + 65_536:
        raise NotPacked(f"a part of it unpacks to more than {LARGEST_PIECE_BYTES} bytes")
    return frame_bytes, text_bytes


def _unzstd(frame: bytes, text_bytes: int) -> bytes:
    try:
        text: bytes = pa.Codec("zstd").decompress(frame, text_bytes, asbytes=True)
    except (OSError, ValueError) as failure:
        raise NotPacked(f"zstd does not unpack it ({str(failure)[:100]})") from None
    if len(text) != text_bytes:
        raise NotPacked("a zstd frame holds another number of bytes than it says")
    return text
