"""Which backups replace each other: those that hold the same buckets and ranges, or as time goes on more of them.

A backup of one bucket, taken by hand between nightly ones of all, does not count in their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.archive.catalog import ListedBackup
from service.archive.manifest import BackupKind, Manifest
from service.domain.timerange import TimeRange

Holding = tuple[BackupKind, frozenset[tuple[str, TimeRange]]]
"""The buckets of a backup, and what was taken of each."""


@dataclass
class _Group:
    """Backups of one holding; their sequence numbers, newest first."""

    holding: Holding
    sequences: list[int] = field(default_factory=list)


def scopes_of(listed: Sequence[ListedBackup]) -> Mapping[str, str]:
    """The scope of each backup, by its id. `listed`: newest first.

    Backups of one holding have one scope. So do those of a smaller holding, all of which are older than the first of a
    larger one: buckets were added. What has no manifest has the scope of the newest backup that has one.
    """
    groups: dict[Holding, _Group] = {}
    for backup in listed:
        if backup.manifest is not None:
            holding = _holding(backup.manifest)
            groups.setdefault(holding, _Group(holding)).sequences.append(backup.sequence)
    names: dict[Holding, str] = {}
    for group in groups.values():  # by their newest backup, so that what replaces a group has its name already
        successor = next(
            (other for other in groups.values() if other.holding in names and _replaces(other, group)), None
        )
        names[group.holding] = str(len(names)) if successor is None else names[successor.holding]
    newest = next(iter(names.values()), "")
    return {
        backup.backup_id: newest if backup.manifest is None else names[_holding(backup.manifest)] for backup in listed
    }


def _replaces(larger: _Group, smaller: _Group) -> bool:
    return (
        larger.holding[0] is smaller.holding[0]
        and larger.holding[1] > smaller.holding[1]
        and larger.sequences[-1] > smaller.sequences[0]
    )


def _holding(manifest: Manifest) -> Holding:
    missing = {part.bucket for part in manifest.missing if part.bucket and part.span is None}
    held = {(bucket.metadata.name, bucket.span) for bucket in manifest.buckets if bucket.metadata.name not in missing}
    return manifest.kind, frozenset(held)
