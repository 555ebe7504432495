"""Where the backups of this gateway lie, and how they are packed, encrypted and signed there."""

from collections.abc import Callable
from dataclasses import dataclass, field

from service.archive import catalog
from service.archive.compression import Packing
from service.archive.destination import Destination
from service.archive.encryption import (
    KEY_FILE,
    LARGEST_KEY_FILE_BYTES,
    Decrypter,
    Encrypter,
    KeyPair,
    new_key_pair,
    opened_key_pair,
)
from service.archive.manifest import Manifest, OtherFile
from service.archive.physical_folder import PhysicalFolder
from service.archive.slice_files import write_file
from service.errors import ArchiveKeyRefused


@dataclass(frozen=True)
class BackupPlace:
    """`key` signs manifests. `passphrase` encrypts files; absent: they are not encrypted."""

    destination: Destination
    packing: Packing = Packing.GZIP
    key: bytes | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What people call the place; the key of what is known about it in the state database."""
        return self.destination.name

    def listed(self) -> list[catalog.ListedBackup]:
        """Every backup and what was to become one, newest first. Raises ArchiveError."""
        return catalog.listed(self.destination, self.key)

    def manifest(self, backup_id: str) -> Manifest:
        """Raises NotFound, BackupDamaged, ArchiveError."""
        return catalog.manifest_of_backup(self.destination, backup_id, self.key)

    def decrypter(self, manifest: Manifest, passphrase: str | None = None) -> Decrypter | None:
        """What opens the files of a backup; None: they are not encrypted.

        `passphrase`: the one that it was made with, when that is not the one of now. Files that lie in older backups
        have the same recipients, so the same key opens them. Raises ArchiveKeyRefused, ArchiveError.
        """
        if not manifest.recipients:
            return None
        phrase = passphrase or self.passphrase
        if phrase is None:
            raise ArchiveKeyRefused(
                f"The backup {manifest.backup_id} is encrypted: give its passphrase, or set BACKUP_PASSPHRASE.",
            )
        return Decrypter((self._opened(manifest.backup_id, phrase).identity,))

    def physical_folder(
        self,
        manifest: Manifest,
        passphrase: str | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> PhysicalFolder:
        """The files of a physical backup. `watch` is called while they are read. Raises as `decrypter`."""
        return PhysicalFolder.of(self.destination, manifest, self.decrypter(manifest, passphrase), watch)

    def key_pair(self, backup_id: str, previous: Manifest | None) -> KeyPair | None:
        """The pair of a backup that begins, or goes on; None: files are not encrypted.

        That of the previous backup where the passphrase opens it, so that its unchanged slices can be taken over.
        """
        if self.passphrase is None:
            return None
        if self.destination.size(f"{backup_id}/{KEY_FILE}") is not None:
            return self._opened(backup_id, self.passphrase)
        pair = self._previous_pair(previous) if previous is not None and previous.recipients else None
        pair = pair or new_key_pair(self.passphrase)
        self.key_file(backup_id, pair)
        return pair

    def recipients_after(self, previous: Manifest | None) -> tuple[str, ...]:
        """To whom a backup that begins now would encrypt, as far as it is known before: nothing is written.

        A name that fits no earlier backup, where a new pair would be made.
        """
        if self.passphrase is None:
            return ()
        pair = self._previous_pair(previous) if previous is not None and previous.recipients else None
        return ("a new pair",) if pair is None else (pair.recipient,)

    def key_file(self, backup_id: str, pair: KeyPair) -> OtherFile:
        """Write the pair beside the files of its backup, under the passphrase."""
        return write_file(self.destination, backup_id, KEY_FILE, [pair.file])

    def encrypter(self, pair: KeyPair | None) -> Encrypter | None:
        return None if pair is None else Encrypter((pair.recipient,))

    def _previous_pair(self, previous: Manifest) -> KeyPair | None:
        try:
            return self._opened(previous.backup_id, self.passphrase or "")
        except ArchiveKeyRefused:
            return None

    def _opened(self, backup_id: str, passphrase: str) -> KeyPair:
        content = b"".join(self.destination.read(f"{backup_id}/{KEY_FILE}", 0, LARGEST_KEY_FILE_BYTES))
        return opened_key_pair(content, passphrase)
