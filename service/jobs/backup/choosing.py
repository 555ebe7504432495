"""Which backup is meant: the one with an id, or the newest that is complete.

A partial one, and one that was uploaded, is taken only by its id.
"""

from collections.abc import Callable

from service.archive.catalog import ListedBackup, ListedState
from service.archive.manifest import BackupKind, Manifest
from service.errors import InvalidParameter, NotFound
from service.jobs.backup.place import BackupPlace
from service.transfer.run_log import Log

LATEST = "latest"


def backup_named(value: object) -> str:
    """The parameter `backup` of a job: an id, or LATEST, also when it is absent. Raises InvalidParameter."""
    if value is None:
        return LATEST
    if not isinstance(value, str) or not value:
        raise InvalidParameter("backup", f"backup is the id of a backup, or {LATEST} for the newest complete one.")
    return value


def unknown_backup(name: str) -> NotFound:
    """The error for an id that no backup has."""
    return NotFound(f"There is no backup {name[:100]!r}. `GET /backups` lists those there are.")


def chosen_backup(place: BackupPlace, name: str, log: Log, kind: BackupKind | None = None) -> Manifest:
    """The backup with the id `name`, or for LATEST the newest complete one, of a `kind` where that matters.

    The log names what is newer than the newest complete one, and why it was not taken. Raises NotFound: there is
    none; BackupDamaged, ArchiveError; InvalidParameter: the one that was named is of another kind.
    """
    if name == LATEST:
        return _newest_complete(place, log, lambda manifest: kind in (None, manifest.kind))
    manifest = place.manifest(name)
    if kind not in (None, manifest.kind):
        raise InvalidParameter("backup", f"{name} is a {manifest.kind} backup, and this needs a {kind} one.")
    return manifest


def _newest_complete(place: BackupPlace, log: Log, fits: Callable[[Manifest], bool]) -> Manifest:
    for backup in place.listed():
        if backup.uploaded:
            continue
        manifest = backup.manifest
        if manifest is None or backup.state is not ListedState.COMPLETE:
            log("warning", _passed_over(backup))
        elif fits(manifest):
            return manifest
    raise NotFound(
        f"There is no complete backup in {place.name}. "
        "Take one with POST /backup/trigger, or name a partial one by its id (an uploaded one, too)."
    )


def _passed_over(backup: ListedBackup) -> str:
    reason = f": {backup.reason}" if backup.reason else ""
    return f"{backup.backup_id} is newer and {backup.state}{reason}. It is not taken for the newest complete backup."
