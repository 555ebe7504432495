"""Copies a stretch of slices: block by block out of the source and into the target, with a digest of what was read.

The digest is of the source's points, so that holding the target against it afterwards shows what is missing.
What the target refuses is counted, and kept in the dead-letter file. A write is tried again without the values whose types
conflict (`conflicts`), so that the rest of their lines goes.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from service.domain.mirror import OnConflict
from service.domain.mirror_slices import Part, slice_start
from service.domain.timerange import TimeRange
from service.errors import MirrorConflict
from service.frames.folded import Folded, folded
from service.frames.frame import Block
from service.frames.points import Points
from service.frames.slices import SliceDigester
from service.stores.protocol import Refusal, WriteOutcome
from service.transfer.bucket_reader import Side, Tallies, told_by
from service.transfer.conflicts import ClashAt, fitting
from service.transfer.dead_letters import Letter, letter_of_line, letters_of_unwritten

_IN_FLIGHT = 2
"""Writes under way while the next block is read and encoded."""
_FOLDED_TOGETHER = 100_000
"""Small blocks are written together, up to about so many values."""


@dataclass
class Copied:
    """What was read from the source, by short slices, and how many of its values the target did not take."""

    digests: Tallies
    rejected: Counter[int] = field(default_factory=Counter)
    points: int = 0


class Copier:
    """Copies stretches from `source` to `target`. `before_write` raises when the run has to end; `letters` takes dead letters."""

    def __init__(
        self,
        source: Side,
        target: Side,
        on_conflict: OnConflict,
        before_write: Callable[[], None],
        letters: Callable[[Sequence[Letter]], None],
    ) -> None:
        self._source = source
        self._target = target
        self._on_conflict = on_conflict
        self._before_write = before_write
        self._letters = letters
        self._counting = threading.Lock()

    def copy(self, parts: Sequence[Part], span: TimeRange, step_ns: int) -> Copied:
        """Copy the points of `span`, whole slices of `step_ns`. May be done again.

        Raises:
            MirrorConflict: a field has another type on the target, and the policy is to stop. StoreError, RetryLater, JobInterrupted.
        """
        digester = SliceDigester(step_ns, self._source.stamped_at_stop)
        copied = Copied(digester.slices)
        clashes: set[ClashAt] = set()
        under_way: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_IN_FLIGHT, "mirror-write") as writers:
            try:
                for block in _together(self._source.blocks(parts, span)):
                    self._before_write()
                    for frame in block:
                        digester.add(frame)
                        copied.points += frame.num_rows
                    while len(under_way) >= _IN_FLIGHT:
                        under_way.popleft().result()
                    under_way.append(writers.submit(self._write, block, copied, clashes, step_ns))
                while under_way:
                    under_way.popleft().result()
            finally:
                for one in under_way:  # after an error: what is on its way ends before the stretch is tried again
                    one.cancel()
                    with suppress(Exception):
                        one.result()
        return copied

    def _write(self, block: Block, copied: Copied, clashes: set[ClashAt], step_ns: int) -> None:
        while True:
            with self._counting:
                known = frozenset(clashes)
            taken, left_out = fitting(block, known, self._on_conflict, step_ns)
            written = folded(taken)
            outcome = self._send(written.points)
            times = written.points.times_ns
            fresh = {(one.clash, slice_start(int(times[one.line - 1]), step_ns)) for one in outcome.refused if one.clash is not None} - known
            if not fresh:
                self._reject(written, outcome.refused, left_out, copied, step_ns)
                return
            if self._on_conflict is OnConflict.FAIL:
                raise MirrorConflict(next(one.reason for one in outcome.refused if one.clash is not None), self._target.bucket)
            with self._counting:
                clashes.update(fresh)

    def _send(self, points: Points) -> WriteOutcome:
        self._before_write()
        with told_by(self._target.role, self._target.endpoint):
            return self._target.store.write(self._target.bucket, points)

    def _reject(self, written: Folded, refused: Sequence[Refusal], left_out: Sequence[Letter], copied: Copied, step_ns: int) -> None:
        letters, rejected = [*left_out], Counter[int]()
        shift = 1 if self._source.stamped_at_stop else 0
        for one in written.unwritten:
            letters += letters_of_unwritten(one)
            rejected.update(slice_start(int(time_ns) - shift, step_ns) for time_ns in one.times_ns)
        if refused:
            values = _values_of_lines(written.points)
            for refusal in refused:
                line = refusal.line - 1
                letters.append(letter_of_line(written.points, refusal))
                rejected[slice_start(int(written.points.times_ns[line]) - shift, step_ns)] += int(values[line])
        rejected.update(slice_start(letter["time_ns"] - shift, step_ns) for letter in left_out)
        if letters:
            self._letters([{"bucket": self._target.bucket, **letter} for letter in letters])
        with self._counting:
            copied.rejected.update(rejected)


def _values_of_lines(points: Points) -> "np.typing.NDArray[np.int64]":
    """How many values each line has."""
    counts = np.zeros(len(points), np.int64)
    for column in points.columns:
        counts += np.bincount(column.lines, minlength=len(points))
    return counts


def _together(blocks: Iterator[Block]) -> Iterator[Block]:
    """Small blocks joined: a bucket of many small measurements makes few writes."""
    gathered: list[pa.RecordBatch] = []
    size = 0
    for block in blocks:
        rows = sum(frame.num_rows for frame in block)
        if gathered and size + rows > _FOLDED_TOGETHER:
            yield tuple(gathered)
            gathered, size = [], 0
        gathered += block
        size += rows
    if gathered:
        yield tuple(gathered)
