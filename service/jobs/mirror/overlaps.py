"""Refuses mirrors that cannot work, alone or together: two that write one bucket, or one that reads what it writes."""

from collections.abc import Iterable
from itertools import combinations

from service.domain.endpoint import Endpoint
from service.domain.mirror import LOG_BUCKET, Mirror
from service.errors import InvalidParameter

_OTHER_BUCKETS = "Name buckets that go to others, or another target."


def refuse_impossible(mirror: Mirror) -> None:
    """Refuse a mirror without buckets, or one that copies a bucket onto itself, in a loop, or from two sources.

    Raises InvalidParameter.
    """
    is_one_store = mirror.source.identity == mirror.target.identity
    if mirror.log_in_target and any(pair.target == LOG_BUCKET for pair in mirror.buckets or ()):
        raise InvalidParameter(
            "log_in_target",
            f"The mirror {mirror.name!r} writes its log into the bucket {LOG_BUCKET!r}, so it cannot copy to it.",
        )
    if is_one_store and mirror.buckets is None:
        raise InvalidParameter(
            "target",
            f"Source and target of {mirror.name!r} are the same store. {_OTHER_BUCKETS}",
        )
    pairs = mirror.buckets or ()
    if mirror.buckets is not None and not pairs:
        raise InvalidParameter("buckets", f"The mirror {mirror.name!r} names no bucket. Name some, or write all.")
    for pair in pairs:
        if is_one_store and pair.source == pair.target:
            raise InvalidParameter(
                "buckets",
                f"The mirror {mirror.name!r} would copy the bucket {pair.source!r} onto itself.",
            )
    targets = [pair.target for pair in pairs]
    repeated = sorted({target for target in targets if targets.count(target) > 1})
    if repeated:
        raise InvalidParameter("buckets", f"The mirror {mirror.name!r} has two sources for the bucket {repeated[0]!r}.")
    loops = sorted({pair.source for pair in pairs} & set(targets)) if is_one_store else []
    if loops:
        raise InvalidParameter(
            "buckets",
            f"The mirror {mirror.name!r} has {loops[0]!r} as a source and as a target of the same store.",
        )


def refuse_overlaps(mirrors: Iterable[Mirror]) -> None:
    """Refuse two mirrors that write one bucket: each would take the other's points for deleted ones.

    Refuse also two mirrors in opposite directions that follow deletes: each would remove new points of its target.
    Raises InvalidParameter.
    """
    mirrors = list(mirrors)
    for left, right in combinations(mirrors, 2):
        _refuse_opposites(left, right)
    writer_of_bucket: dict[tuple[tuple[str, str], str], str] = {}
    writer_of_store: dict[tuple[str, str], str] = {}
    for mirror in mirrors:
        target = mirror.target.identity
        if mirror.buckets is None:
            if target in writer_of_store:
                both = f"The mirrors {writer_of_store[target]!r} and {mirror.name!r} both"
                raise InvalidParameter("buckets", f"{both} write all buckets of {mirror.target}. Name their buckets.")
            writer_of_store[target] = mirror.name
        for pair in mirror.buckets or ():
            other = writer_of_bucket.setdefault((target, pair.target), mirror.name)
            if other != mirror.name:
                raise two_writers(other, mirror.name, pair.target, mirror.target)


def _refuse_opposites(left: Mirror, right: Mirror) -> None:
    if not (left.follow_deletes or right.follow_deletes):
        return
    if (left.source.identity, left.target.identity) != (right.target.identity, right.source.identity):
        return
    forward = None if left.buckets is None else {(pair.source, pair.target) for pair in left.buckets}
    backward = None if right.buckets is None else {(pair.target, pair.source) for pair in right.buckets}
    if forward is None or backward is None or forward & backward:
        finding = f"The mirrors {left.name!r} and {right.name!r} go in opposite directions"
        reason = "so neither may follow deletes: new points would be removed."
        raise InvalidParameter("follow_deletes", f"{finding}, {reason}")


def two_writers(left: str, right: str, bucket: str, target: Endpoint) -> InvalidParameter:
    """The error about a bucket that the mirrors of these names both write."""
    return InvalidParameter(
        "buckets",
        f"The mirrors {left!r} and {right!r} both write the bucket {bucket!r} of {target}.",
    )
