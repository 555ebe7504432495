"""One run over one pair of buckets: compare counts, copy slices that differ, and write the records.

No decision rests on the newest time that was seen. So late points, filled gaps, forecasts and outliers are all copied,
and none of them delays other points.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from service.domain.mirror_slices import Act, SliceRecord, SliceState, comparisons_due, decide, spans_of_run
from service.domain.slicing import batches, is_in, whole_slices
from service.domain.timerange import TimeRange, format_time
from service.frames.slice_digest import SliceDigest
from service.jobs.mirror.deletes import Deleter
from service.jobs.mirror.dry_run import forecast
from service.jobs.mirror.group_size import GroupSize
from service.jobs.mirror.lateness import LatenessMeter
from service.jobs.mirror.ledger import PairLedger, PairState
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_report import PairReport
from service.jobs.mirror.run_options import RunOptions
from service.jobs.mirror.run_services import RunServices
from service.jobs.mirror.slice_copy import SliceCopy
from service.transfer.bucket_reader import SliceDigests
from service.transfer.bucket_writer import BucketWriter


class PairSync:
    """Makes the target of a pair equal to its source.

    `report` has the result, also after a run that was broken off. `slices_before`: the slices of the pairs before this
    one, for the progress.
    """

    def __init__(
        self,
        context: PairContext,
        ledger: PairLedger,
        writer: BucketWriter,
        services: RunServices,
        options: RunOptions,
        slices_before: int,
    ) -> None:
        self.report = PairReport(left_out=context.left_out)
        self._context = context
        self._ledger = ledger
        self._services = services
        self._options = options
        self._slices_before = slices_before
        self._deleter = Deleter(context, services)
        self._lateness = LatenessMeter(context)
        self._slices = SliceCopy(context, writer, self._deleter, services, self.report, options.again, self._lateness)
        self._group_size = GroupSize.first(context.is_remote, context.mirror.budget_bytes)
        self._known: dict[int, SliceRecord] = {}
        self._noted_late_ns = 0

    def run(self) -> PairReport:
        """Copy what differs. Raises StoreError, RetryLater, InvalidParameter, JobInterrupted; finished slices stay."""
        context, options, began = self._context, self._options, self._services.clock()
        state = self._begin()
        self._lateness.last_run_at = state.succeeded_at
        is_due = state.counted_at is None or began - state.counted_at >= context.mirror.full_count_ns / 1e9
        everything = options.span is None and is_due
        due = self._comparisons_due(state)
        spans = self._spans(due, everything)
        by_series = options.span is not None or (everything and bool(self._known))
        for span in spans:
            self._sync(span, due, by_series)
        if not options.dry_run:
            self._finish(spans, everything, began)
        return self.report

    def _begin(self) -> PairState:
        """The state that earlier runs left. A dry run does not change it, even where it belongs to another mirror."""
        identity, step_ns = self._context.identity, self._context.step_ns
        state = self._ledger.find(identity, step_ns) if self._options.dry_run else self._ledger.open(identity, step_ns)
        if state is None:
            return PairState(None, None, 0)
        self._known = self._ledger.records()
        return state

    def _comparisons_due(self, state: PairState) -> set[int]:
        """Starts of the slices whose values are to be compared. In a span that the job names: all."""
        if self._options.span is not None:
            return set(self._known)
        records = list(self._known.values())
        return comparisons_due(self._context.mirror, records, self._context.now_ns, state.succeeded_at)

    def _spans(self, due: set[int], everything: bool) -> list[TimeRange]:
        """The ranges to look at, in whole slices. With windows, only windows that are over."""
        context = self._context
        if self._options.span is not None:
            return context.mirrored([whole_slices(self._options.span, context.step_ns)])
        differing = {record.start_ns for record in self._known.values() if record.state is SliceState.DIFFERENT}
        extent = context.extent() if everything else None
        return context.mirrored(spans_of_run(context.mirror, context.now_ns, extent, differing | due, context.step_ns))

    def _finish(self, spans: Sequence[TimeRange], everything: bool, began: float) -> None:
        """Remove the records of slices that are gone, and note the success."""
        if everything:  # slices outside the first and the last point of both buckets are gone
            gone = [start_ns for start_ns in self._known if not any(is_in(start_ns, span) for span in spans)]
            self._ledger.forget(gone)
        self._ledger.forget_before(self._context.kept_since_ns)
        if self._options.span is None and not self.report.states[SliceState.DIFFERENT]:
            self._ledger.succeeded(began, everything and not self._context.counts_again)

    def _sync(self, span: TimeRange, due: set[int], by_series: bool) -> None:
        """Compare the slices of `span`, and copy or compare values where a slice needs it.

        `by_series`: count each series also in slices that have as many points as before.
        """
        context, known = self._context, self._known
        if by_series:
            source, target = context.slice_counts(span, context.step_ns)
        else:
            source, target = context.changed_counts(span, known)
        acts = {start_ns: self._act(start_ns, source, target, due) for start_ns in sorted({*source, *target})}
        self.report.compared += len(acts)
        for start_ns, act in acts.items():
            if act is Act.NOTHING and start_ns in known:
                self.report.add(known[start_ns])
        to_copy = [start_ns for start_ns, act in acts.items() if act is Act.COPY]
        to_compare = [start_ns for start_ns, act in acts.items() if act is Act.COMPARE_VALUES]
        if self._options.dry_run:
            forecast(context, self._deleter, self.report, to_copy, to_compare)
            return
        self._ledger.forget([start_ns for start_ns in known if is_in(start_ns, span) and start_ns not in acts])
        self._ledger.put(self._open_records(to_copy, to_compare, source, target))
        self._in_groups(to_copy, source, lambda group: self._slices.copy(group, source, target, known))
        self._in_groups(to_compare, source, lambda group: self._slices.compare_values(group, known))

    def _act(self, start_ns: int, source: SliceDigests, target: SliceDigests, due: set[int]) -> Act:
        key, record = self._context.comparison_key, self._known.get(start_ns)
        removes = self._context.mirror.follow_deletes and record is not None and record.state is SliceState.EXTRA
        source_key, target_key = key(source.get(start_ns)), key(target.get(start_ns))
        return decide(record, source_key, target_key, record is None or start_ns in due, self._options.again or removes)

    def _open_records(
        self,
        to_copy: Sequence[int],
        to_compare: Sequence[int],
        source: SliceDigests,
        target: SliceDigests,
    ) -> Iterator[SliceRecord]:
        """Records of slices that have none yet, as they are before they are copied.

        After a run that was broken off these records stay.
        """
        key, now = self._context.comparison_key, self._services.clock()
        for starts, state in ((to_copy, SliceState.DIFFERENT), (to_compare, SliceState.UNKNOWN)):
            for start_ns in starts:
                if start_ns not in self._known:
                    points, source_key = source.get(start_ns, SliceDigest()).count, key(source.get(start_ns))
                    target_key = key(target.get(start_ns))
                    yield SliceRecord(start_ns, state, points, source_key, target_key, None, 0, now, None)

    def _in_groups(
        self,
        starts: Sequence[int],
        source: SliceDigests,
        act: Callable[[TimeRange], list[SliceRecord]],
    ) -> None:
        """Call `act` for groups of slices that together hold enough points.

        After each group its records are stored.
        """
        services, done = self._services, 0
        counts = [source.get(start_ns, SliceDigest()).count for start_ns in starts]
        while done < len(starts):
            left, left_counts = islice(starts, done, None), islice(counts, done, None)
            group = next(batches(left, left_counts, self._context.step_ns, self._group_size.points))
            self._progress(done, len(starts))
            services.budget.spend()
            copied_before, waits_before, began = self.report.copied_points, services.retry.waits, services.clock()
            records = act(group)
            self._group_size = self._group_size.after(services.retry.waits > waits_before, services.clock() - began)
            services.job.save({"until": format_time(group.stop_ns - 1)})
            self._ledger.put(records, self.report.copied_points - copied_before)
            self._note_lateness()
            for record in records:
                self.report.add(record)
            done = bisect_left(starts, group.stop_ns, done)
        self._progress(len(starts), len(starts))

    def _note_lateness(self) -> None:
        late_ns = self._lateness.late_ns
        if late_ns > self._noted_late_ns:
            self._ledger.note_lateness(self._context, late_ns, self._services.clock())
            self._noted_late_ns = late_ns

    def _progress(self, done: int, total: int) -> None:
        self._services.job.progress(self._slices_before + done, self._slices_before + total, "slices")
