"""The pairs of buckets of a run.

Both stores are asked for their buckets. A bucket that another mirror writes is refused. A bucket that the target lacks
is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.mirror import LOG_BUCKET, BucketPair, Mirror
from service.domain.schema import BucketSpec
from service.errors import InvalidParameter, UnknownBucket
from service.jobs.mirror.endpoints import OpenEndpoints, naming_endpoint
from service.jobs.mirror.ledger import pairs_of
from service.jobs.mirror.overlaps import two_writers
from service.jobs.mirror.registry import MirrorRegistry
from service.state.database import StateDatabase
from service.transfer.bucket_reader import ask_both


@dataclass(frozen=True)
class Pairs:
    """`present`: pairs whose buckets both exist. `lacking`: the target has no bucket, and the run may not make it.

    `refused`: the target's bucket cannot be made, with the reason.
    """

    present: list[BucketPair]
    lacking: list[BucketPair]
    refused: Mapping[BucketPair, InvalidParameter]


class BucketPairs:
    """Finds the pairs of a mirror. `registry` and `database` know what other mirrors write."""

    def __init__(self, registry: MirrorRegistry, database: StateDatabase) -> None:
        self._registry = registry
        self._database = database

    def of(self, mirror: Mirror, endpoints: OpenEndpoints, bucket: str | None, changes_nothing: bool) -> Pairs:
        """The pairs of `mirror`, or those of one `bucket` of the source.

        Buckets that the target lacks are made, unless the run `changes_nothing`.

        Raises InvalidParameter: no such pair, or two mirrors that write one bucket. UnknownBucket: the source lacks it.
        """
        source_buckets, target_buckets = ask_both(lambda store: store.buckets(), endpoints.source, endpoints.target)
        in_source, in_target = {entry.name: entry for entry in source_buckets}, {entry.name for entry in target_buckets}
        pairs = list(mirror.buckets) if mirror.buckets is not None else _all_pairs(mirror, in_source)
        self._refuse_overlaps(mirror, pairs)
        selected = [pair for pair in pairs if bucket is None or pair.source == bucket]
        if bucket is not None and not selected:
            raise InvalidParameter(
                "bucket",
                f"The source ({mirror.source}) has no bucket {bucket!r} that {mirror.name!r} copies.",
            )
        refused: dict[BucketPair, InvalidParameter] = {}
        for pair in selected:
            if pair.source not in in_source:
                raise _unknown_bucket(mirror, pair.source, in_source)
            if pair.target not in in_target and not changes_nothing:
                source = in_source[pair.source]
                try:
                    # BucketSpec refuses a name before the store is asked.
                    with naming_endpoint("target", mirror.target):
                        endpoints.target.create_bucket(BucketSpec(pair.target, source.description, source.retention_ns))
                except InvalidParameter as reason:
                    refused[pair] = reason
        lacking = [pair for pair in selected if changes_nothing and pair.target not in in_target]
        present = [pair for pair in selected if pair not in lacking and pair not in refused]
        return Pairs(present, lacking, refused)

    def _refuse_overlaps(self, mirror: Mirror, pairs: list[BucketPair]) -> None:
        targets = {pair.target for pair in pairs}
        for other in self._registry.others(mirror.name):
            if other.target.identity != mirror.target.identity:
                continue
            if other.buckets is None:
                other_targets = {target for _, target in pairs_of(self._database, other.name)}
            else:
                other_targets = {pair.target for pair in other.buckets}
            shared = sorted(targets & other_targets)
            if shared:
                raise two_writers(mirror.name, other.name, shared[0], mirror.target)


def _all_pairs(mirror: Mirror, in_source: Mapping[str, object]) -> list[BucketPair]:
    """Every bucket of the source, except that of the log where the mirror writes its log in the target."""
    return [BucketPair(name, name) for name in sorted(in_source) if not (mirror.log_in_target and name == LOG_BUCKET)]


def _unknown_bucket(mirror: Mirror, bucket: str, in_source: Mapping[str, object]) -> UnknownBucket:
    """The error about a bucket that the source does not show to its token."""
    near = [name for name in in_source if name.lower() == bucket.lower()]
    spelled = "Is it spelled so, and may the mirror's source.token read it?"
    hint = f"Did you mean {', '.join(map(repr, near))}?" if near else spelled
    return UnknownBucket(bucket, near, f"The source ({mirror.source}) has no bucket {bucket!r}. {hint}")
