"""Copies groups of slices from the source of a pair to its target, and reads each group back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.slicing import batches, is_in
from service.domain.timerange import TimeRange
from service.frames.frame import Block
from service.frames.slice_digest import SliceDigest, SliceDigester, summed
from service.jobs.mirror.deletes import Deleter
from service.jobs.mirror.lateness import LatenessMeter
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_report import PairReport
from service.jobs.mirror.run_services import RunServices
from service.jobs.mirror.slice_check import Expected, SliceCheck, values_checksum
from service.transfer.bucket_reader import SliceDigests
from service.transfer.bucket_writer import BucketWriter

_TRIES = 3
"""How often a slice is copied in one run while the target lacks points of it."""


@dataclass(frozen=True)
class _Copied:
    """Digests of what was read from the source, and how many of its values the target did not take, by slice."""

    digests: SliceDigests
    rejected: Mapping[int, int]


class SliceCopy:
    """Copies groups of slices without gaps. `again`: also values that the target refused before. `lateness` measures
    what is copied.

    Every method raises MirrorConflict, StoreError, RetryLater, JobInterrupted.
    """

    def __init__(
        self,
        context: PairContext,
        writer: BucketWriter,
        deleter: Deleter,
        services: RunServices,
        report: PairReport,
        again: bool,
        lateness: LatenessMeter,
    ) -> None:
        self._context = context
        self._writer = writer
        self._deleter = deleter
        self._services = services
        self._report = report
        self._again = again
        self._lateness = lateness
        self._check = SliceCheck(context, services)

    def copy(
        self,
        group: TimeRange,
        source: SliceDigests,
        target: SliceDigests,
        known: Mapping[int, SliceRecord],
    ) -> list[SliceRecord]:
        """Copy slices whose counts differ. Where the target has points already, only the hours that differ are copied.

        `source` and `target`: the counts of both buckets.
        """
        context = self._context
        for tries_left in reversed(range(_TRIES)):
            step_ns, in_source, in_target = context.step_ns, _within(source, group), _within(target, group)
            if in_target or tries_left < _TRIES - 1:
                step_ns = context.short_ns
                in_source, in_target = context.slice_counts(group, step_ns)
            differing = self._differing(in_source, in_target)
            if tries_left == _TRIES - 1:
                self._lateness.add(source, (in_source, in_target), step_ns, known)
            equal = {start_ns: digest for start_ns, digest in in_source.items() if start_ns not in differing}
            expected = Expected(step_ns, equal, known=known)
            for span in batches(sorted(differing), [0] * len(differing), step_ns, most_points=0):
                self._copy(span, expected)
            records = self._check.records(group, expected, whole=not in_target)
            if tries_left == 0 or not self._must_copy_again(records):
                break
        self._report.copied_slices += len(records)
        return records

    def compare_values(self, group: TimeRange, known: Mapping[int, SliceRecord]) -> list[SliceRecord]:
        """Compare every value, and copy the slices where one differs.

        A slice is not copied again where neither bucket changed since the last copy.
        """
        context = self._context
        self._report.values_compared += len(context.slice_starts(group))
        source, target = context.slice_digests(group, context.step_ns)
        expected = Expected(context.step_ns, dict(source), by_values=True)
        for start_ns in context.slice_starts(group):
            in_source, in_target = source.get(start_ns, SliceDigest()), target.get(start_ns, SliceDigest())
            record = known.get(start_ns)
            if in_source == in_target:
                continue
            if record is not None and not self._again and _is_as_left(record, in_source, in_target):
                expected.rejected[start_ns] = record.rejected
                continue
            self._copy(context.slice(start_ns), expected)
            self._report.copied_slices += 1
        return self._check.records(group, expected, whole=True)

    def _copy(self, span: TimeRange, expected: Expected) -> None:
        """Copy every point of `span`. The digests of what was read go into `expected`."""
        source = self._context.source
        pieces = source.splitter.call(lambda piece: self._copy_piece(piece, expected.step_ns), span, source.unit_ns)
        digests = summed(piece.digests for piece in pieces)
        self._report.copied_points += sum(digest.count for digest in digests.values())
        expected.digests.update(digests)
        for piece in pieces:
            expected.rejected.update(piece.rejected)

    def _copy_piece(self, span: TimeRange, step_ns: int) -> _Copied:
        source = self._context.source
        digester = SliceDigester(step_ns, source.stamped_at_stop)
        rejected = self._writer.write(_digested(source.blocks(span), digester), step_ns)
        return _Copied(digester.slices, rejected)

    def _must_copy_again(self, records: Sequence[SliceRecord]) -> bool:
        """Whether the target lacks points: some that arrived meanwhile, or that a removal has just taken, too."""
        pair, removed = self._context.pair, 0
        for record in records:
            if record.state is SliceState.EXTRA and self._context.mirror.follow_deletes:
                removed += self._deleter.remove(self._context.slice(record.start_ns))
        if removed:
            self._services.log(
                "info",
                f"Removed {removed:,} points from {pair.target!r} that {pair.source!r} has no more.",
            )
        self._report.deleted += removed
        is_open = any(record.state is SliceState.DIFFERENT for record in records)
        return bool(removed) or is_open or self._check.outdated

    def _differing(self, source: SliceDigests, target: SliceDigests) -> set[int]:
        """Starts of the slices whose counts differ."""
        key = self._context.comparison_key
        return {start_ns for start_ns in (*source, *target) if key(source.get(start_ns)) != key(target.get(start_ns))}


def _is_as_left(record: SliceRecord, source: SliceDigest, target: SliceDigest) -> bool:
    """Whether neither bucket changed since the slice was copied last."""
    return record.state is not SliceState.DIFFERENT and record.checksum == values_checksum(source, target)


def _digested(blocks: Iterable[Block], digester: SliceDigester) -> Iterator[Block]:
    for block in blocks:
        for frame in block:
            digester.add(frame)
        yield block


def _within(digests: SliceDigests, group: TimeRange) -> SliceDigests:
    return {start_ns: digest for start_ns, digest in digests.items() if is_in(start_ns, group)}
