"""The backups before: what of them a new one may take over, bucket by bucket, and what of them is sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.archive.catalog import ListedBackup
from service.archive.manifest import BackupKind, Manifest, OtherFile, SliceFile
from service.archive.reuse import sealed_slices
from service.domain.timerange import EVER, TimeRange
from service.jobs.backup.backup_tools import numberless
from service.jobs.backup.proofs import Proof


@dataclass(frozen=True)
class PreviousBackup:
    """A finished logical backup; `manifest` None: there is none. `is_proven`: it was restored in a drill."""

    manifest: Manifest | None = None
    is_proven: bool = False

    @property
    def created_ns(self) -> int:
        return 0 if self.manifest is None else self.manifest.created_ns

    def slices(self, bucket: str, recipients: tuple[str, ...]) -> list[SliceFile]:
        """Slices that may be taken over by who encrypts to `recipients`: whole ones, of which nothing is missing."""
        if self.manifest is None or self.manifest.recipients != recipients:
            return []
        missing = [part.span or EVER for part in self.manifest.missing if part.bucket in ("", bucket)]
        entries = (entry for known in self.manifest.buckets if known.metadata.name == bucket for entry in known.slices)
        return [
            entry
            for entry in entries
            if entry.encrypted == bool(recipients) and not any(entry.span.intersect(span) for span in missing)
        ]

    def sealed(self, bucket: str, span: TimeRange, recipients: tuple[str, ...]) -> list[SliceFile] | None:
        """The slices of a range that is sealed already, or that can be sealed now, as a drill proved the backup.

        None: the range is not proven.
        """
        if self.manifest is None or self.manifest.recipients != recipients:
            return None
        known = next((known for known in self.manifest.buckets if known.metadata.name == bucket), None)
        if known is None or known.span.intersect(span) != span:
            return None
        sealed = sealed_slices(self.manifest, bucket, span)
        if sealed:
            return list(sealed)
        inside = [entry for entry in self.slices(bucket, recipients) if entry.span.intersect(span) == entry.span]
        touching = [entry for entry in known.slices if entry.span.intersect(span)]
        return inside if self.is_proven and len(inside) == len(touching) else None


@dataclass(frozen=True)
class PreviousBackups:
    """The finished logical backups, newest first."""

    backups: tuple[PreviousBackup, ...] = ()

    @classmethod
    def of(cls, listed: Sequence[ListedBackup], proofs: Mapping[str, Proof]) -> "PreviousBackups":
        """`listed`: newest first. One that was made elsewhere may hold other values in buckets of the same names."""
        manifests = (None if backup.uploaded else backup.manifest for backup in listed)
        return cls(
            tuple(
                PreviousBackup(manifest, proofs.get(manifest.backup_id, Proof()).is_proven)
                for manifest in manifests
                if manifest is not None and manifest.kind is BackupKind.LOGICAL
            )
        )

    @property
    def newest(self) -> Manifest | None:
        return self.backups[0].manifest if self.backups else None

    def holding(self, bucket: str, span: TimeRange) -> PreviousBackup:
        """The newest that has all of `span` of a bucket. One of fewer buckets or of a shorter range is passed over."""
        for backup in self.backups:
            held = () if backup.manifest is None else backup.manifest.buckets
            if any(known.metadata.name == bucket and known.span.intersect(span) == span for known in held):
                return backup
        return PreviousBackup()

    @property
    def copies(self) -> dict[str, OtherFile]:
        """Their Parquet files, by path without the number of their bucket; of one path the newest."""
        oldest_first = (backup.manifest for backup in reversed(self.backups) if backup.manifest is not None)
        files = (file for manifest in oldest_first for file in manifest.files)
        return {numberless(file.file): file for file in files if file.file.startswith("parquet/")}
