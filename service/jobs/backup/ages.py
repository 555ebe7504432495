"""How old the last complete and the last proven backup of each bucket is: the one question about backups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.archive.catalog import ListedBackup
from service.domain.timerange import EVER
from service.jobs.backup.proofs import Proof


@dataclass(frozen=True)
class BucketAge:
    """When the newest backups began that hold all of a bucket (ns since 1970), and their ids; None: there is none."""

    bucket: str
    complete_ns: int | None = None
    complete_id: str | None = None
    proven_ns: int | None = None
    proven_id: str | None = None


def bucket_ages(listed: Iterable[ListedBackup], proofs: Mapping[str, Proof]) -> list[BucketAge]:
    """Of every bucket that any finished backup holds, by name. `listed`: newest first.

    A backup of a range does not count, nor one that was uploaded, and a partial one only for the buckets of which
    nothing is missing.
    """
    ages: dict[str, BucketAge] = {}
    for backup in listed:
        manifest = backup.manifest
        if backup.uploaded or manifest is None:
            continue
        lacking = {part.bucket for part in manifest.missing}
        is_proven = proofs.get(backup.backup_id, Proof()).is_proven
        for held in manifest.buckets:
            name = held.metadata.name
            age = ages.setdefault(name, BucketAge(name))
            if held.span != EVER or name in lacking or "" in lacking:
                continue
            ages[name] = _with(age, backup.backup_id, manifest.created_ns, is_proven)
    return [ages[name] for name in sorted(ages)]


def _with(age: BucketAge, backup_id: str, created_ns: int, is_proven: bool) -> BucketAge:
    is_first = age.complete_id is None
    proves = is_proven and age.proven_id is None
    return BucketAge(
        age.bucket,
        created_ns if is_first else age.complete_ns,
        backup_id if is_first else age.complete_id,
        created_ns if proves else age.proven_ns,
        backup_id if proves else age.proven_id,
    )
