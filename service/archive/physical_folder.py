"""A physical backup where it lies: the files in the layout of the `influx` command line, encrypted or not.

    00000012-20260131T235900Z/
        20260131T235900Z.bolt.gz            the key-value store: organizations, users, tokens, tasks, dashboards
        20260131T235900Z.sqlite.gz          the SQL store: notebooks, annotations, replications
        20260131T235900Z.7.tar.gz           the files of shard 7
        20260131T235900Z.manifest           what `influx restore` reads
        counts.json                         how many values each bucket had when the backup began
        manifest.json                       ours, with the SHA-256 of each of these

Encrypted files end in `.age`; each decrypts to the file that the manifest of the command line names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from service.archive import physical_manifest
from service.archive.destination import Destination
from service.archive.encryption import ENCRYPTED, Decrypter, NotEncrypted
from service.archive.manifest import Manifest, OtherFile
from service.archive.physical_counts import COUNTS_FILE, LARGEST_COUNTS_BYTES, BucketCounts, read_counts
from service.archive.physical_files import MOST_UNPACKED_BYTES, ContentCheck, damage_of
from service.archive.physical_manifest import LARGEST_MANIFEST_BYTES, PhysicalFile, PhysicalManifest
from service.archive.slice_files import checked_bytes
from service.errors import ArchiveFileMissing, ArchiveKeyRefused, BackupDamaged

_MANIFEST = ".manifest"


@dataclass(frozen=True)
class PhysicalFolder:
    """The files of one backup; a `FileSource` of their plain content. `watch` is called with each piece that is read.

    What is read is held against our manifest: size and SHA-256 of the file as it lies there.
    """

    destination: Destination
    backup_id: str
    entries: Mapping[str, OtherFile]
    decrypter: Decrypter | None = None
    watch: Callable[[], None] = lambda: None
    _sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        destination: Destination,
        manifest: Manifest,
        decrypter: Decrypter | None,
        watch: Callable[[], None] = lambda: None,
    ) -> "PhysicalFolder":
        return cls.of_files(destination, manifest.backup_id, manifest.files, decrypter, watch)

    @classmethod
    def of_files(
        cls,
        destination: Destination,
        backup_id: str,
        files: Iterable[OtherFile],
        decrypter: Decrypter | None,
        watch: Callable[[], None] = lambda: None,
    ) -> "PhysicalFolder":
        """Of a backup that has no manifest yet."""
        entries = {entry.file.removesuffix(ENCRYPTED): entry for entry in files}
        return cls(destination, backup_id, entries, decrypter, watch)

    def manifest(self) -> PhysicalManifest:
        """What `influx restore` would take of the folder. Raises BackupDamaged, ArchiveError."""
        names = [name for name in self.entries if name.endswith(_MANIFEST)]
        if not names:
            raise BackupDamaged(self.backup_id, "it has no manifest of the `influx` command line")
        contents = ((name, self._small_file(name, LARGEST_MANIFEST_BYTES)) for name in names)
        manifests = [(name, physical_manifest.read(content, self.path(name))) for name, content in contents]
        newest = physical_manifest.newest(manifests)
        self._sizes.update({file.name: file.size for file in newest.files})
        return newest

    def counts(self) -> dict[str, BucketCounts]:
        """By organization and bucket (`full_name`); empty for a backup that has none, as those of `influx backup`.

        Raises BackupDamaged, ArchiveError.
        """
        if COUNTS_FILE not in self.entries:
            return {}
        return read_counts(self._small_file(COUNTS_FILE, LARGEST_COUNTS_BYTES), self.path(COUNTS_FILE))

    def damages(self, checks: Iterable[tuple[PhysicalFile, ContentCheck]]) -> Iterator[BackupDamaged]:
        """What is wrong with any of these files of `manifest()`. Raises ArchiveUnavailable, ArchiveKeyRefused."""
        for file, check in checks:
            self._sizes[file.name] = file.size
            try:
                damage = damage_of(self, self.path(file.name), file, check, MOST_UNPACKED_BYTES)
            except BackupDamaged as wrong:
                damage = wrong
            if damage is not None:
                yield damage

    def content(self, file: PhysicalFile) -> Iterator[bytes]:
        """The plain bytes of a file. Raises BackupDamaged at the latest after the last of them, and ArchiveError."""
        return self.read(self.path(file.name))

    def path(self, name: str) -> str:
        return f"{self.backup_id}/{name}"

    def size(self, path: str) -> int | None:
        entry = self._entry(path)
        size = None if entry is None else self.destination.size(entry.path)
        is_plain = entry is None or not entry.file.endswith(ENCRYPTED)
        return size if size is None or is_plain else self._sizes.get(_name(path))

    def read(self, path: str) -> Iterator[bytes]:
        entry = self._entry(path)
        if entry is None:
            raise ArchiveFileMissing(f"There is no file {path} in the manifest of the backup.")
        content = checked_bytes(self.destination, entry)
        if entry.file.endswith(ENCRYPTED):
            content = self._decrypted(content, entry)
        for piece in content:
            self.watch()
            yield piece

    def _decrypted(self, content: Iterator[bytes], entry: OtherFile) -> Iterator[bytes]:
        if self.decrypter is None:
            raise ArchiveKeyRefused(f"{entry.path} is encrypted: give the passphrase of the backup.")
        try:
            yield from self.decrypter.decrypted(content)
        except NotEncrypted as reason:
            raise BackupDamaged(entry.path, str(reason)) from None

    def _small_file(self, name: str, most_bytes: int) -> bytes:
        entry = self.entries[name]
        if entry.size > most_bytes:
            raise BackupDamaged(entry.path, f"it is larger than {most_bytes} bytes")
        return b"".join(self.read(self.path(name)))

    def _entry(self, path: str) -> OtherFile | None:
        return self.entries.get(_name(path))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
