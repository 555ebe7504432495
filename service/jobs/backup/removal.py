"""Why a backup that somebody names is not removed: others need it, a job uses it, or nothing as good would be left."""

from collections.abc import Collection, Mapping, Sequence

from service.archive.catalog import ListedBackup, ListedState
from service.errors import InvalidParameter
from service.jobs.backup.proofs import Proof
from service.jobs.backup.scopes import scopes_of


def refuse_needed(backup: ListedBackup, listed: Sequence[ListedBackup], in_use: Collection[str]) -> None:
    """Raises InvalidParameter: a job uses `backup`, or files of another one of `listed` lie in it."""
    backup_id = backup.backup_id
    if backup_id in in_use:
        raise InvalidParameter("backup", f"{backup_id} stays, as a job uses it. Wait for its end, or cancel the job.")
    users = [other.backup_id for other in listed if other.manifest and backup_id in other.manifest.references]
    if users:
        names = ", ".join(users[:10]) + (", …" if len(users) > 10 else "")
        raise InvalidParameter(
            "backup",
            f"{backup_id} stays, as {len(users)} others take files over from it: {names}. Remove those first.",
        )


def refuse_last(backup: ListedBackup, listed: Sequence[ListedBackup], proofs: Mapping[str, Proof]) -> None:
    """`listed`: newest first. An upload is never the last one, as it replaces no backup of this gateway.

    Raises InvalidParameter: `backup` is the last complete one, or the last proven one, of what it holds.
    """
    if backup.uploaded or backup.state is not ListedState.COMPLETE:
        return
    rivals = _complete_of_scope(backup, listed)
    proven = [rival for rival in rivals if proofs.get(rival.backup_id, Proof()).is_proven]
    for word, candidates in (("complete", rivals), ("proven", proven)):
        if candidates == [backup]:
            raise InvalidParameter(
                "last",
                f"{backup.backup_id} is the last {word} backup of what it holds. "
                "It is removed only when you order that too, with `last` (`--last`).",
            )


def _complete_of_scope(backup: ListedBackup, listed: Sequence[ListedBackup]) -> list[ListedBackup]:
    made_here = [other for other in listed if not other.uploaded]
    scopes = scopes_of(made_here)
    return [
        other
        for other in made_here
        if other.state is ListedState.COMPLETE and scopes[other.backup_id] == scopes[backup.backup_id]
    ]
