"""Bodies of requests, bounded as they arrive: as sent, and once unpacked."""

import zlib

from fastapi import Request

from service.errors import BodyTooLarge, InvalidBody

_PIECE_BYTES = 1024 * 1024


async def read_body(request: Request, most_bytes: int, most_unpacked_bytes: int) -> bytes:
    """The body, unpacked when it is gzip.

    Raises:
        BodyTooLarge: more bytes than either limit, before they are all in memory. InvalidBody: broken or unknown coding.
    """
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise InvalidBody(f"Content-Encoding: {coding[:50]} is not known here. Send the body plain or as gzip.")
    unpacker = None if coding == "identity" else zlib.decompressobj(31)
    pieces, sent, unpacked = [], 0, 0
    async for piece in request.stream():
        sent += len(piece)
        if sent > most_bytes:
            raise _too_large(sent, most_bytes, "as sent (MAX_BODY_MB)")
        plain = piece if unpacker is None else _unpack(unpacker, piece, most_unpacked_bytes - unpacked)
        unpacked += len(plain)
        pieces.append(plain)
    if unpacker is not None and not unpacker.eof and sent:
        raise InvalidBody("The gzip body ends too early. Send it whole.")
    return b"".join(pieces)


def _unpack(unpacker: "zlib._Decompress", piece: bytes, room_bytes: int) -> bytes:
    try:
        plain = unpacker.decompress(piece, room_bytes + 1)
    except zlib.error as broken:
        raise InvalidBody(f"The body is no gzip ({broken}). Leave Content-Encoding out, or pack it.") from None
    if len(plain) > room_bytes or unpacker.unconsumed_tail:
        raise _too_large(len(plain), room_bytes, "once unpacked (MAX_UNPACKED_MB)")
    if unpacker.unused_data:
        raise InvalidBody("The gzip body has more than one part, or something behind it. Send one gzip member.")
    return plain


def _too_large(_size: int, most_bytes: int, how: str) -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {most_bytes} bytes {how}. Send it in smaller parts.")
