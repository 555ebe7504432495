"""Holds the files of a backup against its manifest: there, of the right size and SHA-256, readable, with equal points.

Files in older backups are followed to where they lie. What is wrong is found, not raised, so that one damaged file does
not hide the next; a place that cannot be reached is raised: it says nothing about the files.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from service.archive.destination import Destination
from service.archive.encryption import Decrypter
from service.archive.manifest import Manifest, OtherFile, SliceFile
from service.archive.slice_files import checked_bytes, read_slice
from service.errors import ArchiveFileMissing, ArchiveKeyRefused, BackupDamaged
from service.frames.points import Points

Check = Callable[[SliceFile | OtherFile], None]
Look = Callable[[Points], None]


@dataclass(frozen=True)
class Finding:
    """A file that is not what the manifest says, and why.

    `bucket` is whose points it holds, "" for no bucket's. `unread`: it could not be looked into, as no key that was
    given opens it; then it is not known to be damaged, and not proven either.
    """

    path: str
    bucket: str
    reason: str
    unread: bool = False


def check_backup(
    destination: Destination,
    manifest: Manifest,
    decrypter: Decrypter | None = None,
    before: Check = lambda entry: None,
) -> Iterator[Finding]:
    """What is wrong with any file of the backup; nothing when all is well.

    `before` is called before each file; what it raises ends the check (a pause, a cancelled job, progress). Raises
    ArchiveUnavailable.
    """
    for bucket in manifest.buckets:
        yield from check_slices(destination, bucket.metadata.name, bucket.slices, decrypter, before)
    for file in manifest.files:
        before(file)
        finding = check_file(destination, file)
        if finding is not None:
            yield finding


def check_slices(
    destination: Destination,
    bucket: str,
    slices: Iterable[SliceFile],
    decrypter: Decrypter | None = None,
    before: Check = lambda entry: None,
) -> Iterator[Finding]:
    """What is wrong with these slices of a bucket. As `check_backup`."""
    for entry in slices:
        before(entry)
        finding = check_slice(destination, entry, bucket, decrypter)
        if finding is not None:
            yield finding


def check_slice(
    destination: Destination,
    entry: SliceFile,
    bucket: str,
    decrypter: Decrypter | None = None,
    look: Look = lambda points: None,
) -> Finding | None:
    """What is wrong with a slice; None: every point in it is as the manifest says.

    `look` is called with the points as they are read, and may raise to end the check. Raises ArchiveUnavailable.
    """
    return _found(entry, bucket, destination, lambda: map(look, read_slice(destination, entry, decrypter)))


def check_file(destination: Destination, entry: SliceFile | OtherFile, bucket: str = "") -> Finding | None:
    """What is wrong with the bytes of a file, whatever they mean; None: nothing. Raises ArchiveUnavailable."""
    return _found(entry, bucket, destination, lambda: checked_bytes(destination, entry))


def check_presence(destination: Destination, entry: SliceFile | OtherFile, bucket: str = "") -> Finding | None:
    """Whether a file is there with its size, without reading it. Raises ArchiveUnavailable."""
    size = destination.size(entry.path)
    if size is None:
        return Finding(entry.path, bucket, "it is not there")
    if size != entry.size:
        return Finding(entry.path, bucket, f"it has {size} bytes, not {entry.size}")
    return None


def _found(
    entry: SliceFile | OtherFile,
    bucket: str,
    destination: Destination,
    read: Callable[[], Iterator[object]],
) -> Finding | None:
    finding = check_presence(destination, entry, bucket)
    if finding is not None:
        return finding
    try:
        for _ in read():
            pass
    except BackupDamaged as damage:
        return Finding(damage.file, bucket, damage.reason)
    except ArchiveFileMissing:
        return Finding(entry.path, bucket, "it is not there")
    except ArchiveKeyRefused as refused:
        damaged = check_file(destination, entry, bucket)
        return damaged or Finding(entry.path, bucket, refused.message, unread=True)
    return None
