"""Unpacks a gzip body piece by piece, of one member or several, within one bound for all of them."""

import zlib

from service.api.body_bound import BodyBound, too_large
from service.errors import InvalidBody

MOST_MEMBERS = 10_000
"""Each member costs a new unpacker, however small it is. Blocks of 64 KiB, as bgzip makes them, are 640 MB in all."""
_STEP_BYTES = 4096
"""What is given to an unpacker at once when members follow one another: what is left behind a member is copied."""


class GzipUnpacker:
    """`complete`: the last member that began has ended."""

    def __init__(self, bound: BodyBound) -> None:
        self._bound = bound
        self._room_bytes = bound.most_unpacked_bytes
        self._member = zlib.decompressobj(31)
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._member.eof

    def unpack(self, piece: bytes) -> bytes:
        """The plain bytes of `piece`. Raises BodyTooLarge, InvalidBody."""
        plain, rest = [], memoryview(piece)
        while rest:
            if self._member.eof:
                self._begin_member()
            step = rest if self._members == 1 else rest[:_STEP_BYTES]
            plain.append(self._unpacked(step))
            rest = rest[len(step) - len(self._member.unused_data) :]
        return b"".join(plain)

    def _begin_member(self) -> None:
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise InvalidBody(f"The gzip body has more than {MOST_MEMBERS} members. Pack it as one.")
        self._member = zlib.decompressobj(31)

    def _unpacked(self, step: memoryview) -> bytes:
        try:
            plain = self._member.decompress(step, self._room_bytes + 1)
        except zlib.error as broken:
            behind = ", or something else stands behind it" if self._members > 1 else ""
            raise InvalidBody(
                f"The body is no gzip ({broken}){behind}. Leave Content-Encoding out, or pack it."
            ) from None
        if len(plain) > self._room_bytes or self._member.unconsumed_tail:
            raise too_large(self._bound.most_unpacked_bytes, f"once unpacked ({self._bound.unpacked_setting})")
        self._room_bytes -= len(plain)
        return plain
