"""Holds the target against what was read from the source, after a copy: only what can be read back is called equal.

A target behind InfluxDB Cloud's queue shows points some time after it acknowledged them, and may lose some
on the way, so it is asked again until a deadline.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.mirror_slices import SliceRecord, SliceState, slice_range
from service.domain.timerange import TimeRange
from service.frames.slices import SliceDigest
from service.jobs.mirror.pair_context import Ground, Links
from service.jobs.mirror.pair_reader import SliceReader
from service.transfer.bucket_reader import Tallies, counts_of

_READ_BACK_S, _READ_BACK_REMOTE_S = 15.0, 120.0
"""How long a target may take to show what it acknowledged. InfluxDB Cloud acknowledges what it queued
(its documentation: write-data/troubleshoot)."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


@dataclass
class SourceSlices:
    """What the source has in slices of `step_ns`: digests, and how many values the target refused. `by_values`: to be compared by every value.

    `is_last`: what lacks will not be copied again in this run. `known`: what the ledger had. Where only the hours that differed were copied,
    its `summed_at` still counts.
    """

    step_ns: int
    digests: Tallies
    rejected: Counter[int] = field(default_factory=Counter)
    by_values: bool = False
    is_last: bool = True
    known: Mapping[int, SliceRecord] = field(default_factory=dict)


class Settler:
    """For one run over a pair."""

    def __init__(self, ground: Ground, links: Links, reader: SliceReader) -> None:
        self._ground = ground
        self._links = links
        self._reader = reader

    def settle(self, group: TimeRange, found: SourceSlices, whole: bool) -> list[SliceRecord]:
        """The records of the slices of `group`. `whole`: `found` has the values of all their points, not only counts."""
        until = self._links.clock() + (_READ_BACK_REMOTE_S if self._ground.target.endpoint.is_remote else _READ_BACK_S)
        pause_s = _FIRST_PAUSE_S
        while True:
            there = self._read_back(group, found, until)
            records = [self._record(start_ns, found, there, whole) for start_ns in self._ground.starts(group)]
            if self._links.clock() >= until or all(one.state is not SliceState.DIFFERENT for one in records) or self._went_on(group, found):
                return records
            self._links.context.sleep(pause_s)  # each such look reads points, so the pauses grow without a limit
            pause_s *= 2

    def _read_back(self, group: TimeRange, found: SourceSlices, until: float) -> Tallies:
        """What the target has, as soon as nothing is seen to lack, or when the time is over."""
        pause_s = _FIRST_PAUSE_S
        while True:
            there = self._target_has(group, found)
            if self._links.clock() >= until or not any(self._lacks(start_ns, found, there) for start_ns in found.digests):
                return there
            self._links.context.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _lacks(self, start_ns: int, found: SourceSlices, there: Tallies) -> bool:
        """Whether the sums alone tell that something is not there yet. Where the target has more, or refused some, they tell only how many."""
        here, back, refused = found.digests[start_ns], there.get(start_ns, SliceDigest()), found.rejected[start_ns]
        if refused or back.count != here.count:
            return back.count < here.count - refused
        return not self._same(here, back, found.by_values)

    def _target_has(self, group: TimeRange, found: SourceSlices) -> Tallies:
        ask = self._reader.digest if found.by_values else self._reader.tally
        return ask(self._ground.target, group, found.step_ns)

    def _went_on(self, group: TimeRange, found: SourceSlices) -> bool:
        """Whether the source has got other points since it was copied: what of them lacks on the target comes by no waiting."""
        now = self._reader.tally(self._ground.source, group, found.step_ns)
        return {start_ns: one.count for start_ns, one in now.items()} != {start_ns: one.count for start_ns, one in found.digests.items()}

    def _record(self, start_ns: int, found: SourceSlices, there: Tallies, whole: bool) -> SliceRecord:
        subs = range(start_ns, start_ns + self._ground.step_ns, found.step_ns)
        here, back = _total(found.digests, subs), _total(there, subs)
        refused = sum(found.rejected[sub] for sub in subs)
        state = self._state(here, back, refused, found, slice_range(start_ns, self._ground.step_ns))
        now, key, known = self._links.clock(), self._ground.key, found.known.get(start_ns)
        summed_at = now if whole else None if known is None else known.summed_at
        checksum = seal(here, back if found.by_values else here) if whole else None
        return SliceRecord(
            start_ns, state, here.count, key(here), key(back), checksum, refused, now, None if state is SliceState.DIFFERENT else summed_at
        )

    def _state(self, here: SliceDigest, there: SliceDigest, refused: int, found: SourceSlices, span: TimeRange) -> SliceState:
        if self._same(here, there, found.by_values) and not refused:
            return SliceState.EQUAL
        missing, extra, came = self._by_series(span, here.count)
        if found.is_last:  # what came since it was read is for the next run, and nothing that is missing
            missing = max(0, missing - came)
        if missing > refused:
            return SliceState.DIFFERENT
        if refused:  # also where as many others stand in their places
            return SliceState.PARTIAL
        return SliceState.EXTRA if extra else SliceState.DIFFERENT

    def _same(self, here: SliceDigest, there: SliceDigest, by_values: bool) -> bool:
        return here == there if by_values else self._ground.key(here) == self._ground.key(there)

    def _by_series(self, span: TimeRange, copied: int) -> tuple[int, int, int]:
        """How many points of a slice only the source has, series by series, how many only the target, and how many came to the source
        since it was read with `copied` points."""
        here, there = map(counts_of, self._reader.series(span))
        names = {*here, *there}
        missing, extra = (sum(max(left[one] - right[one], 0) for one in names) for left, right in ((here, there), (there, here)))
        return missing, extra, max(0, here.total() - copied)


def seal(here: SliceDigest, there: SliceDigest) -> str:
    """The same text as long as the values of both sides stay the same."""
    return hashlib.blake2b(repr((here, there)).encode(), digest_size=16).hexdigest()


def _total(tallies: Mapping[int, SliceDigest], starts: range) -> SliceDigest:
    total = SliceDigest()
    for start_ns in starts:
        total += tallies.get(start_ns, SliceDigest())
    return total
