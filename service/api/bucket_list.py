"""The list of buckets with their newest points: one question for each bucket, so it is asked once for all who ask at the same time.

It is never kept: a write that was acknowledged before the question is in it.
"""

import time
from collections.abc import Callable

from service.api.deps import Parts
from service.api.schemas import BucketInfo, BucketList
from service.cache.answers import EVERY_BUCKET, Served
from service.cache.single_flight import Produced
from service.domain.access import Principal
from service.domain.durations import format_duration
from service.domain.schema import Bucket
from service.domain.timerange import format_time
from service.errors import BUCKET_ERRORS, StoreTimeout, UnknownBucket

_LONGEST_S = 60.0


def serve_bucket_list(parts: Parts, principal: Principal, clock: Callable[[], float] = time.monotonic) -> Served:
    """The buckets that `principal` may see. Raises StoreTimeout when all of them take more than a minute."""
    scope = "all" if principal.buckets is None else repr(sorted(principal.buckets))
    key = repr((parts.reads.limits.store_identity, "list", scope))
    return parts.answers.serve(key, [EVERY_BUCKET], 0.0, lambda: _produced(parts, principal, clock))


def _produced(parts: Parts, principal: Principal, clock: Callable[[], float]) -> Produced:
    until_s = clock() + _LONGEST_S
    infos = []
    for bucket in parts.store.buckets():
        if clock() > until_s:
            raise StoreTimeout(f"The newest points of all buckets were not there within {_LONGEST_S:.0f} s. Use a key limited to fewer buckets.")
        if principal.may_see(bucket.name):
            infos.append(_info(parts, bucket))
    body = BucketList(buckets=[info for info in infos if info is not None]).model_dump_json().encode()
    return Produced({}, iter([body]), lambda: None)


def _info(parts: Parts, bucket: Bucket) -> BucketInfo | None:
    """None: the bucket was deleted meanwhile."""
    newest, note = None, None
    try:
        newest = parts.store.last_point(bucket.name)
    except UnknownBucket:
        return None
    except BUCKET_ERRORS as error:
        note = error.message
    return BucketInfo(
        name=bucket.name,
        description=bucket.description,
        retention=format_duration(bucket.retention_ns) if bucket.retention_ns else None,
        last_point=None if newest is None else format_time(newest),
        note=note,
    )
