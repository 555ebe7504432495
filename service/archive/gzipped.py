"""Bytes as one gzip member, as they come. The same bytes give the same file: its head has no time."""

import zlib
from collections.abc import Iterable, Iterator

_GZIP = zlib.MAX_WBITS | 16
_LEVEL = 6


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        packed = compressor.compress(piece)
        if packed:
            yield packed
    yield compressor.flush()
