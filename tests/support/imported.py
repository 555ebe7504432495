"""Points that an import would send, as rows that can be compared, and files in memory."""

import gzip
import io
import struct
from collections.abc import Iterable

from service.fileformats.pieces import Piece, Reject
from service.fileformats.unpacking import ByteSource
from service.lineprotocol.parser import parse_lines

Point = tuple[str, tuple[tuple[str, str], ...], str, str, int, object]


def source_of(data: bytes, name: str = "file") -> ByteSource:
    return ByteSource(name, io.BytesIO(data))


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def bits(value: object) -> object:
    """A float as its bits, so that -0.0 and NaN are told apart."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def points_of(pieces: Iterable[Piece], precision: str = "ns") -> set[Point]:
    """Measurement, tags, field, type, time and value of every point of the lines."""
    points: set[Point] = set()
    for piece in pieces:
        parsed = parse_lines(piece.text, precision, 0)
        assert parsed.bad == (), parsed.bad
        for column in parsed.points.columns:
            values = column.values.to_pylist()
            for key, line, value in zip(column.keys.tolist(), column.lines.tolist(), values, strict=True):
                series, time_ns = parsed.points.keys[key], int(parsed.points.times_ns[line])
                points.add((series.measurement, series.tags, series.field, series.type.value, time_ns, bits(value)))
    return points


def rejects_of(pieces: Iterable[Piece]) -> list[Reject]:
    return [reject for piece in pieces for reject in piece.rejects]
