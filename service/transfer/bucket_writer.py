"""Writes blocks of points into a bucket: small ones together, two requests ahead, and nothing lost in silence.

What the target refuses is counted by slice and becomes a dead letter. A write is tried again without the values whose
types conflict (`conflicts`), so that the other fields of their lines are stored.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from service.domain.conflicts import OnConflict
from service.domain.slicing import slice_start
from service.errors import FluxgateError
from service.frames.frame import Block
from service.frames.points import Points
from service.lineprotocol.writer import WrittenBlock, write_block
from service.stores.protocol import Refusal, Store
from service.transfer.conflicts import Conflict, without_conflicts
from service.transfer.dead_letters import DeadLetter, dead_letter_of_line, dead_letters_of_unwritable

_WRITES_AHEAD = 2
"""Writes under way while the next block is read and encoded."""
_WRITTEN_TOGETHER = 100_000
"""Small blocks are written together, up to about so many values."""


class BucketWriter:
    """Writes into `bucket` of `store`.

    `check` raises when the run has to end. `conflict_error` makes the error of a type conflict when the policy is to
    stop. `dead_letters` takes dead letters. `stamped_at_stop`: see BucketReader.
    """

    def __init__(
        self,
        store: Store,
        bucket: str,
        on_conflict: OnConflict,
        conflict_error: Callable[[str], FluxgateError],
        check: Callable[[], None],
        dead_letters: Callable[[Sequence[DeadLetter]], None],
        stamped_at_stop: bool = False,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._on_conflict = on_conflict
        self._conflict_error = conflict_error
        self._check = check
        self._dead_letters = dead_letters
        self._shift_ns = 1 if stamped_at_stop else 0

    def write(self, blocks: Iterator[Block], step_ns: int) -> Counter[int]:
        """Write all blocks. How many values the target did not take, by the start of their slice of `step_ns`.

        May be done again. Raises the conflict error when a field has another type on the target and the policy is to
        stop; StoreError, RetryLater, JobInterrupted; and what `blocks` raises.
        """
        batch = _Batch(step_ns)
        under_way: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_WRITES_AHEAD, "bucket-writer") as threads:
            try:
                for block in _joined(blocks):
                    self._check()
                    while len(under_way) >= _WRITES_AHEAD:
                        under_way.popleft().result()
                    under_way.append(threads.submit(self._write, block, batch))
                while under_way:
                    under_way.popleft().result()
            finally:
                for write in under_way:  # after an error; the pool waits for those that have begun
                    write.cancel()
        return batch.rejected

    def _write(self, block: Block, batch: "_Batch") -> None:
        while True:
            known = batch.known_conflicts()
            kept, left_out = without_conflicts(block, known, self._on_conflict, batch.step_ns) if known else (block, [])
            written = write_block(kept)
            self._check()
            refused = self._store.write(self._bucket, written.points).refused
            conflicts = _conflicts(written.points, refused, batch.step_ns)
            if not conflicts - known:
                self._reject(written, refused, left_out, batch)
                return
            if self._on_conflict is OnConflict.FAIL:
                raise self._conflict_error(next(refusal.reason for refusal in refused if refusal.clash is not None))
            batch.add_conflicts(conflicts)

    def _reject(
        self,
        written: WrittenBlock,
        refused: Sequence[Refusal],
        left_out: Sequence[DeadLetter],
        batch: "_Batch",
    ) -> None:
        """Count what was not taken, and write a dead letter for each."""
        letters, times_ns = [*left_out], [letter["time_ns"] for letter in left_out]
        for unwritable in written.unwritable:
            letters += dead_letters_of_unwritable(unwritable)
            times_ns += unwritable.times_ns.tolist()
        if refused:
            values = _values_of_lines(written.points)
            for refusal in refused:
                line = refusal.line - 1
                letters.append(dead_letter_of_line(written.points, refusal))
                times_ns += [int(written.points.times_ns[line])] * int(values[line])
        if letters:
            self._dead_letters([{"bucket": self._bucket, **letter} for letter in letters])
        batch.reject(time_ns - self._shift_ns for time_ns in times_ns)


class _Batch:
    """What the writes of one `BucketWriter.write` share: conflicts that were met, and how many values were rejected."""

    def __init__(self, step_ns: int) -> None:
        self.step_ns = step_ns
        self.rejected = Counter[int]()
        self._conflicts: set[Conflict] = set()
        self._lock = threading.Lock()

    def known_conflicts(self) -> frozenset[Conflict]:
        with self._lock:
            return frozenset(self._conflicts)

    def add_conflicts(self, conflicts: set[Conflict]) -> None:
        with self._lock:
            self._conflicts.update(conflicts)

    def reject(self, times_ns: Iterator[int]) -> None:
        """Count values by the slice of their time."""
        rejected = Counter(slice_start(time_ns, self.step_ns) for time_ns in times_ns)
        with self._lock:
            self.rejected.update(rejected)


def _conflicts(points: Points, refused: Sequence[Refusal], step_ns: int) -> set[Conflict]:
    """The fields that were refused for their type, each in its slice."""
    conflicts = set()
    for refusal in refused:
        if refusal.clash is not None:
            conflicts.add((refusal.clash, slice_start(int(points.times_ns[refusal.line - 1]), step_ns)))
    return conflicts


def _values_of_lines(points: Points) -> "np.typing.NDArray[np.int64]":
    """How many values each line has."""
    counts = np.zeros(len(points), np.int64)
    for column in points.columns:
        counts += np.bincount(column.lines, minlength=len(points))
    return counts


def _joined(blocks: Iterator[Block]) -> Iterator[Block]:
    """Small blocks joined: a bucket of many small measurements makes few writes."""
    frames: list[pa.RecordBatch] = []
    size = 0
    for block in blocks:
        rows = sum(frame.num_rows for frame in block)
        if frames and size + rows > _WRITTEN_TOGETHER:
            yield tuple(frames)
            frames, size = [], 0
        frames += block
        size += rows
    if frames:
        yield tuple(frames)
