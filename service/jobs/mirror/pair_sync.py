"""One run over one pair of buckets: compare by counts, copy what differs, hold the target against what was read, and write down what is known.

Nothing is decided by "the newest time seen", so late points, filled gaps, forecasts and outliers are all
found, and none of them holds anything up.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from service.domain.mirror_slices import Act, SliceRecord, SliceState, aligned, batches, decide, is_in, slice_range, spans_of_run, sums_due
from service.domain.timerange import TimeRange, format_time
from service.frames.slices import SliceDigest, summed
from service.jobs.mirror.counting import counted
from service.jobs.mirror.deletes import Deleter
from service.jobs.mirror.pair_context import Ground, Links
from service.jobs.mirror.pair_reader import SliceReader
from service.jobs.mirror.read_back import Settler, SourceSlices, seal
from service.state.mirror_ledger import PairLedger, PairState
from service.transfer.bucket_reader import Tallies
from service.transfer.copier import Copied, Copier
from service.transfer.splitting import Halver

_FIRST_POINTS, _FIRST_POINTS_HERE = 400_000, 1_000_000
"""The size of the first group: over a link of unknown speed and quota, and where both sides are on this machine."""
_MOST_POINTS, _FEWEST_POINTS = 2_000_000, 10_000
_POINT_BYTES = 50
"""About so many go over both links for one point."""
_QUICK_S, _SLOW_S = 3.0, 20.0
"""So many points are copied before they are held against the target and written down: more when that is quick, fewer when it is slow
or the other side asks for patience."""
_TRIES = 3
"""How often a slice is copied in one run when the target lacks points after it."""
_LISTED = 200


@dataclass(frozen=True)
class Work:
    """What a run is asked to do. `span` absent: as the mirror says. `dry`: change nothing. `again`: also what was found partial or extra."""

    span: TimeRange | None = None
    dry: bool = False
    again: bool = False


@dataclass
class PairReport:
    """What a run found and did: slices compared by counts and by values, copied, and in each state; points copied, rejected and deleted."""

    target_lacks_bucket: bool = False
    compared: int = 0
    summed: int = 0
    copied_slices: int = 0
    copied: int = 0
    rejected: int = 0
    deleted: int = 0
    states: Counter[SliceState] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    would_delete: list[dict[str, object]] = field(default_factory=list)


class PairRun:
    """One run over the pair of `ground`; `report` says what came of it, also when it is broken off. `before`: slices of the pairs before this one."""

    def __init__(self, ground: Ground, ledger: PairLedger, copier: Copier, links: Links, work: Work, before: int) -> None:
        self._ground = ground
        self._ledger = ledger
        self._copier = copier
        self._links = links
        self._work = work
        self._before = before
        self._halver = Halver(links.patience, links.tell)
        self._reader = SliceReader(ground, self._halver)
        self._settler = Settler(ground, links, self._reader)
        self._deleter = Deleter(ground, links, self._reader)
        self._known: dict[int, SliceRecord] = {}
        self._limit = _most_at_once(ground.mirror.budget_bytes)
        is_remote = ground.source.endpoint.is_remote or ground.target.endpoint.is_remote
        self._most_points = min(_FIRST_POINTS if is_remote else _FIRST_POINTS_HERE, self._limit)
        self.report = PairReport()

    def run(self) -> PairReport:
        """Raises StoreError, RetryLater, InvalidParameter, JobInterrupted; what was copied until then is kept."""
        ground, work, began = self._ground, self._work, self._links.clock()
        state = self._begin()
        known = self._known
        everything = work.span is None and (state.counted_at is None or began - state.counted_at >= ground.mirror.full_count_ns / 1e9)
        due = sums_due(ground.mirror, list(known.values()), ground.now_ns, state.succeeded_at) if work.span is None else set(known)
        spans = self._spans(due, everything)
        by_series = work.span is not None or (everything and bool(known))
        for span in spans:
            self._compare(span, due, by_series)
        if not work.dry:
            if everything:  # what lies beyond the first and the last point of both sides is no more
                self._ledger.forget([start_ns for start_ns in known if not any(is_in(start_ns, span) for span in spans)])
            self._ledger.forget_before(ground.kept_since_ns)
            if work.span is None and not self.report.states[SliceState.DIFFERENT]:
                self._ledger.succeeded(began, everything)
        return self.report

    def _begin(self) -> PairState:
        """What earlier runs left. A dry run leaves it alone also where it is of another mirror."""
        identity, step_ns = self._ground.identity, self._ground.step_ns
        state = self._ledger.look(identity, step_ns) if self._work.dry else self._ledger.open(identity, step_ns)
        if state is None:
            return PairState(None, None, 0)
        self._known = self._ledger.known()
        return state

    def _spans(self, due: set[int], everything: bool) -> list[TimeRange]:
        """What to look at, in whole slices. With windows, nothing that is not over yet."""
        ground = self._ground
        if self._work.span is not None:
            return ground.cut([aligned(self._work.span, ground.step_ns)])
        unsettled = {one.start_ns for one in self._known.values() if one.state is SliceState.DIFFERENT}
        extent = ground.extent() if everything else None
        return ground.cut(spans_of_run(ground.mirror, ground.now_ns, extent, unsettled | due, ground.step_ns))

    def _compare(self, span: TimeRange, due: set[int], by_series: bool) -> None:
        """Compare the slices of `span`, and do what each needs. `by_series`: also count the series of those that have as many points as before."""
        step_ns = self._ground.step_ns
        source, target = self._reader.tallies(span, step_ns) if by_series else counted(self._reader, span, step_ns, self._known)
        acts = {start_ns: self._act(start_ns, source, target, due) for start_ns in sorted({*source, *target})}
        self.report.compared += len(acts)
        for start_ns, act in acts.items():
            if act is Act.NOTHING and start_ns in self._known:
                self._count(self._known[start_ns])
        to_copy, to_sum = ([start_ns for start_ns, own in acts.items() if own is act] for act in (Act.COPY, Act.SUM))
        if self._work.dry:
            self._foresee(to_copy, to_sum)
            return
        self._ledger.forget([start_ns for start_ns in self._known if is_in(start_ns, span) and start_ns not in acts])
        self._ledger.note(self._pending(to_copy, to_sum, source, target))
        self._each(to_copy, source, lambda group: self._copy_group(group, source, target))
        self._each(to_sum, source, self._sum_group)

    def _act(self, start_ns: int, source: Tallies, target: Tallies, due: set[int]) -> Act:
        key, mirror, record = self._ground.key, self._ground.mirror, self._known.get(start_ns)
        again = self._work.again or (mirror.follow_deletes and record is not None and record.state is SliceState.EXTRA)
        return decide(record, key(source.get(start_ns)), key(target.get(start_ns)), record is None or start_ns in due, again)

    def _pending(self, to_copy: Sequence[int], to_sum: Sequence[int], source: Tallies, target: Tallies) -> Iterator[SliceRecord]:
        """Records of slices that have none yet, as they are before anything is done about them: a run that is broken off leaves them open."""
        key, now = self._ground.key, self._links.clock()
        for starts, state in ((to_copy, SliceState.DIFFERENT), (to_sum, SliceState.UNKNOWN)):
            for start_ns in starts:
                here, there, known = source.get(start_ns, SliceDigest()), target.get(start_ns, SliceDigest()), self._known.get(start_ns)
                if known is None:
                    yield SliceRecord(start_ns, state, here.count, key(here), key(there), None, 0, now, None)

    def _foresee(self, to_copy: Sequence[int], to_sum: Sequence[int]) -> None:
        """What a run would do: copy these, and of those whose values are to be compared, the ones that differ."""
        differing = [*to_copy, *(start_ns for start_ns in to_sum if self._differ_in_values(self._slice(start_ns)))]
        self.report.states[SliceState.DIFFERENT] += len(differing)
        self.report.differing += [format_time(start_ns) for start_ns in sorted(differing)][: _LISTED - len(self.report.differing)]
        if self._ground.mirror.follow_deletes:
            for start_ns in sorted(differing)[:_LISTED]:
                self.report.would_delete += [extra.told() for extra in self._deleter.only_there(self._slice(start_ns))][:_LISTED]

    def _each(self, starts: Sequence[int], source: Tallies, act: Callable[[TimeRange], list[SliceRecord]]) -> None:
        """`act` on the slices, as many at a time as hold enough points; each time, what was done is written down."""
        done, counts = 0, [source.get(start_ns, SliceDigest()).count for start_ns in starts]
        while done < len(starts):
            left, counted = islice(starts, done, None), islice(counts, done, None)
            group = next(batches(left, counted, self._ground.step_ns, self._most_points))
            self._progress(done, len(starts))
            self._links.budget.spend()
            copied, waits, began = self.report.copied, self._links.patience.waits, self._links.clock()
            records = act(group)
            self._pace(self._links.patience.waits > waits, self._links.clock() - began)
            self._links.context.save({"until": format_time(group.stop_ns - 1)})
            self._ledger.note(records, self.report.copied - copied)
            for record in records:
                self._count(record)
            done = bisect_left(starts, group.stop_ns, done)
        self._progress(len(starts), len(starts))

    def _progress(self, done: int, total: int) -> None:
        self._links.context.progress(self._before + done, self._before + total, "slices")

    def _count(self, record: SliceRecord) -> None:
        self.report.states[record.state] += 1
        self.report.rejected += record.rejected
        if record.state is SliceState.DIFFERENT and len(self.report.differing) < _LISTED:
            self.report.differing.append(format_time(record.start_ns))

    def _copy_group(self, group: TimeRange, source: Tallies, target: Tallies) -> list[SliceRecord]:
        """Copy what differs within some slices without a gap. Where the target has something already, that is found to the hour."""
        ground = self._ground
        for tries_left in reversed(range(_TRIES)):
            step_ns = ground.step_ns
            here, there = _within(source, group), _within(target, group)
            if there or tries_left < _TRIES - 1:
                step_ns = ground.sub_ns
                here, there = self._reader.tallies(group, step_ns)
            wrong = [start_ns for start_ns in sorted({*here, *there}) if ground.key(here.get(start_ns)) != ground.key(there.get(start_ns))]
            kept = set(here) - set(wrong)
            found = SourceSlices(step_ns, {start_ns: here[start_ns] for start_ns in kept}, is_last=tries_left == 0, known=self._known)
            for stretch in batches(wrong, [0] * len(wrong), step_ns, self._most_points):
                self._copy(stretch, found)
            records = self._settler.settle(group, found, whole=not there)
            if tries_left == 0 or not self._must_copy_again(records):
                break
        self.report.copied_slices += len(records)
        return records

    def _must_copy_again(self, records: Sequence[SliceRecord]) -> bool:
        """Whether points lack, also because others were removed just now."""
        removed = 0
        for record in records:
            if record.state is SliceState.EXTRA and self._ground.mirror.follow_deletes:
                removed += self._deleter.remove(self._slice(record.start_ns))
        if removed:
            self._links.tell("info", f"Removed {removed:,} points from {self._ground.pair.target!r} that {self._ground.pair.source!r} has no more.")
        self.report.deleted += removed
        return bool(removed) or any(record.state is SliceState.DIFFERENT for record in records)

    def _sum_group(self, group: TimeRange) -> list[SliceRecord]:
        """Compare every value of some slices, and copy those where one differs, unless both sides are as the last copy left them."""
        ground = self._ground
        self.report.summed += len(ground.starts(group))
        here, there = self._reader.digests(group, ground.step_ns)
        found = SourceSlices(ground.step_ns, dict(here), by_values=True)
        for start_ns in ground.starts(group):
            left, right, known = here.get(start_ns, SliceDigest()), there.get(start_ns, SliceDigest()), self._known.get(start_ns)
            if left == right:
                continue
            if known is not None and known.state is not SliceState.DIFFERENT and known.checksum == seal(left, right) and not self._work.again:
                found.rejected[start_ns] = known.rejected
                continue
            self._copy(self._slice(start_ns), found)
            self.report.copied_slices += 1
        return self._settler.settle(group, found, whole=True)

    def _differ_in_values(self, group: TimeRange) -> bool:
        here, there = self._reader.digests(group, self._ground.step_ns)
        return here != there

    def _copy(self, stretch: TimeRange, found: SourceSlices) -> None:
        def copy(piece: TimeRange) -> Copied:
            return self._copier.copy(self._ground.parts, piece, found.step_ns)

        pieces = self._halver.call(copy, stretch, self._ground.finest_ns)
        self.report.copied += sum(one.points for one in pieces)
        found.digests.update(summed(one.digests for one in pieces))
        for one in pieces:
            found.rejected.update(one.rejected)

    def _pace(self, had_to_wait: bool, took_s: float) -> None:
        if had_to_wait or took_s > _SLOW_S:
            self._most_points = max(_FEWEST_POINTS, self._most_points // 2)
        elif took_s < _QUICK_S:
            self._most_points = min(self._limit, self._most_points * 2)

    def _slice(self, start_ns: int) -> TimeRange:
        return slice_range(start_ns, self._ground.step_ns)


def _most_at_once(budget_bytes: int | None) -> int:
    """Points of one group: a quarter of what the budget lets over the links in five minutes."""
    return _MOST_POINTS if budget_bytes is None else max(_FEWEST_POINTS, min(_MOST_POINTS, budget_bytes // 4 // _POINT_BYTES))


def _within(tallies: Tallies, group: TimeRange) -> Tallies:
    return {start_ns: one for start_ns, one in tallies.items() if is_in(start_ns, group)}
