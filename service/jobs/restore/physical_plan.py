"""Which buckets of a physical backup are restored, and under which names. Pure: refuses what does not fit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from service.archive.physical_buckets import full_name, is_system
from service.archive.physical_manifest import PhysicalBucket, PhysicalManifest
from service.errors import InvalidParameter


@dataclass(frozen=True)
class PlannedBucket:
    """`target`: its name on the server."""

    source: PhysicalBucket
    target: str


def planned_buckets(
    manifest: PhysicalManifest,
    names: Mapping[str, str] | None,
    organization: str,
) -> list[PlannedBucket]:
    """The buckets by `names`: the new name by the name in the backup, or by organization/name; None: all of
    `organization`, or of all organizations when the backup has none of that one, under their own names.

    System buckets are never restored by themselves. Raises InvalidParameter.
    """
    candidates = [bucket for bucket in manifest.buckets if not is_system(bucket.name)]
    if names is None:
        own = [bucket for bucket in candidates if bucket.organization == organization] or candidates
        names = {full_name(bucket): bucket.name for bucket in own}
    planned = [PlannedBucket(_chosen(candidates, name, organization), target) for name, target in names.items()]
    targets = [bucket.target for bucket in planned]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise InvalidParameter("buckets", f"Two buckets cannot both be restored as {twice!r}. Give each a name.")
    if not planned:
        raise InvalidParameter("backup", "The backup holds no bucket.")
    return planned


def _chosen(candidates: Collection[PhysicalBucket], name: str, organization: str) -> PhysicalBucket:
    named = [bucket for bucket in candidates if bucket.name == name]
    own = [bucket for bucket in named if bucket.organization == organization]
    chosen = own or named or [bucket for bucket in candidates if full_name(bucket) == name]
    if not chosen:
        known = ", ".join(sorted(full_name(bucket) for bucket in candidates)[:20])
        raise InvalidParameter("buckets", f"The backup has no bucket {name[:100]!r}. It has: {known}.")
    if len(chosen) > 1:
        known = ", ".join(sorted(full_name(bucket) for bucket in chosen))
        raise InvalidParameter("buckets", f"Several organizations have a bucket {name!r}: name one of {known}.")
    return chosen[0]
