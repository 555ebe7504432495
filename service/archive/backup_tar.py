"""A whole backup as one tar that is never stored: its size and every offset follow from the manifest alone.

    ID/0001-plant/20260131T000000Z-20260201T000000Z.lp.gz     every file, in the manifest's order
    ID/manifest.json                                          last

Files that lie in older backups are under the tar's own id, and the manifest in it says so: the tar needs no other one.
Equal manifests give equal bytes, so that a download that broke off goes on at any byte.
"""

import tarfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from service.archive.destination import Destination
from service.archive.manifest import MANIFEST_FILE, BucketBackup, Manifest, OtherFile, SliceFile
from service.archive.manifest_file import manifest_bytes
from service.archive.slice_files import checked_bytes
from service.archive.tar_entries import BLOCK_BYTES
from service.domain.durations import SECOND_NS

_END = bytes(2 * BLOCK_BYTES)
_MODE = 0o600


@dataclass(frozen=True)
class _Member:
    """A file in the tar: its head begins at `start`, its bytes at `content_start`. `source`: where it lies."""

    name: str
    source: SliceFile | OtherFile
    start: int
    content_start: int

    @property
    def content_stop(self) -> int:
        return self.content_start + self.source.size


def self_contained(manifest: Manifest, backup_id: str | None = None) -> Manifest:
    """The manifest of the same backup with all files below `backup_id`, its own id where None.

    A file of an older backup whose path another file has gets the older id before it.
    """
    identity = backup_id or manifest.backup_id
    own = (entry for entry in manifest.entries if entry.backup == manifest.backup_id)
    places = {entry.path: entry.file for entry in own}
    taken = set(places.values())
    for entry in manifest.entries:
        if entry.path not in places:
            places[entry.path] = entry.file if entry.file not in taken else f"{entry.backup}/{entry.file}"
            taken.add(places[entry.path])

    def moved_slice(entry: SliceFile) -> SliceFile:
        return replace(entry, backup=identity, file=places[entry.path])

    def moved_bucket(bucket: BucketBackup) -> BucketBackup:
        return replace(bucket, slices=tuple(map(moved_slice, bucket.slices)))

    return replace(
        manifest,
        backup_id=identity,
        buckets=tuple(map(moved_bucket, manifest.buckets)),
        files=tuple(replace(entry, backup=identity, file=places[entry.path]) for entry in manifest.files),
    )


class BackupTar:
    """The tar of a backup. `key` signs the manifest in it. `size`: its bytes."""

    def __init__(self, manifest: Manifest, key: bytes | None = None) -> None:
        contained = self_contained(manifest)
        self.manifest = manifest_bytes(contained, key)
        self._mtime = max(0, manifest.created_ns // SECOND_NS)
        self._members: list[_Member] = []
        position = 0
        for source, entry in zip(manifest.entries, contained.entries, strict=True):
            content_start = position + len(_head(entry.path, entry.size, self._mtime))
            self._members.append(_Member(entry.path, source, position, content_start))
            position = _rounded(content_start + entry.size)
        self._tail_start = position
        head = _head(f"{contained.backup_id}/{MANIFEST_FILE}", len(self.manifest), self._mtime)
        self._tail = head + self.manifest + bytes(-len(self.manifest) % BLOCK_BYTES) + _END
        self.size = position + len(self._tail)

    def pieces(
        self,
        destination: Destination,
        start: int = 0,
        stop: int | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Iterator[bytes]:
        """The bytes `[start, stop)` of the tar.

        A file of which any byte is in the range is read whole, and the last of its bytes is handed out only once its
        size and SHA-256 were found right. `check` is called before each read, and may raise.

        Raises BackupDamaged, ArchiveError; what `check` raises.
        """
        end = self.size if stop is None else min(stop, self.size)
        first = max(0, bisect_right(self._members, start, key=lambda member: member.start) - 1)
        for place in range(first, len(self._members)):
            member = self._members[place]
            if member.start >= end:
                return
            yield from self._member_pieces(destination, member, start, end, check)
        tail = _cut(self._tail, self._tail_start, start, end)
        if tail:
            yield tail

    def _member_pieces(
        self, destination: Destination, member: _Member, start: int, end: int, check: Callable[[], None]
    ) -> Iterator[bytes]:
        head = _cut(_head(member.name, member.source.size, self._mtime), member.start, start, end)
        if head:
            yield head
        if start < max(member.content_stop, member.content_start + 1) and end > member.content_start:
            yield from _content(destination, member, start, end, check)
        padding = bytes(-member.source.size % BLOCK_BYTES)
        padding = _cut(padding, member.content_stop, start, end)
        if padding:
            yield padding


def _content(
    destination: Destination, member: _Member, start: int, end: int, check: Callable[[], None]
) -> Iterator[bytes]:
    """The part of a file that is in the range. One piece is held back until the whole file was checked."""
    position, held = member.content_start, b""
    for piece in checked_bytes(destination, member.source):
        check()
        wanted = _cut(piece, position, start, end)
        position += len(piece)
        if wanted:
            if held:
                yield held
            held = wanted
    if held:
        yield held


def _head(name: str, size: int, mtime: int) -> bytes:
    """The head of a file, with an extended one before it where the ustar format has no room."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, mtime, _MODE
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _rounded(position: int) -> int:
    return -(-position // BLOCK_BYTES) * BLOCK_BYTES


def _cut(piece: bytes, position: int, start: int, end: int) -> bytes:
    """What of `piece`, which begins at `position`, is in `[start, end)`."""
    return piece[max(0, start - position) : max(0, end - position)]
