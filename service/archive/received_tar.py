"""Reads the tar of a backup from elsewhere: nothing in it counts before all of it fits its manifest.

Whoever keeps the files writes them where they count for nothing until the manifest is returned.
"""

from collections.abc import Callable, Iterator

from service.archive.backup_ids import sequence_of
from service.archive.manifest import MANIFEST_FILE, RESERVED, Manifest, OtherFile
from service.archive.manifest_file import LARGEST_MANIFEST_BYTES, read_manifest
from service.archive.paths import wrong_path
from service.archive.tar_entries import NotTar
from service.archive.tar_files import TarFile, tar_files
from service.errors import BackupDamaged

MOST_ENTRIES = 600_000
"""A little more than the largest manifest can name."""
Keep = Callable[[str, str, Iterator[bytes]], OtherFile]
"""Takes the id of the backup, the path of a file below it and its bytes; returns what was taken."""


class WrongBackupTar(ValueError):
    """Why bytes are no whole backup, as the end of a sentence that begins with "the tar"."""


def received_backup(source: Iterator[bytes], keep: Keep, most_bytes: int) -> Manifest:
    """The manifest of the backup in a tar, once every file was taken by `keep` and is as the manifest says.

    Its HMAC is not looked at: the key of another gateway made it. Raises WrongBackupTar, and what `keep` and
    `source` raise.
    """
    receiver = _Receiver(keep)
    try:
        for entry in tar_files(source, MOST_ENTRIES, most_bytes):
            receiver.take(entry)
    except NotTar as reason:
        raise WrongBackupTar(str(reason)) from None
    return receiver.manifest()


class _Receiver:
    """What came of the tar so far."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._backup_id: str | None = None
        self._taken: dict[str, OtherFile] = {}
        self._content: bytes | None = None

    def take(self, entry: TarFile) -> None:
        backup_id, file = _place(entry.name)
        if self._backup_id not in (None, backup_id):
            raise WrongBackupTar(f"it holds two backups, {self._backup_id} and {backup_id}")
        self._backup_id = backup_id
        if file == MANIFEST_FILE:
            self._take_manifest(entry)
        elif file in self._taken:
            raise WrongBackupTar(f"it has {file[:200]!r} twice")
        elif file not in RESERVED:
            self._taken[file] = self._keep(backup_id, file, entry.pieces)

    def manifest(self) -> Manifest:
        """Raises WrongBackupTar when it is missing, or other files came than it says."""
        if self._content is None:
            raise WrongBackupTar(f"it has no {self._backup_id or 'ID'}/{MANIFEST_FILE}: it is no finished backup")
        try:
            manifest = read_manifest(self._content, f"{self._backup_id}/{MANIFEST_FILE}")
        except BackupDamaged as damage:
            raise WrongBackupTar(f"its {damage.file} is damaged: {damage.reason}") from None
        if manifest.backup_id != self._backup_id:
            raise WrongBackupTar(f"its manifest is that of another backup, {manifest.backup_id}")
        if manifest.references:
            older = ", ".join(sorted(manifest.references)[:3])
            raise WrongBackupTar(f"files of it lie in {older}: download the backup as a tar, which holds them too")
        self._compare(manifest)
        return manifest

    def _take_manifest(self, entry: TarFile) -> None:
        if self._content is not None:
            raise WrongBackupTar("it has two manifests")
        if entry.size > LARGEST_MANIFEST_BYTES:
            raise WrongBackupTar(f"its manifest has {entry.size} bytes, more than {LARGEST_MANIFEST_BYTES}")
        self._content = b"".join(entry.pieces)

    def _compare(self, manifest: Manifest) -> None:
        for entry in manifest.entries:
            taken = self._taken.pop(entry.file, None)
            if taken is None:
                raise WrongBackupTar(f"it lacks {entry.path}, which its manifest names")
            if taken.size != entry.size:
                raise WrongBackupTar(f"{entry.path} in it has {taken.size} bytes, not {entry.size}")
            if taken.sha256 != entry.sha256:
                raise WrongBackupTar(f"{entry.path} in it has not the SHA-256 of its manifest")
        if self._taken:
            raise WrongBackupTar(f"it has {next(iter(self._taken))[:200]!r}, which its manifest does not name")


def _place(name: str) -> tuple[str, str]:
    """The id of the backup and the path below it. Raises WrongBackupTar."""
    plain = name.removeprefix("./")
    reason = wrong_path(plain)
    if reason is not None:
        raise WrongBackupTar(f"{name[:200]!r} in it is no path inside a backup: {reason}")
    folder, _, file = plain.partition("/")
    if sequence_of(folder) is None or not file:
        raise WrongBackupTar(f"{name[:200]!r} in it does not lie in a folder with the id of a backup")
    return folder, file
