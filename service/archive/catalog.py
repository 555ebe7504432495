"""The backups of a destination: begun, finished, failed, listed and removed.

    claims/00000012                   a sequence number is taken, once for ever
    00000012-20260131T235900Z/        a backup
        started.json                  it was begun
        failed.json                   it gave up, and why
        uploaded.json                 it was made elsewhere, and uploaded here
        manifest.json                 written last: without it the folder is no backup

The newest is the one with the highest sequence number; no clock and no name decides.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from service.archive.backup_ids import LARGEST_SEQUENCE, backup_id, sequence_of
from service.archive.destination import Destination
from service.archive.manifest import (
    FAILED_FILE,
    MANIFEST_FILE,
    STARTED_FILE,
    UPLOADED_FILE,
    Manifest,
)
from service.archive.manifest_file import LARGEST_MANIFEST_BYTES, manifest_bytes, read_manifest
from service.errors import ArchiveError, ArchiveFileExists, ArchiveFileMissing, BackupDamaged, NotFound

CLAIMS = "claims"
MOST_AHEAD = 1_000_000
"""How far a backup from elsewhere may be ahead of the newest number, so that it does not use up all numbers."""
_LARGEST_MARKER_BYTES = 100_000


class ListedState(StrEnum):
    """Of a folder: a backup that is complete or partial; none, as it failed, or is unfinished (begun, perhaps running);
    or one whose manifest is damaged, or was signed by nobody we know."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class ListedBackup:
    """A folder of a destination. `manifest` of complete and partial ones; `reason` of the others.

    `uploaded`: it was made elsewhere. Then it is never the newest backup of this gateway, and no rule removes it.
    """

    backup_id: str
    sequence: int
    state: ListedState
    manifest: Manifest | None = None
    reason: str = ""
    uploaded: bool = False

    @classmethod
    def of(cls, manifest: Manifest, uploaded: bool = False) -> "ListedBackup":
        """A finished backup."""
        state = ListedState(manifest.state)
        return cls(manifest.backup_id, manifest.sequence, state, manifest, uploaded=uploaded)


def begin(
    destination: Destination,
    now_ns: int,
    owner: str = "",
    chosen: Callable[[str], None] = lambda identity: None,
) -> str:
    """Take the next sequence number, and make the folder of a new backup; its id.

    Several may begin at one time: each gets a number of its own. `chosen` is called with the id before anything of it
    is written, so that who notes it there can `go_on` after a kill. Raises ArchiveError.
    """
    while True:
        sequence = _last_sequence(destination) + 1
        if sequence > LARGEST_SEQUENCE:
            raise ArchiveError(f"{destination.name} has no sequence number left. Choose another place for backups.")
        identity = backup_id(sequence, now_ns)
        chosen(identity)
        if _claimed(destination, identity, owner):
            _make_folder(destination, identity, now_ns)
            return identity


def go_on(destination: Destination, identity: str, now_ns: int, owner: str) -> bool:
    """Finish what a killed `begin` of `owner` left of its work; False: another has the number, so begin anew.

    Removes what a killed writer left in CLAIMS. Raises ArchiveError.
    """
    destination.clear_unfinished(CLAIMS)
    if not _claimed(destination, identity, owner):
        return False
    destination.clear_unfinished(identity)
    _make_folder(destination, identity, now_ns)
    return True


def claim(destination: Destination, identity: str, now_ns: int) -> bool:
    """Take the id of a backup from elsewhere, and make its folder. False: its number is taken, or too far ahead.

    Raises ArchiveError.
    """
    sequence = sequence_of(identity) or 0
    taken = any(sequence_of(folder) == sequence for folder in destination.folders())
    if taken or sequence > _last_sequence(destination) + MOST_AHEAD:
        return False
    if not _claimed(destination, identity, ""):
        return False
    _make_folder(destination, identity, now_ns)
    return True


def release(destination: Destination, identity: str) -> None:
    """Give back the number of an id that `claim` took, so that the same upload can come again. Raises ArchiveError."""
    destination.delete(_claim_path(sequence_of(identity) or 0))


def mark_uploaded(destination: Destination, backup: str, now_ns: int, original_id: str) -> None:
    """Note in its folder, before its manifest is written, that a backup comes from elsewhere. Raises ArchiveError."""
    marker = _marker({"id": backup, "uploaded_ns": now_ns, "original_id": original_id})
    destination.write_new(f"{backup}/{UPLOADED_FILE}", marker)


def uploaded_ns(destination: Destination, backup: str) -> int:
    """When the upload of a backup began; 0 where its marker does not say so. Raises ArchiveError."""
    content = b"".join(destination.read(f"{backup}/{UPLOADED_FILE}", 0, _LARGEST_MARKER_BYTES))
    try:
        return int(json.loads(content)["uploaded_ns"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0


def finish(destination: Destination, manifest: Manifest, key: bytes | None = None) -> None:
    """Write the manifest, after every other file. Raises ArchiveFileExists when the backup has one; ArchiveError."""
    path = f"{manifest.backup_id}/{MANIFEST_FILE}"
    if destination.size(path) is not None:
        raise ArchiveFileExists(f"{path} is there already: the backup is finished, and a manifest is never replaced.")
    content = manifest_bytes(manifest, key)
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise ArchiveError(f"{path} would have {len(content)} bytes, and none may have more: back up fewer buckets.")
    destination.write_new(path, content)


def remove_strays(destination: Destination, manifest: Manifest) -> int:
    """Remove the files of a backup that its manifest, which is not yet written, does not name; how many there were.

    An earlier try wrote them for buckets or slices that are gone since. Raises ArchiveError.
    """
    backup = manifest.backup_id
    named = {entry.path for entry in manifest.entries} | {f"{backup}/{STARTED_FILE}"}
    strays = [file.path for file in destination.files(backup) if file.path not in named]
    for path in strays:
        destination.delete(path)
    return len(strays)


def mark_failed(destination: Destination, backup: str, now_ns: int, reason: str) -> None:
    """Say in its folder that a backup gave up. A later `finish` of it wins. Raises ArchiveError."""
    with destination.create(f"{backup}/{FAILED_FILE}") as sink:
        sink.write(_marker({"id": backup, "failed_ns": now_ns, "reason": reason[:2000]}))


def manifest_of_backup(destination: Destination, backup: str, key: bytes | None = None) -> Manifest:
    """The manifest of a finished backup. With `key` one that is not signed with it is damaged.

    Raises NotFound (no backup of that id, or it is not finished), BackupDamaged, ArchiveError.
    """
    path = f"{backup}/{MANIFEST_FILE}"
    if sequence_of(backup) is None:
        raise NotFound(f"{backup[:100]!r} is no id of a backup. The list of backups shows them.")
    size = destination.size(path)
    if size is None:
        raise NotFound(f"There is no finished backup {backup}. The list of backups shows those there are.")
    if size > LARGEST_MANIFEST_BYTES:
        raise BackupDamaged(path, f"it is larger than {LARGEST_MANIFEST_BYTES} bytes")
    manifest = read_manifest(b"".join(destination.read(path)), path, key)
    if manifest.backup_id != backup:
        raise BackupDamaged(path, f"it is the manifest of another backup, {manifest.backup_id}")
    return manifest


def listed(destination: Destination, key: bytes | None = None) -> list[ListedBackup]:
    """Every backup, and every folder that is or was to be one, newest first. Raises ArchiveError.

    A folder with another name is of no concern, unless it has a manifest: then it is listed as damaged, behind all.
    """
    return sorted(_listed(destination, key), key=lambda backup: (backup.sequence, backup.backup_id), reverse=True)


def remove(destination: Destination, backup: str) -> int:
    """Remove a backup, its manifest first, so that a broken removal leaves no backup; how many files went.

    Whether others refer to it is `retention`'s to know. Raises NotFound for what is no id, ArchiveError.
    """
    if sequence_of(backup) is None:
        raise NotFound(f"{backup[:100]!r} is no id of a backup. The list of backups shows them.")
    manifest = f"{backup}/{MANIFEST_FILE}"
    had_manifest = destination.size(manifest) is not None
    destination.delete(manifest)
    return destination.delete_folder(backup) + had_manifest


def _claim_path(sequence: int) -> str:
    return f"{CLAIMS}/{sequence:08d}"


def _claimed(destination: Destination, identity: str, owner: str) -> bool:
    """Whether `owner` has the number of this id, now or from before. Nobody ("") never has one from before."""
    path, content = _claim_path(sequence_of(identity) or 0), f"{identity} {owner}".strip().encode()
    try:
        destination.write_new(path, content)
    except ArchiveFileExists:
        return bool(owner) and b"".join(destination.read(path, 0, _LARGEST_MARKER_BYTES)) == content
    return True


def _make_folder(destination: Destination, identity: str, now_ns: int) -> None:
    path = f"{identity}/{STARTED_FILE}"
    if destination.size(path) is None:
        destination.write_new(path, _marker({"id": identity, "started_ns": now_ns}))


def _last_sequence(destination: Destination) -> int:
    claims = (file.path.rpartition("/")[2] for file in destination.files(CLAIMS))
    taken = [int(name) for name in claims if name.isascii() and name.isdigit() and len(name) == 8]
    return max([0, *taken, *(sequence_of(folder) or 0 for folder in destination.folders())])


def _listed(destination: Destination, key: bytes | None) -> Iterator[ListedBackup]:
    for folder in destination.folders():
        sequence = sequence_of(folder)
        if sequence is not None:
            uploaded = destination.size(f"{folder}/{UPLOADED_FILE}") is not None
            yield replace(_described(destination, folder, sequence, key), uploaded=uploaded)
        elif not folder.startswith(".") and destination.size(f"{folder}/{MANIFEST_FILE}") is not None:
            reason = f"{folder}/{MANIFEST_FILE} is damaged: its folder has not the name of a backup"
            yield ListedBackup(folder, 0, ListedState.DAMAGED, reason=reason)


def _described(destination: Destination, folder: str, sequence: int, key: bytes | None) -> ListedBackup:
    try:
        manifest = manifest_of_backup(destination, folder, key)
    except (BackupDamaged, ArchiveFileMissing) as damage:
        return ListedBackup(folder, sequence, ListedState.DAMAGED, reason=damage.message)
    except NotFound:
        failure = _failure(destination, folder)
        if failure is not None:
            return ListedBackup(folder, sequence, ListedState.FAILED, reason=failure)
        return ListedBackup(folder, sequence, ListedState.UNFINISHED, reason="it has no manifest")
    return ListedBackup.of(manifest)


def _failure(destination: Destination, folder: str) -> str | None:
    """Why a backup gave up; None: it did not say so."""
    path = f"{folder}/{FAILED_FILE}"
    if destination.size(path) is None:
        return None
    try:
        document = json.loads(b"".join(destination.read(path, 0, _LARGEST_MARKER_BYTES)))
        return str(document["reason"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"{path} does not say why"


def _marker(members: dict[str, object]) -> bytes:
    return json.dumps(members, indent=1).encode() + b"\n"
