"""The list of buckets with their newest points.

It costs one store call per bucket, so requests that arrive at the same time share one list. It is never cached:
a point that was acknowledged before the request is counted.
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
from service.stores.protocol import Store

_TIMEOUT_S = 60.0


def serve_bucket_list(parts: Parts, principal: Principal, clock: Callable[[], float] = time.monotonic) -> Served:
    """The buckets that `principal` may see. Raises StoreTimeout when they take more than a minute."""
    scope = "all" if principal.buckets is None else repr(sorted(principal.buckets))
    key = repr((parts.reads.limits.store_identity, "list", scope))
    return parts.answers.serve(key, [EVERY_BUCKET], 0.0, lambda: _produce(parts, principal, clock))


def _produce(parts: Parts, principal: Principal, clock: Callable[[], float]) -> Produced:
    deadline_s = clock() + _TIMEOUT_S
    infos = []
    for bucket in parts.store.buckets():
        if clock() > deadline_s:
            raise StoreTimeout(
                f"The newest points did not arrive within {_TIMEOUT_S:.0f} s. Use a key limited to fewer buckets.",
            )
        if principal.may_see(bucket.name):
            infos.append(_info(parts, bucket))
    body = BucketList(buckets=[info for info in infos if info is not None]).model_dump_json().encode()
    return Produced({}, iter([body]), lambda: None)


def bucket_info(store: Store, bucket: Bucket) -> BucketInfo:
    """The bucket with its newest point, or with the reason why that is not known. Raises UnknownBucket."""
    newest, note = None, None
    try:
        newest = store.last_point(bucket.name)
    except BUCKET_ERRORS as error:
        note = error.message
    return BucketInfo(
        name=bucket.name,
        description=bucket.description,
        retention=format_duration(bucket.retention_ns) if bucket.retention_ns else None,
        last_point=None if newest is None else format_time(newest),
        note=note,
    )


def _info(parts: Parts, bucket: Bucket) -> BucketInfo | None:
    """The bucket with its newest point; None when it was deleted meanwhile."""
    try:
        return bucket_info(parts.store, bucket)
    except UnknownBucket:
        return None
