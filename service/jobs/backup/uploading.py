"""Takes a backup from elsewhere into the place: a tar, as `archive/backup_tar.py` makes it, or of a copied folder.

The backup keeps its id where the number is free, else it gets the next one. It is marked as uploaded: it never counts
as the newest backup of this gateway. Its manifest is written last, signed with our key, after every file was checked.
"""

import contextlib
from collections.abc import Callable, Iterator

from service.archive import catalog
from service.archive.backup_tar import self_contained
from service.archive.manifest import MANIFEST_FILE, Manifest, OtherFile
from service.archive.received_tar import WrongBackupTar, received_backup
from service.archive.slice_files import write_file
from service.errors import ArchiveError, ArchiveFileExists, InvalidBody
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import ProofStore


class BackupUploads:
    """Uploads into `place`. `clock`: seconds since 1970. `most_bytes`: of one tar."""

    def __init__(self, place: BackupPlace, proofs: ProofStore, clock: Callable[[], float], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._place = place
        self._proofs = proofs
        self._clock = clock

    def receive(self, source: Iterator[bytes], new_id: bool = False) -> Manifest:
        """The manifest of the new backup. `new_id`: give it a new id in any case. What fails leaves nothing.

        Raises:
            InvalidBody: the tar is no whole backup; the message says what is wrong with it.
            ArchiveFileExists: a backup of that id is here.
            ArchiveError; what `source` raises.
        """
        target = _Target(self._place, int(self._clock() * 1e9), new_id)
        try:
            manifest = received_backup(source, target.keep, self.most_bytes)
            identity = target.id_for(manifest.backup_id)
            self._proofs.forget(identity)
            manifest = self_contained(manifest, identity)
            catalog.finish(self._place.destination, manifest, self._place.key)
        except WrongBackupTar as reason:
            target.discard()
            raise InvalidBody(f"The tar is no whole backup, and nothing of it was kept: {reason}.") from None
        except BaseException:
            target.discard()
            raise
        return manifest


class _Target:
    """The folder that an upload goes to, made when its first file comes."""

    def __init__(self, place: BackupPlace, now_ns: int, new_id: bool) -> None:
        self._destination = place.destination
        self._now_ns = now_ns
        self._new_id = new_id
        self._id: str | None = None
        self._kept_id = False

    def keep(self, original_id: str, file: str, pieces: Iterator[bytes]) -> OtherFile:
        """Write a file. Raises ArchiveError."""
        return write_file(self._destination, self.id_for(original_id), file, pieces)

    def id_for(self, original_id: str) -> str:
        """The id of the backup here. Raises ArchiveFileExists, ArchiveError."""
        if self._id is None:
            self._id = self._claimed(original_id)
            catalog.mark_uploaded(self._destination, self._id, self._now_ns, original_id)
        return self._id

    def discard(self) -> None:
        """Remove what was written. Where that fails the folder stays unfinished, and pruning removes it later."""
        if self._id is None:
            return
        with contextlib.suppress(ArchiveError):
            catalog.remove(self._destination, self._id)
            if self._kept_id:
                catalog.release(self._destination, self._id)

    def _claimed(self, original_id: str) -> str:
        if self._new_id:
            return catalog.begin(self._destination, self._now_ns)
        if self._destination.size(f"{original_id}/{MANIFEST_FILE}") is not None:
            raise ArchiveFileExists(
                f"There is a backup {original_id} in {self._destination.name} already. If the one in the tar is another"
                " one, send new_id=true (--new-id): it gets a new id."
            )
        self._kept_id = catalog.claim(self._destination, original_id, self._now_ns)
        return original_id if self._kept_id else catalog.begin(self._destination, self._now_ns)
