"""Looks at both buckets of a pair before a run, and decides on slices and on the measurements and times to mirror."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from service.domain.durations import HOUR_NS, format_duration, parse_duration
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import kept_since, mirrored_ranges
from service.domain.schema import Bucket
from service.domain.slicing import MeasurementRange, slice_length
from service.domain.timerange import format_time
from service.domain.unreadable import listed
from service.errors import InvalidParameter, UnreadableText
from service.jobs.mirror.endpoints import OpenEndpoints
from service.jobs.mirror.pair_context import PairContext, finest_ns
from service.stores.protocol import Store
from service.transfer.bucket_reader import BucketReader, ask_both
from service.transfer.retry import Retrying
from service.transfer.splitting import Splitter

T = TypeVar("T")
_SHORTEST_NS = parse_duration("10m", "slice")


@dataclass(frozen=True)
class _Contents:
    """A bucket, and the names of its measurements. `unreadable`: why some of them cannot be read."""

    bucket: Bucket
    measurements: list[str]
    unreadable: dict[str, str]


class PairSetup:
    """Makes the contexts of a mirror's pairs. `clock` gives seconds since 1970.

    A measurement that one of the buckets cannot give is left out, and the context names it with the reason.
    """

    def __init__(
        self,
        mirror: Mirror,
        endpoints: OpenEndpoints,
        splitter: Splitter,
        clock: Callable[[], float],
    ) -> None:
        self._mirror = mirror
        self._endpoints = endpoints
        self._splitter = splitter
        self._clock = clock

    def with_context(self, pair: BucketPair, retry: Retrying, act: Callable[[PairContext], T]) -> T:
        """What `act` gives for the context of `pair`.

        It is called again without a measurement in which a text turns out to be no Unicode, so it must bear that.
        Raises what `context` and `act` do.
        """
        unreadable: dict[str, str] = {}
        while True:
            context = retry.call(lambda: self.context(pair, unreadable))
            try:
                return act(context)
            except UnreadableText as error:
                if error.measurement is None or error.measurement in context.left_out:
                    raise
                unreadable[error.measurement] = error.finding

    def context(self, pair: BucketPair, unreadable: Mapping[str, str] = MappingProxyType({})) -> PairContext:
        """The context without the measurements that cannot be read: those known as `unreadable`, and those that the
        buckets name.

        Raises InvalidParameter for what cannot be mirrored, before anything is copied, and StoreError.
        """
        mirror, endpoints, now_ns = self._mirror, self._endpoints, int(self._clock() * 1e9)
        source, target = ask_both(_contents, (endpoints.source, pair.source), (endpoints.target, pair.target))
        step_ns = _slice_length(mirror, source.bucket, target.bucket)
        kept_since_ns = kept_since(source.bucket, target.bucket, now_ns, step_ns)
        left_out = {**unreadable, **target.unreadable, **source.unreadable}
        names = {*source.measurements, *target.measurements} - left_out.keys()
        ranges = mirrored_ranges(mirror, names, kept_since_ns, now_ns, step_ns)
        self._refuse_short_retention(ranges, source.bucket, target.bucket, now_ns)
        unit_ns, is_stamped_at_stop = finest_ns(mirror, step_ns), mirror.windows is not None
        return PairContext(
            mirror,
            pair,
            BucketReader(
                endpoints.source,
                pair.source,
                ranges,
                self._splitter,
                unit_ns,
                mirror.windows,
                is_stamped_at_stop,
            ),
            BucketReader(endpoints.target, pair.target, ranges, self._splitter, unit_ns, None, is_stamped_at_stop),
            step_ns,
            step_ns if mirror.windows is not None else math.gcd(step_ns, HOUR_NS),
            kept_since_ns,
            now_ns,
            {name: reason for name, reason in sorted(left_out.items()) if mirror.wants(name)},
            counts_again=bool(unreadable),
        )

    def _refuse_short_retention(
        self,
        ranges: Iterable[MeasurementRange],
        source: Bucket,
        target: Bucket,
        now_ns: int,
    ) -> None:
        """Refuse a target whose retention is shorter than the source's: each run would copy the same points again."""
        if not target.retention_ns or 0 < source.retention_ns <= target.retention_ns:
            return
        lengths = [self._mirror.history_of(name) for part in ranges for name in part.measurements]
        if lengths and all(length is not None and length <= target.retention_ns for length in lengths):
            return
        first_ns = self._endpoints.source.first_point(source.name)
        if first_ns is not None and first_ns < now_ns - target.retention_ns:
            raise InvalidParameter(
                "retention",
                f"The bucket {target.name!r} of the target forgets points that the source has"
                f" (since {format_time(first_ns)})."
                " Lengthen its retention, or set the mirror's `since` to no more than that.",
            )


def _contents(store_and_bucket: tuple[Store, str]) -> _Contents:
    store, bucket = store_and_bucket
    schema = store.schema(bucket)
    odd = [measurement for measurement in schema if measurement.unreadable]
    unreadable = {entry.name: f"Not UTF-8: {listed(entry.name, entry.unreadable)}." for entry in odd}
    return _Contents(store.bucket(bucket), [measurement.name for measurement in schema], unreadable)


def _slice_length(mirror: Mirror, source: Bucket, target: Bucket) -> int:
    step_ns = slice_length(source, target)
    if step_ns < _SHORTEST_NS:
        raise InvalidParameter(
            "buckets",
            f"The shard groups of {source.name!r} and {target.name!r} are of {format_duration(source.shard_ns)} and"
            f" {format_duration(target.shard_ns)}: their common slices would be shorter than"
            f" {format_duration(_SHORTEST_NS)}. Give one of the buckets a shard-group duration of whole hours.",
        )
    return step_ns if mirror.windows is None else _whole_windows(step_ns, mirror.windows.every_ns)


def _whole_windows(step_ns: int, every_ns: int) -> int:
    """A length near `step_ns` that is a whole number of windows."""
    if every_ns <= step_ns and step_ns % every_ns == 0:
        return step_ns
    return every_ns if every_ns > step_ns else math.lcm(step_ns, every_ns)
