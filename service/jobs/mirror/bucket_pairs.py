"""Which pairs of buckets a run looks at.

Both sides are asked. A bucket that another mirror writes is refused, and one that the target lacks is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.mirror import LOG_BUCKET, BucketPair, Endpoint, Mirror
from service.domain.schema import Bucket, BucketSpec
from service.errors import InvalidParameter, UnknownBucket
from service.jobs.mirror.overlaps import two_writers
from service.jobs.mirror.registry import MirrorBook
from service.state.database import StateDatabase
from service.state.mirror_ledger import pairs_of
from service.stores.protocol import Store
from service.transfer.bucket_reader import both, told_by


@dataclass(frozen=True)
class Pairs:
    """Those to be looked at, and those whose bucket the target lacks and nobody made."""

    there: list[BucketPair]
    lacking: list[BucketPair]


class BucketPairs:
    """Finds them. `book` and `database` know what other mirrors write."""

    def __init__(self, book: MirrorBook, database: StateDatabase) -> None:
        self._book = book
        self._database = database

    def of(self, mirror: Mirror, source: Store, target: Store, bucket: str | None, looks: bool) -> Pairs:
        """The pairs of `mirror`, or those of one `bucket` of the source. Buckets that the target lacks are made, unless it only `looks`.

        Raises InvalidParameter: no such pair, or two mirrors that write one bucket. UnknownBucket: the source lacks it.
        """
        of_source, of_target = both(_buckets, ("source", mirror.source, source), ("target", mirror.target, target))
        there = {one.name: one for one in of_source}
        pairs = list(mirror.buckets) if mirror.buckets is not None else _all(mirror, there)
        self._refuse_overlaps(mirror, pairs)
        wanted = [pair for pair in pairs if bucket is None or pair.source == bucket]
        if bucket is not None and not wanted:
            raise InvalidParameter("bucket", f"The source ({mirror.source}) has no bucket {bucket!r} that {mirror.name!r} copies.")
        present = {one.name for one in of_target}
        for pair in wanted:
            if pair.source not in there:
                raise _lacks(mirror, pair.source, there)
            if pair.target not in present and not looks:
                spec = there[pair.source]
                with told_by("target", mirror.target):
                    target.create_bucket(BucketSpec(pair.target, spec.description, spec.retention_ns))
        lacking = [pair for pair in wanted if looks and pair.target not in present]
        return Pairs([pair for pair in wanted if pair not in lacking], lacking)

    def _refuse_overlaps(self, mirror: Mirror, pairs: list[BucketPair]) -> None:
        targets = {pair.target for pair in pairs}
        for other in self._book.others(mirror.name):
            if other.target.identity != mirror.target.identity:
                continue
            pairs_there = pairs_of(self._database, other.name) if other.buckets is None else [(pair.source, pair.target) for pair in other.buckets]
            both = sorted(targets & {name for _, name in pairs_there})
            if both:
                raise two_writers(mirror.name, other.name, both[0], mirror.target)


def _all(mirror: Mirror, there: Mapping[str, object]) -> list[BucketPair]:
    """Every bucket of the source; where the mirror tells in the target what it does, not the one for that."""
    return [BucketPair(name, name) for name in sorted(there) if not (mirror.log_in_target and name == LOG_BUCKET)]


def _lacks(mirror: Mirror, bucket: str, there: Mapping[str, object]) -> UnknownBucket:
    """The source shows no such bucket to its token."""
    near = [name for name in there if name.lower() == bucket.lower()]
    spelled = "Is it spelled so, and may the mirror's source.token read it?"
    hint = f"Did you mean {', '.join(map(repr, near))}?" if near else spelled
    return UnknownBucket(bucket, near, f"The source ({mirror.source}) has no bucket {bucket!r}. {hint}")


def _buckets(side: tuple[str, Endpoint, Store]) -> list[Bucket]:
    role, endpoint, store = side
    with told_by(role, endpoint):
        return store.buckets()
