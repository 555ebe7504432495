"""Which pairs of buckets a run looks at.

Both sides are asked. A bucket that another mirror writes is refused, and one that the target lacks is made.
"""

from collections.abc import Mapping

from service.domain.mirror import LOG_BUCKET, BucketPair, Endpoint, Mirror
from service.domain.schema import Bucket, BucketSpec
from service.errors import InvalidParameter, UnknownBucket
from service.jobs.mirror.book import MirrorBook
from service.jobs.mirror.overlaps import two_writers
from service.jobs.mirror.sides import told_by
from service.state.database import StateDatabase
from service.state.mirror_ledger import pairs_of
from service.stores.protocol import Store


class BucketPairs:
    """Finds them. `book` and `database` know what other mirrors write."""

    def __init__(self, book: MirrorBook, database: StateDatabase) -> None:
        self._book = book
        self._database = database

    def of(self, mirror: Mirror, source: Store, target: Store, bucket: str | None, dry: bool) -> list[BucketPair]:
        """The pairs of `mirror`, or those of one `bucket` of the source. Buckets that the target lacks are made, or left out when `dry`.

        Raises InvalidParameter: no such pair, or two mirrors that write one bucket. UnknownBucket: the source lacks it.
        """
        there = {one.name: one for one in _buckets("source", mirror.source, source)}
        pairs = list(mirror.buckets) if mirror.buckets is not None else _all(mirror, there)
        self._refuse_overlaps(mirror, pairs)
        wanted = [pair for pair in pairs if bucket is None or pair.source == bucket]
        if bucket is not None and not wanted:
            raise InvalidParameter("bucket", f"The source ({mirror.source}) has no bucket {bucket!r} that {mirror.name!r} copies.")
        present = {one.name for one in _buckets("target", mirror.target, target)}
        for pair in wanted:
            if pair.source not in there:
                raise UnknownBucket(pair.source, [name for name in there if name.lower() == pair.source.lower()])
            if pair.target not in present and not dry:
                spec = there[pair.source]
                with told_by("target", mirror.target):
                    target.create_bucket(BucketSpec(pair.target, spec.description, spec.retention_ns))
        return [pair for pair in wanted if not dry or pair.target in present]

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


def _buckets(role: str, endpoint: Endpoint, store: Store) -> list[Bucket]:
    with told_by(role, endpoint):
        return store.buckets()
