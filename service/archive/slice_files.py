"""Slices as files of a backup: written from blocks, and read back as points, both in the memory of a few pieces.

    blocks -> lines -> gzip or zstd -> (age) -> SHA-256 and size -> destination, and the same way back

What is read back is held against the manifest on the way: size, SHA-256, unpacked size, lines, times and digest.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from service.archive.compression import NotPacked, Packing, packed, unpacked
from service.archive.destination import Destination, Sink
from service.archive.encryption import ENCRYPTED, Decrypter, Encrypter, NotEncrypted
from service.archive.manifest import OtherFile, SliceFile
from service.archive.point_frames import frames_of
from service.archive.slice_text import SliceMeter, SliceText
from service.domain.timerange import TimeRange
from service.errors import ArchiveKeyRefused, BackupDamaged
from service.frames.frame import Block
from service.frames.points import Points
from service.lineprotocol.parser import parse_lines
from service.lineprotocol.printed_lines import printed_points
from service.lineprotocol.unwritable import UnwritableValues


@dataclass(frozen=True)
class WrittenSlice:
    """What a file holds now; None when there was no point to write, and no file is.

    `unwritable`: the first groups of values that line protocol cannot hold, and `unwritable_values` how many values
    there are in all: a backup that has any is partial.
    """

    entry: SliceFile | None
    unwritable: tuple[UnwritableValues, ...]
    unwritable_values: int


def write_slice(
    destination: Destination,
    backup: str,
    file: str,
    span: TimeRange,
    blocks: Iterable[Block],
    packing: Packing = Packing.GZIP,
    encrypter: Encrypter | None = None,
) -> WrittenSlice:
    """Write the points of `span` into the file `backup`/`file`, in place of an earlier try.

    Blocks hold complete rows (service.frames.frame). Raises what `blocks` raises; StoreBroken; ArchiveError.
    """
    text = SliceText(blocks, span)
    pieces = packed(text.pieces(), packing)
    first = next(pieces, None)
    if first is None:
        return WrittenSlice(None, tuple(text.unwritable), text.unwritable_values)
    with destination.create(f"{backup}/{file}") as sink:
        measured = MeasuredSink(sink)
        copied(chain((first,), pieces), measured, encrypter)
    entry = SliceFile(
        span=span,
        file=file,
        backup=backup,
        packing=packing,
        encrypted=encrypter is not None,
        size=measured.size,
        sha256=measured.sha256,
        text_bytes=text.text_bytes,
        points=text.points,
        first_ns=text.first_ns,
        last_ns=text.last_ns,
        digest=text.digest,
    )
    return WrittenSlice(entry, tuple(text.unwritable), text.unwritable_values)


def write_file(
    destination: Destination,
    backup: str,
    file: str,
    pieces: Iterable[bytes],
    encrypter: Encrypter | None = None,
) -> OtherFile:
    """Write another file of a backup. Raises what `pieces` raises, and ArchiveError."""
    with destination.create(f"{backup}/{file}") as sink:
        measured = MeasuredSink(sink)
        copied(pieces, measured, encrypter)
    return OtherFile(file, backup, measured.size, measured.sha256)


def write_protected(
    destination: Destination,
    backup: str,
    name: str,
    pieces: Iterable[bytes],
    encrypter: Encrypter | None,
) -> OtherFile:
    """As `write_file`, under `name`, to which ENCRYPTED is added where the file is encrypted."""
    file = name if encrypter is None else f"{name}{ENCRYPTED}"
    return write_file(destination, backup, file, pieces, encrypter)


def measured_file(backup: str, file: str, pieces: Iterable[bytes]) -> OtherFile:
    """What the manifest says of a file with these bytes. Raises what `pieces` raises."""
    hashed, size = hashlib.sha256(), 0
    for piece in pieces:
        hashed.update(piece)
        size += len(piece)
    return OtherFile(file, backup, size, hashed.hexdigest())


def read_slice(destination: Destination, entry: SliceFile, decrypter: Decrypter | None = None) -> Iterator[Points]:
    """The points of a slice, in its order, batch by batch.

    What differs from the manifest raises, at the latest after the last batch: read it once (`checking`) before anything
    is written from it.

    Raises:
        BackupDamaged: the file is not what the manifest says.
        ArchiveKeyRefused: it is encrypted, and no key fits.
        ArchiveError: it is not there, or cannot be reached.
    """
    meter, lines, text_bytes = SliceMeter(), 0, 0
    for piece in read_texts(destination, entry, decrypter):
        points = _parsed(piece, entry)
        if len(points):
            _demand_inside(points, entry)
            meter.add(frames_of(points))
        lines += len(points)
        text_bytes += len(piece)
        yield points
    if (lines, text_bytes) != (entry.points, entry.text_bytes):
        expected = f"{entry.points} in {entry.text_bytes}"
        raise BackupDamaged(entry.path, f"it has {lines} points in {text_bytes} bytes, not {expected}")
    if meter.total != entry.digest:
        raise BackupDamaged(entry.path, "its values have another digest than the manifest says")


def read_points(destination: Destination, entry: SliceFile, decrypter: Decrypter | None = None) -> Iterator[Points]:
    """As `read_slice`, without a look at the lines: for a slice that was checked, and is compared afterwards."""
    for piece in read_texts(destination, entry, decrypter):
        yield printed_points(piece)


def read_texts(destination: Destination, entry: SliceFile, decrypter: Decrypter | None = None) -> Iterator[bytes]:
    """The line protocol of a slice, in pieces of whole lines. Raises as `read_slice`, without a look at the lines."""
    if entry.encrypted and decrypter is None:
        raise ArchiveKeyRefused(f"{entry.path} is encrypted: give the passphrase or the secret key of the backup.")
    source = checked_bytes(destination, entry)
    try:
        yield from unpacked(
            decrypter.decrypted(source) if entry.encrypted and decrypter is not None else source,
            entry.packing,
            entry.text_bytes,
        )
    except (NotPacked, NotEncrypted) as reason:
        raise BackupDamaged(entry.path, str(reason)) from None


def checked_bytes(destination: Destination, entry: SliceFile | OtherFile) -> Iterator[bytes]:
    """The bytes of a file as they lie there. After the last of them size and SHA-256 are compared.

    Raises BackupDamaged, ArchiveError. No more than the size in the manifest is read, and one byte.
    """
    hashed, size = hashlib.sha256(), 0
    for piece in destination.read(entry.path, 0, entry.size + 1):
        hashed.update(piece)
        size += len(piece)
        if size > entry.size:
            raise BackupDamaged(entry.path, f"it has more than its {entry.size} bytes")
        yield piece
    if size != entry.size:
        raise BackupDamaged(entry.path, f"it has {size} bytes, not {entry.size}")
    if hashed.hexdigest() != entry.sha256:
        raise BackupDamaged(entry.path, "its SHA-256 is not the one in the manifest")


class MeasuredSink:
    """A sink that hashes what it hands on."""

    def __init__(self, sink: Sink) -> None:
        self.closed = False
        self._sink = sink
        self._hashed = hashlib.sha256()

    @property
    def size(self) -> int:
        return self._sink.size

    @property
    def sha256(self) -> str:
        return self._hashed.hexdigest()

    def write(self, data: bytes | memoryview, /) -> int:
        self._hashed.update(data)
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()


def copied(pieces: Iterable[bytes], sink: MeasuredSink, encrypter: Encrypter | None) -> None:
    """Write all pieces, encrypted where that is asked for."""
    if encrypter is not None:
        encrypter.copy(pieces, sink)
        return
    for piece in pieces:
        sink.write(piece)


def _parsed(piece: bytes, entry: SliceFile) -> Points:
    parsed = parse_lines(piece, "ns", 0)
    if parsed.bad:
        raise BackupDamaged(entry.path, f"a line does not parse: {parsed.bad[0].reason}")
    if parsed.ended_early:
        raise BackupDamaged(entry.path, f"its lines do not parse: {parsed.ended_early}")
    return parsed.points


def _demand_inside(points: Points, entry: SliceFile) -> None:
    if int(points.times_ns.min()) < entry.first_ns or int(points.times_ns.max()) > entry.last_ns:
        raise BackupDamaged(entry.path, "it has points outside the times that the manifest says")
