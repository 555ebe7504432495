"""The cached store: windowed reads are put together of kept windows and of what is asked for; all else passes through.

An answer is byte for byte the one that the store itself gives at that moment, for all that went through this gateway.
What reaches the database another way shows once it is younger than the settle time, was flushed, or its windows are
old enough to be asked for again.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import structlog

from service.cache.protocol import Cache
from service.domain.selection import ReadPlan, Selection
from service.domain.timerange import TimeRange, subtract
from service.domain.window_blocks import window_count
from service.errors import StoreBroken
from service.frames.frame import Block, Origin, Reading
from service.stores.cached.changes import Changes, Stamp
from service.stores.cached.composition import composed
from service.stores.cached.kept_windows import Found
from service.stores.cached.limits import UNOBSERVED, CacheLimits, CacheObserver
from service.stores.cached.pieces import Readings, TooManyRows
from service.stores.cached.rows import Frames, OtherColumns, Unordered, has_line_end
from service.stores.cached.sharing import Claim, Sharing
from service.stores.cached.tasks import Task, Tasks
from service.stores.observed import ObservedStore
from service.stores.protocol import Store

_TRIES = 3
_BROKEN = (pa.ArrowException, ValueError, LookupError)
"""What rows that cannot be used raise; errors of the store are others."""
_MOST_KEEPS = 4
"""The most answers whose rows wait in memory to be kept."""
_log = structlog.get_logger(__name__)


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
        self._clock_ns = clock_ns
        self._observer = observer
        self._changes = changes
        self._tasks = Tasks(store, cache, limits, clock_ns, changes)
        self._sharing = Sharing(cache, lambda: observer.waits(1))
        self._threads = ThreadPoolExecutor(limits.parallel, thread_name_prefix="cached-store")
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="cached-store-keep")
        self._keeps = threading.Semaphore(_MOST_KEEPS)
        self._on_composed = on_composed

    @property
    def limits(self) -> CacheLimits:
        return self._limits

    def flush(self, bucket: str, span: TimeRange) -> None:
        """Drop what is kept of a bucket in `span`, in every process."""
        self._changes.note(bucket, (span,))

    def close(self) -> None:
        """End what runs in its own threads; `store` stays open."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def read(self, selection: Selection) -> Reading:
        until = time.monotonic() + self._limits.wait_s
        for _ in range(_TRIES):
            task, claim = self._claimed(selection, until)
            if isinstance(task, str):
                return self._bypass(selection, task)
            try:
                asked = task.requests()
                is_whole = asked == [selection.span]
                reading = self._whole(task, claim) if is_whole else self._parts(task, asked, claim)
            except BaseException:
                _release(claim)
                raise
            if reading is not None:
                return reading
            _release(claim)
            self._tasks.forget_contents(selection.bucket)
        return self._bypass(selection, "schema-changing")

    def _claimed(self, selection: Selection, until: float) -> tuple[Task | str, Claim | None]:
        """The read as it is now, with a claim on what it lacks; or why it cannot be put together."""
        while True:
            ended = self._sharing.ended
            task = self._tasks.of(selection)
            if isinstance(task, str) or not task.found.missing:
                return task, None
            claim = self._sharing.claim(task.windows.name, task.found.missing, until, ended)
            if claim is None:
                continue
            try:
                if self._sharing.lock(claim, until, task.is_more_kept):
                    now = self._tasks.of(selection) if claim.is_late else task
                    if isinstance(now, Task):
                        return now, claim
            except BaseException:
                claim.release()
                raise
            claim.release()

    def _bypass(self, selection: Selection, reason: str) -> Reading:
        reading = self._store.read(selection)
        self._observer.read(f"bypass; reason={reason}")
        return replace(reading, origin=Origin("bypass", self._clock_ns(), reason=reason))

    def _whole(self, task: Task, claim: Claim | None) -> Reading:
        """The store's own answer, a copy of which is kept."""
        reading = self._store.read(task.selection)
        self._count(task, "miss", [task.selection.span])

        def cancel() -> None:
            reading.cancel()
            _release(claim)

        blocks = self._copied(reading, task, claim)
        return Reading(reading.plan, blocks, cancel, Origin("miss", task.now_ns, (task.selection.span,)))

    def _copied(self, reading: Reading, task: Task, claim: Claim | None) -> Iterator[Block]:
        frames: Frames | None = []
        rows = 0
        try:
            for block in reading.blocks:
                rows += sum(frame.num_rows for frame in block)
                if frames is not None and rows <= self._limits.most_rows:
                    frames += block
                else:
                    frames = None
                yield block
            if frames is not None:
                self._keep_later(task, frames, reading.plan, claim)
        finally:
            _release(claim)

    def _parts(self, task: Task, asked: Sequence[TimeRange], claim: Claim | None) -> Reading | None:
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
        self, task: Task, readings: Readings, begun: Sequence[Reading], claim: Claim | None, origin: Origin
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
        self, task: Task, readings: Readings, begun: Sequence[Reading], asked: Sequence[TimeRange]
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

    def _plain(self, task: Task, readings: Readings) -> Iterator[Block]:
        """The store's own answer. Raises StoreBroken: its plan is no more that of the answer that has begun."""
        (reading,) = readings.begin(task.selection, [task.selection.span])
        if reading.plan != task.plan:
            raise StoreBroken(f"The fields of {task.selection.bucket!r} changed during the read. Ask again.")
        yield from reading.blocks

    def _count(self, task: Task, outcome: str, asked: Sequence[TimeRange]) -> None:
        windows = task.selection.windows
        assert windows is not None
        self._observer.read(outcome)
        self._observer.windows_served(window_count([task.selection.span], windows))
        self._observer.windows_asked(window_count(asked, windows))

    def _keep_later(self, task: Task, frames: Frames, plan: ReadPlan, claim: Claim | None) -> None:
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

    def _keep(self, task: Task, frames: Frames, asked: Sequence[TimeRange], plan: ReadPlan) -> None:
        try:
            self._observer.bytes_kept(task.windows.keep(frames, asked, plan, task.found))
        except OtherColumns:  # the schema changed during the read; the next one keeps its rows
            self._tasks.forget_contents(task.selection.bucket)
        except _BROKEN as cause:
            self._drop_broken(task, cause)

    def _drop_broken(self, task: Task, cause: Exception) -> None:
        """Drop what cannot be used, whatever it is: a cache changes speed, and no answer."""
        bucket = task.selection.bucket
        _log.warning(
            "kept windows are broken and were dropped", bucket=bucket, reason=f"{type(cause).__name__}: {cause}"
        )
        self._changes.forget(bucket)


def _bypassed(origin: Origin, reason: str, now_ns: int) -> None:
    origin.outcome, origin.reason, origin.asked_ns, origin.fetched = "bypass", reason, now_ns, ()


def _release(claim: Claim | None) -> None:
    if claim is not None and not claim.is_kept_later:
        claim.release()
