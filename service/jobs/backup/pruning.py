"""The job `backup_prune`: removes the backups that no rule of the retention keeps, and says why each went or stays.

With `backup` it removes that one alone, whatever the rules say, unless it is needed (`removal`).

It never runs beside a backup, which may be taking over files of the one before.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.archive import catalog
from service.archive.catalog import ListedBackup, ListedState
from service.archive.retention import Candidate, Keep, Verdict, verdicts
from service.domain.durations import DAY_NS
from service.domain.job import JobState, Json
from service.errors import InvalidParameter
from service.jobs.backup.choosing import LATEST, unknown_backup
from service.jobs.backup.kind_names import BACKUP, USING_BACKUPS
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import Proof, ProofStore
from service.jobs.backup.removal import refuse_last, refuse_needed
from service.jobs.backup.scopes import scopes_of
from service.jobs.parameters import refuse_unknown, refuse_wrong_types
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase
from service.state.jobs import LONGEST_LIST, JobStore

LONGEST_UPLOAD_NS = 7 * DAY_NS
"""How long an upload may be under way before it counts as broken off."""


@dataclass(frozen=True)
class Retention:
    """`keep` None: everything stays. `zone`: whose days, weeks, months and years."""

    keep: Keep | None = None
    zone: dt.tzinfo = dt.UTC


class PruneRunnable:
    """Prunes `place`. `in_use` gives the ids of backups that jobs use now; `clock` gives seconds since 1970."""

    def __init__(
        self,
        place: BackupPlace,
        database: StateDatabase,
        retention: Retention,
        in_use: Callable[[], Collection[str]],
        clock: Callable[[], float],
    ) -> None:
        self._place = place
        self._proofs = ProofStore(database, place.name)
        self._retention = retention
        self._in_use = in_use
        self._clock = clock

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return BACKUP

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("Pruning", parameters, ("backup", "dry_run", "last"))
        refuse_wrong_types(parameters, ("backup",), ("dry_run", "last"))
        if parameters.get("last") and not parameters.get("backup"):
            raise InvalidParameter("last", "last goes with the id of a backup: a prune never removes the last one.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        dry_run = bool(parameters.get("dry_run"))
        if parameters.get("backup"):
            return self._remove_named(parameters["backup"], bool(parameters.get("last")), dry_run, context)
        return self._prune(dry_run, context)

    def _remove_named(self, backup_id: str, may_be_last: bool, dry_run: bool, context: JobContext) -> Json:
        listed = self._place.listed()
        backup = next((backup for backup in listed if backup.backup_id == backup_id), None)
        if backup is None:
            raise unknown_backup(backup_id)
        refuse_needed(backup, listed, self._in_use())
        if not may_be_last:
            refuse_last(backup, listed, self._proofs.all())
        context.check()
        reason = "its removal was ordered"
        if not dry_run:
            self._remove(backup, reason, context)
        return {"dry_run": dry_run, "removed": [_described(backup, reason)], "kept": []}

    def _prune(self, dry_run: bool, context: JobContext) -> Json:
        listed = self._place.listed()
        judged = self._verdicts(listed)
        by_id = {backup.backup_id: backup for backup in listed}
        removable = _in_order_of_removal([by_id[verdict.backup_id] for verdict in judged if not verdict.keep])
        reasons = {verdict.backup_id: "; ".join(verdict.reasons) for verdict in judged}
        removed, spared = list[ListedBackup](), dict[str, str]()
        for done, backup in enumerate(removable):
            context.progress(done, len(removable), "backups")
            context.check()
            if backup.backup_id in self._in_use():  # by a job that was ordered since
                spared[backup.backup_id] = "a job uses it"
                spared |= dict.fromkeys(_references(backup), f"files of {backup.backup_id} lie in it")
            if backup.backup_id in spared:
                continue
            if not dry_run:
                self._remove(backup, reasons[backup.backup_id], context)
            removed.append(backup)
        kept = {verdict.backup_id: reasons[verdict.backup_id] for verdict in judged if verdict.keep} | spared
        return {
            "dry_run": dry_run,
            "removed": [_described(backup, reasons[backup.backup_id]) for backup in removed],
            "kept": [_described(backup, kept[backup.backup_id]) for backup in listed if backup.backup_id in kept],
        }

    def _verdicts(self, listed: Sequence[ListedBackup]) -> list[Verdict]:
        keep = self._retention.keep
        if keep is None:
            reason = "no retention is set: every BACKUP_KEEP_ setting is 0"
            return [Verdict(backup.backup_id, True, (reason,)) for backup in listed]
        own = [backup for backup in listed if not backup.uploaded]
        proofs, scopes, in_use = self._proofs.all(), scopes_of(own), self._in_use()
        candidates = [_candidate(backup, proofs, scopes[backup.backup_id], in_use) for backup in own]
        judged = verdicts(candidates, keep, int(self._clock() * 1e9), self._retention.zone)
        return judged + [self._verdict_on_upload(backup) for backup in listed if backup.uploaded]

    def _verdict_on_upload(self, backup: ListedBackup) -> Verdict:
        """An upload stays, however it is dated, and replaces no backup of this gateway; one that broke off goes."""
        if backup.state is not ListedState.UNFINISHED:
            return Verdict(backup.backup_id, True, ("it was uploaded, and no rule is about uploads",))
        begun_ns = catalog.uploaded_ns(self._place.destination, backup.backup_id)
        if begun_ns + LONGEST_UPLOAD_NS > self._clock() * 1e9:
            return Verdict(backup.backup_id, True, ("its upload may be under way",))
        return Verdict(backup.backup_id, False, ("its upload broke off more than a week ago",))

    def _remove(self, backup: ListedBackup, reason: str, context: JobContext) -> None:
        files = catalog.remove(self._place.destination, backup.backup_id)
        self._proofs.forget(backup.backup_id)
        context.log("info", f"Removed {backup.backup_id} ({backup.state}, {files} files): {reason}.")


def backups_in_use(database: StateDatabase, clock: Callable[[], float]) -> frozenset[str]:
    """Ids of the backups that queued and running jobs write or read."""
    jobs = JobStore(database, clock).list(USING_BACKUPS, (JobState.QUEUED, JobState.RUNNING), LONGEST_LIST)
    named = (source.get("backup") for job in jobs for source in (job.parameters, job.checkpoint or {}))
    return frozenset(name for name in named if isinstance(name, str) and name != LATEST)


def _candidate(
    backup: ListedBackup,
    proofs: Mapping[str, Proof],
    scope: str,
    in_use: Collection[str],
) -> Candidate:
    manifest = backup.manifest
    return Candidate(
        backup.backup_id,
        backup.sequence,
        0 if manifest is None else manifest.created_ns,
        backup.state,
        proofs.get(backup.backup_id, Proof()).is_proven,
        frozenset() if manifest is None else manifest.references,
        scope,
        backup.backup_id in in_use,
    )


def _in_order_of_removal(backups: Sequence[ListedBackup]) -> list[ListedBackup]:
    """The oldest first; but a backup goes before those in which files of it lie, so that none left lacks any."""
    waiting = sorted(backups, key=lambda backup: (backup.sequence, backup.backup_id))
    ordered: list[ListedBackup] = []
    while waiting:
        needed = {reference for backup in waiting for reference in _references(backup)}
        following = next(backup for backup in waiting if backup.backup_id not in needed)
        waiting.remove(following)
        ordered.append(following)
    return ordered


def _references(backup: ListedBackup) -> frozenset[str]:
    return frozenset() if backup.manifest is None else backup.manifest.references


def _described(backup: ListedBackup, reason: str) -> Json:
    own = 0 if backup.manifest is None else backup.manifest.own_size
    return {"backup": backup.backup_id, "state": backup.state.value, "own_bytes": own, "reason": reason}
