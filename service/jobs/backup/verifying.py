"""The job `backup_verify`: holds every file of a backup against its manifest, and notes what came of it.

What is damaged fails the job, whatever else is good. A key that opens nothing proves nothing, and is noted nowhere.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from service.archive.checking import Finding, check_file, check_presence, check_slice
from service.archive.encryption import Decrypter
from service.archive.manifest import Manifest, OtherFile, SliceFile
from service.domain.job import Json
from service.errors import ArchiveFileMissing, ArchiveKeyRefused, BackupDamaged, InvalidParameter
from service.jobs.backup.choosing import backup_named, chosen_backup
from service.jobs.backup.kind_names import VERIFY
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.proofs import Judgement, Outcome, ProofStore
from service.jobs.parameters import refuse_unknown
from service.jobs.protocol import JobContext
from service.state.database import StateDatabase

_MOST_NAMED = 200
Entry = SliceFile | OtherFile


class VerifyRunnable:
    """Verifies backups of `place`. `clock`: seconds since 1970."""

    def __init__(self, place: BackupPlace, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._place = place
        self._proofs = ProofStore(database, place.name)
        self._clock = clock

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return VERIFY

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("A verification", parameters, ("backup", "new_only"))
        backup_named(parameters.get("backup"))
        if not isinstance(parameters.get("new_only", False), bool):
            raise InvalidParameter("new_only", "new_only is neither true nor false.")

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        name = context.checkpoint.get("backup") or backup_named(parameters.get("backup"))
        manifest = chosen_backup(self._place, name, context.log)
        context.save({"backup": manifest.backup_id})
        decrypter, refused = self._decrypter(manifest)
        known = self._verified_before(manifest) if parameters.get("new_only") else frozenset()
        findings = list(self._findings(manifest, decrypter, known, context))
        damages = [finding for finding in findings if not finding.unread]
        if findings and not damages:
            raise refused or ArchiveKeyRefused(findings[0].reason)
        for finding in damages[:_MOST_NAMED]:
            context.log("error", f"{finding.path}: {finding.reason}")
        self._note(manifest, damages)
        if damages:
            raise _damaged(manifest, damages)
        skipped = sum(entry.sha256 in known for entry in manifest.entries)
        return {
            "backup": manifest.backup_id,
            "outcome": Outcome.INTACT.value,
            "files": len(manifest.entries) - skipped,
            "known_files": skipped,
            "findings": [],
        }

    def _decrypter(self, manifest: Manifest) -> tuple[Decrypter | None, ArchiveKeyRefused | None]:
        """What opens the files; or, where the key file does not open, why: the bytes can still be judged."""
        try:
            return self._place.decrypter(manifest), None
        except ArchiveKeyRefused as refused:
            return None, refused
        except (ArchiveFileMissing, BackupDamaged):
            return None, None

    def _verified_before(self, manifest: Manifest) -> frozenset[str]:
        """SHA-256 of the files of this and older backups that were found intact; linked ones are the same file."""
        intact = {backup_id for backup_id, proof in self._proofs.all().items() if _is_intact(proof.verification)}
        if manifest.backup_id in intact:
            return frozenset(entry.sha256 for entry in manifest.entries)
        older = (
            backup.manifest
            for backup in self._place.listed()
            if backup.manifest is not None and backup.backup_id in intact and backup.sequence < manifest.sequence
        )
        return frozenset(entry.sha256 for known in older for entry in known.entries)

    def _findings(
        self,
        manifest: Manifest,
        decrypter: Decrypter | None,
        known: frozenset[str],
        context: JobContext,
    ) -> Iterator[Finding]:
        total = len(manifest.entries)
        for done, (bucket, entry) in enumerate(_entries(manifest)):
            context.check()
            context.progress(done, total, "files")
            finding = self._finding(bucket, entry, decrypter, entry.sha256 in known, context)
            if finding is not None:
                yield finding
        context.progress(total, total, "files")

    def _finding(
        self,
        bucket: str,
        entry: Entry,
        decrypter: Decrypter | None,
        is_known: bool,
        context: JobContext,
    ) -> Finding | None:
        destination = self._place.destination
        if is_known:
            return check_presence(destination, entry, bucket)
        if isinstance(entry, SliceFile):
            return check_slice(destination, entry, bucket, decrypter, lambda points: context.check())
        return check_file(destination, entry, bucket)

    def _note(self, manifest: Manifest, damages: list[Finding]) -> None:
        """Of the backup, and of each older one in which a damaged file lies."""
        now = self._clock()
        if not damages:
            self._proofs.note_verification(manifest.backup_id, Judgement(now, Outcome.INTACT))
            return
        first = f"{damages[0].path}: {damages[0].reason} ({len(damages)} in all)"
        self._proofs.note_verification(manifest.backup_id, Judgement(now, Outcome.FAILED, first))
        for backup_id in {finding.path.partition("/")[0] for finding in damages} & manifest.references:
            judgement = Judgement(now, Outcome.FAILED, f"found when {manifest.backup_id} was verified: {first}")
            self._proofs.note_verification(backup_id, judgement)


def _is_intact(judgement: Judgement | None) -> bool:
    return judgement is not None and judgement.outcome is Outcome.INTACT


def _entries(manifest: Manifest) -> Iterator[tuple[str, Entry]]:
    """Every file with the bucket whose points it holds."""
    for bucket in manifest.buckets:
        for entry in bucket.slices:
            yield bucket.metadata.name, entry
    for file in manifest.files:
        yield "", file


def _damaged(manifest: Manifest, damages: list[Finding]) -> BackupDamaged:
    first, count = damages[0], len(damages)
    of_files = f"{count} of the {len(manifest.entries)} files of the backup {manifest.backup_id} are damaged"
    advice = "take a new backup, and restore from an older one that is intact"
    return BackupDamaged(first.path, f"{first.reason}; {of_files}; {advice}")
