"""The cached store: windowed reads are put together of kept windows and of what is asked for; all else passes through.

An answer is byte for byte the one that the store itself gives at that moment, for all that went through this gateway.
What reaches the database another way shows once it is younger than the settle time, was flushed, or its windows are
old enough to be asked for again.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa
import structlog

from service.cache.protocol import Cache
from service.domain.schema import Bucket, MeasurementSchema
from service.domain.selection import ReadPlan, Selection, plan_read
from service.domain.timerange import LATEST_NS, TimeRange, subtract
from service.domain.window_blocks import Bounds, block_count, is_far, keepable, requests, window_count
from service.errors import StoreBroken
from service.frames.frame import Block, Origin, Reading
from service.stores.cached.changes import Changes, Stamp
from service.stores.cached.composition import composed
from service.stores.cached.kept_windows import Found, KeptWindows
from service.stores.cached.limits import UNOBSERVED, CacheLimits, CacheObserver
from service.stores.cached.pieces import Readings, TooManyRows
from service.stores.cached.rows import Frames, OtherColumns, Unordered, has_line_end
from service.stores.cached.sharing import Claim, Sharing
from service.stores.observed import ObservedStore
from service.stores.protocol import Store
from service.stores.row_order import RowOrder

_NEAR_WINDOWS = 8
"""Ranges that are this near are asked for in one query: a query costs more than some windows."""
_SLICE_BLOCKS = 256
_TRIES = 3
_BACKWARDS_NS = 1_000_000_000
_BROKEN = (pa.ArrowException, ValueError, LookupError)
"""What rows that cannot be used raise; errors of the store are others."""
_MOST_CONTENTS = 1_000
_MOST_KEEPS = 4
"""The most answers whose rows wait in memory to be kept."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Contents:
    """A bucket and its schema, as the store told at `asked_ns`, in the state `stamp`."""

    asked_ns: int
    stamp: Stamp
    bucket: Bucket
    schema: list[MeasurementSchema]


@dataclass(frozen=True)
class _Task:
    """A read at one moment: its plan, and what is kept of it."""

    selection: Selection
    plan: ReadPlan
    order: RowOrder
    windows: KeptWindows
    found: Found
    now_ns: int

    def is_more_kept(self) -> bool:
        """Whether another process has kept some of what was missing."""
        return self.windows.find().missing != self.found.missing


class CachedStore(ObservedStore):
    """A `Store` around `store` that keeps windows in `cache`. `clock_ns`: nanoseconds since 1970.

    `changes` is told of whatever changes `store`, in every process. `on_composed` is called after each answer that has
    kept windows.
    """

    def __init__(
        self,
        store: Store,
        cache: Cache,
        limits: CacheLimits,
        clock_ns: Callable[[], int],
        changes: Changes,
        observer: CacheObserver = UNOBSERVED,
        on_composed: Callable[[Selection, Found, Stamp], None] = lambda _selection, _found, _stamp: None,
    ) -> None:
        super().__init__(store, ())
        self._limits = limits
        self._cache = cache
        self._clock_ns = clock_ns
        self._observer = observer
        self._changes = changes
        self._sharing = Sharing(cache, lambda: observer.waits(1))
        self._threads = ThreadPoolExecutor(limits.parallel, thread_name_prefix="cached-store")
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="cached-store-keep")
        self._keeps = threading.Semaphore(_MOST_KEEPS)
        self._lock = threading.Lock()
        self._contents: dict[str, _Contents] = {}
        self._latest_ns = 0
        self._on_composed = on_composed

    def flush(self, bucket: str, span: TimeRange) -> None:
        """Drop what is kept of a bucket in `span`, in every process."""
        self._changes.note(bucket, (span,))

    def close(self) -> None:
        """End what runs in its own threads; `store` stays open."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def read(self, selection: Selection) -> Reading:
        reason = _uncuttable(selection, self._limits)
        if reason:
            return self._bypass(selection, reason)
        until = time.monotonic() + self._limits.wait_s
        for _ in range(_TRIES):
            task, claim = self._claimed(selection, until)
            if isinstance(task, str):
                return self._bypass(selection, task)
            try:
                asked = _requests(task)
                is_whole = asked == [selection.span]
                reading = self._whole(task, claim) if is_whole else self._parts(task, asked, claim)
            except BaseException:
                _release(claim)
                raise
            if reading is not None:
                return reading
            _release(claim)
            self._forget_contents(selection.bucket)
        return self._bypass(selection, "schema-changing")

    def _claimed(self, selection: Selection, until: float) -> tuple[_Task | str, Claim | None]:
        """The read as it is now, with a claim on what it lacks; or why it cannot be put together."""
        while True:
            ended = self._sharing.ended
            task = self._task(selection)
            if isinstance(task, str) or not task.found.missing:
                return task, None
            claim = self._sharing.claim(task.windows.name, task.found.missing, until, ended)
            if claim is None:
                continue
            try:
                if self._sharing.lock(claim, until, task.is_more_kept):
                    now = self._task(selection) if claim.is_late else task
                    if isinstance(now, _Task):
                        return now, claim
            except BaseException:
                claim.release()
                raise
            claim.release()

    def _task(self, selection: Selection) -> _Task | str:
        """What is kept for a read, or why nothing can be. Raises what the store raises."""
        assert selection.windows is not None
        now_ns = self._now()
        contents = self._contents_of(selection.bucket, now_ns)
        if contents is None:
            return "cache-away"
        plan = plan_read(selection, contents.schema)
        order = self._store.window_order(selection, plan)
        if order is None:
            return "order"
        retention_ns = contents.bucket.retention_ns
        oldest_ns = now_ns - retention_ns if retention_ns else None
        bounds = Bounds(oldest_ns, now_ns - self._limits.settle_of(selection.bucket))
        settled = keepable(selection.span, selection.windows, bounds)
        if settled is None:
            return "unsettled"
        kept = KeptWindows(
            self._cache, self._limits, selection, contents.bucket.id, plan, contents.stamp, settled, now_ns
        )
        found = kept.find()
        return _Task(selection, plan, order, kept, found, now_ns) if found.rows <= self._limits.most_rows else "large"

    def _contents_of(self, bucket: str, now_ns: int) -> _Contents | None:
        """The bucket and its schema, at most `contents_s` old and in the present state. None: the cache is away."""
        stamp = self._changes.stamp(bucket)
        if stamp is None:
            return None
        with self._lock:
            kept = self._contents.get(bucket)
        age_limit_ns = int(self._limits.contents_s * 1e9)
        if kept is not None and 0 <= now_ns - kept.asked_ns < age_limit_ns and _is_same_state(kept.stamp, stamp):
            return kept
        contents = _Contents(now_ns, stamp, self._store.bucket(bucket), self._store.schema(bucket))
        with self._lock:
            if len(self._contents) >= _MOST_CONTENTS:
                self._contents.clear()
            self._contents[bucket] = contents
        return contents

    def _forget_contents(self, bucket: str) -> None:
        with self._lock:
            self._contents.pop(bucket, None)

    def _now(self) -> int:
        """The time. When it went back, what was kept under the wrong one is dropped."""
        now_ns = min(self._clock_ns(), LATEST_NS)
        with self._lock:
            went_back = now_ns < self._latest_ns - _BACKWARDS_NS
            self._latest_ns = now_ns if went_back else max(self._latest_ns, now_ns)
        if went_back:
            self._changes.forget_all()
        return now_ns

    def _bypass(self, selection: Selection, reason: str) -> Reading:
        reading = self._store.read(selection)
        self._observer.read(f"bypass; reason={reason}")
        return replace(reading, origin=Origin("bypass", self._clock_ns(), reason=reason))

    def _whole(self, task: _Task, claim: Claim | None) -> Reading:
        """The store's own answer, a copy of which is kept."""
        reading = self._store.read(task.selection)
        self._count(task, "miss", [task.selection.span])

        def cancel() -> None:
            reading.cancel()
            _release(claim)

        blocks = self._copied(reading, task, claim)
        return Reading(reading.plan, blocks, cancel, Origin("miss", task.now_ns, (task.selection.span,)))

    def _copied(self, reading: Reading, task: _Task, claim: Claim | None) -> Iterator[Block]:
        frames: Frames | None = []
        rows = 0
        try:
            for block in reading.blocks:
                rows += sum(frame.num_rows for frame in block)
                frames = None if frames is None or rows > self._limits.most_rows else [*frames, *block]
                yield block
            if frames is not None:
                self._keep_later(task, frames, reading.plan, claim)
        finally:
            _release(claim)

    def _parts(self, task: _Task, asked: Sequence[TimeRange], claim: Claim | None) -> Reading | None:
        """An answer of kept windows and of those that are asked for now. None: the schema changed meanwhile."""
        readings = Readings(self._store, self._threads)
        begun = readings.begin(task.selection, asked)
        if any(reading.plan != task.plan for reading in begun):
            readings.cancel()
            return None
        outcome = "partial" if asked else "hit"
        origin = Origin(outcome, task.found.first_asked_ns(task.now_ns), tuple(asked))
        self._count(task, outcome, asked)

        def cancel() -> None:
            readings.cancel()
            _release(claim)

        return Reading(task.plan, self._composed(task, readings, begun, claim, origin), cancel, origin)

    def _composed(
        self, task: _Task, readings: Readings, begun: Sequence[Reading], claim: Claim | None, origin: Origin
    ) -> Iterator[Block]:
        try:
            try:
                blocks = self._put_together(task, readings, begun, origin.fetched)
            except (TooManyRows, OtherColumns, Unordered) as cause:
                _bypassed(origin, cause.reason, task.now_ns)
                yield from self._plain(task, readings)
                return
            except _BROKEN as cause:
                _bypassed(origin, "broken-entry", task.now_ns)
                self._drop_broken(task, cause)
                yield from self._plain(task, readings)
                return
            finally:
                _release(claim)
            yield from blocks
            self._on_composed(task.selection, task.found, task.windows.stamp)
        finally:
            readings.cancel()

    def _put_together(
        self, task: _Task, readings: Readings, begun: Sequence[Reading], asked: Sequence[TimeRange]
    ) -> list[Block]:
        windows = task.selection.windows
        assert windows is not None
        fresh = readings.frames(begun, self._limits.most_rows - task.found.rows)
        if asked:
            self._keep(task, fresh, asked, task.plan)
        frames = [*task.found.frames_in(subtract(task.selection.span, asked), windows), *fresh]
        if has_line_end(frames):
            raise Unordered
        return list(composed(frames, task.selection, task.plan, task.order))

    def _plain(self, task: _Task, readings: Readings) -> Iterator[Block]:
        """The store's own answer. Raises StoreBroken: its plan is no more that of the answer that has begun."""
        (reading,) = readings.begin(task.selection, [task.selection.span])
        if reading.plan != task.plan:
            raise StoreBroken(f"The fields of {task.selection.bucket!r} changed during the read. Ask again.")
        yield from reading.blocks

    def _count(self, task: _Task, outcome: str, asked: Sequence[TimeRange]) -> None:
        windows = task.selection.windows
        assert windows is not None
        self._observer.read(outcome)
        self._observer.windows_served(window_count([task.selection.span], windows))
        self._observer.windows_asked(window_count(asked, windows))

    def _keep_later(self, task: _Task, frames: Frames, plan: ReadPlan, claim: Claim | None) -> None:
        """Keep the rows of a whole read in another thread, which ends the claim: the client has them already.

        When too many wait for that, it is done at once.
        """
        if not self._keeps.acquire(blocking=False):
            self._keep(task, frames, [task.selection.span], plan)
            return

        def keep() -> None:
            try:
                self._keep(task, frames, [task.selection.span], plan)
            finally:
                self._keeps.release()
                if claim is not None:
                    claim.release()

        if claim is not None:
            claim.is_kept_later = True
        try:
            self._keeper.submit(keep)
        except RuntimeError:  # the store was closed meanwhile
            keep()

    def _keep(self, task: _Task, frames: Frames, asked: Sequence[TimeRange], plan: ReadPlan) -> None:
        try:
            self._observer.bytes_kept(task.windows.keep(frames, asked, plan, task.found))
        except OtherColumns:  # the schema changed during the read; the next one keeps its rows
            self._forget_contents(task.selection.bucket)
        except _BROKEN as cause:
            self._drop_broken(task, cause)

    def _drop_broken(self, task: _Task, cause: Exception) -> None:
        """Drop what cannot be used, whatever it is: a cache changes speed, and no answer."""
        bucket = task.selection.bucket
        _log.warning(
            "kept windows are broken and were dropped", bucket=bucket, reason=f"{type(cause).__name__}: {cause}"
        )
        self._changes.forget(bucket)


def _bypassed(origin: Origin, reason: str, now_ns: int) -> None:
    origin.outcome, origin.reason, origin.asked_ns, origin.fetched = "bypass", reason, now_ns, ()


def _uncuttable(selection: Selection, limits: CacheLimits) -> str:
    """Why no read of this selection has windows to keep; empty when it has."""
    if selection.windows is None:
        return "raw"
    if is_far(selection.span, selection.windows):
        return "far-times"
    return "many-windows" if block_count(selection.span, selection.windows) > limits.most_blocks else ""


def _is_same_state(earlier: Stamp, later: Stamp) -> bool:
    return earlier.identity == later.identity and earlier.changes.last == later.changes.last


def _requests(task: _Task) -> list[TimeRange]:
    windows = task.selection.windows
    assert windows is not None
    return requests(task.found.missing, task.windows.block_edges, _NEAR_WINDOWS * windows.every_ns, _SLICE_BLOCKS)


def _release(claim: Claim | None) -> None:
    if claim is not None and not claim.is_kept_later:
        claim.release()
