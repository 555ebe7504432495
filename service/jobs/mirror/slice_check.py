"""Compares the target after a copy with what was read from the source. Only points that can be read back count."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.timerange import TimeRange
from service.frames.slice_digest import SliceDigest
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.run_services import RunServices
from service.transfer.bucket_reader import SeriesDigests, SliceDigests
from service.transfer.read_back import ReadBack

_LONGEST_PAUSE_S = 5.0


@dataclass
class Expected:
    """What the target has to show: the source's digests of slices of `step_ns`, less what the target refused.

    `by_values`: every value is compared, not only counts. `known`: the records before the copy. Where only the
    hours that differed were copied, their `values_compared_at` stays.
    """

    step_ns: int
    digests: SliceDigests
    rejected: Counter[int] = field(default_factory=Counter)
    by_values: bool = False
    known: Mapping[int, SliceRecord] = field(default_factory=dict)


class SliceCheck:
    """Makes the records of slices of one pair. Its methods raise what `BucketReader` does, and JobInterrupted.

    `outdated`: of the last `records`, whether the source got points since the copy that the target lacks.
    """

    def __init__(self, context: PairContext, services: RunServices) -> None:
        self.outdated = False
        self._context = context
        self._services = services

    def records(self, group: TimeRange, expected: Expected, whole: bool) -> list[SliceRecord]:
        """The records of the slices of `group`, once the target shows what is expected or its time is over.

        `whole`: `expected` has the values of all their points, not only counts.
        """
        context, services = self._context, self._services
        read_back = ReadBack(services.job, services.clock, context.mirror.target.is_remote)

        def on_target() -> SliceDigests:
            ask = context.target.slice_digests if expected.by_values else context.target.slice_counts
            return ask(group, expected.step_ns)

        def is_complete(shown: SliceDigests) -> bool:
            return not any(self._lacks(start_ns, expected, shown) for start_ns in expected.digests)

        def look() -> list[SliceRecord]:
            self.outdated = False
            shown = read_back.ask(on_target, is_complete, _LONGEST_PAUSE_S)
            return [self._record(start_ns, expected, shown, whole) for start_ns in context.slice_starts(group)]

        def is_settled(records: list[SliceRecord]) -> bool:
            has_open = any(record.state is SliceState.DIFFERENT for record in records)
            return not has_open or self._source_changed(group, expected)

        return read_back.ask(look, is_settled)  # each look reads points, so the pauses grow without a limit

    def _lacks(self, start_ns: int, expected: Expected, shown: SliceDigests) -> bool:
        """Whether the digests alone show that the target lacks something.

        Where the target has more points, or refused some, only the counts can show it.
        """
        digest, refused = expected.digests[start_ns], expected.rejected[start_ns]
        shown_digest = shown.get(start_ns, SliceDigest())
        if refused or shown_digest.count != digest.count:
            return shown_digest.count < digest.count - refused
        return not self._same(digest, shown_digest, expected.by_values)

    def _source_changed(self, group: TimeRange, expected: Expected) -> bool:
        """Whether the source has other points than at the copy. The target does not get those by waiting."""
        now = self._context.source.slice_counts(group, expected.step_ns)
        return _counts(now) != _counts(expected.digests)

    def _record(self, start_ns: int, expected: Expected, shown: SliceDigests, whole: bool) -> SliceRecord:
        short_starts = range(start_ns, start_ns + self._context.step_ns, expected.step_ns)
        source_digest, target_digest = _total(expected.digests, short_starts), _total(shown, short_starts)
        refused = sum(expected.rejected[short_start] for short_start in short_starts)
        state = self._state(source_digest, target_digest, refused, expected, self._context.slice(start_ns))
        now, key, known = self._services.clock(), self._context.comparison_key, expected.known.get(start_ns)
        values_compared_at = now if whole else None if known is None else known.values_compared_at
        return SliceRecord(
            start_ns,
            state,
            source_digest.count,
            key(source_digest),
            key(target_digest),
            values_checksum(source_digest, target_digest if expected.by_values else source_digest) if whole else None,
            refused,
            now,
            None if state is SliceState.DIFFERENT else values_compared_at,
        )

    def _state(
        self,
        source: SliceDigest,
        target: SliceDigest,
        refused: int,
        expected: Expected,
        span: TimeRange,
    ) -> SliceState:
        if self._same(source, target, expected.by_values) and not refused:
            return SliceState.EQUAL
        source_series, target_series = self._context.series_digests(span)
        missing, extra = _only_in_left(source_series, target_series), _only_in_left(target_series, source_series)
        arrived = max(0, sum(digest.count for digest in source_series.values()) - source.count)
        self.outdated = self.outdated or min(missing, arrived) > 0
        if missing - arrived > refused:  # the next copy, or the next run, copies what arrived since the read
            return SliceState.DIFFERENT
        if refused:  # also where as many other points replace them
            return SliceState.PARTIAL
        return SliceState.EXTRA if extra else SliceState.DIFFERENT

    def _same(self, source: SliceDigest, target: SliceDigest, by_values: bool) -> bool:
        key = self._context.comparison_key
        return source == target if by_values else key(source) == key(target)


def values_checksum(source: SliceDigest, target: SliceDigest) -> str:
    """A text that stays the same as long as the values of both buckets do."""
    return hashlib.blake2b(repr((source, target)).encode(), digest_size=16).hexdigest()


def _only_in_left(left: SeriesDigests, right: SeriesDigests) -> int:
    """How many more points `left` has than `right`, series by series."""
    return sum(max(0, digest.count - (right[name].count if name in right else 0)) for name, digest in left.items())


def _counts(digests: SliceDigests) -> dict[int, int]:
    return {start_ns: digest.count for start_ns, digest in digests.items()}


def _total(digests: Mapping[int, SliceDigest], starts: range) -> SliceDigest:
    total = SliceDigest()
    for start_ns in starts:
        total += digests.get(start_ns, SliceDigest())
    return total
