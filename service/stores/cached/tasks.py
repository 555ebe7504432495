"""What a read finds at one moment: its plan, the order of its rows, and what is kept of it; or why nothing can be."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from service.cache.protocol import Cache
from service.domain.schema import Bucket, MeasurementSchema
from service.domain.selection import ReadPlan, Selection, plan_read
from service.domain.timerange import LATEST_NS, TimeRange
from service.domain.window_blocks import Bounds, block_count, is_far, keepable, requests
from service.stores.cached.changes import Changes, Stamp
from service.stores.cached.kept_windows import Found, KeptWindows, windows_key
from service.stores.cached.limits import CacheLimits
from service.stores.protocol import Store
from service.stores.row_order import RowOrder

_NEAR_WINDOWS = 8
"""Ranges that are this near are asked for in one query: a query costs more than some windows."""
_SLICE_BLOCKS = 256
_BACKWARDS_NS = 1_000_000_000
_MOST_CONTENTS = 1_000


@dataclass(frozen=True)
class _Contents:
    """A bucket and its schema, as the store told at `asked_ns`, in the state `stamp`."""

    asked_ns: int
    stamp: Stamp
    bucket: Bucket
    schema: list[MeasurementSchema]


@dataclass(frozen=True)
class Task:
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

    def requests(self) -> list[TimeRange]:
        """The ranges to ask the store for."""
        windows = self.selection.windows
        assert windows is not None
        nearest_ns = _NEAR_WINDOWS * windows.every_ns
        return requests(self.found.missing, self.windows.block_edges, nearest_ns, _SLICE_BLOCKS)


class Tasks:
    """Makes the tasks of reads of `store`. Keeps the schemas of buckets for a moment. Thread-safe."""

    def __init__(
        self, store: Store, cache: Cache, limits: CacheLimits, clock_ns: Callable[[], int], changes: Changes
    ) -> None:
        self._store = store
        self._cache = cache
        self._limits = limits
        self._clock_ns = clock_ns
        self._changes = changes
        self._lock = threading.Lock()
        self._contents: dict[str, _Contents] = {}
        self._latest_ns = 0

    def of(self, selection: Selection) -> Task | str:
        """What is kept for a read, or why nothing can be. Raises what the store raises."""
        reason = _uncuttable(selection, self._limits)
        if reason:
            return reason
        assert selection.windows is not None
        now_ns, settle_ns = self._now(), self._limits.settle_of(selection.bucket)
        contents = self._contents_of(selection.bucket, now_ns)
        if contents is None:
            return "cache-away"
        plan = plan_read(selection, contents.schema)
        order = self._store.window_order(selection, plan)
        if order is None:
            return "order"
        retention_ns = contents.bucket.retention_ns
        oldest_ns = now_ns - retention_ns if retention_ns else None
        bounds = Bounds(oldest_ns, now_ns - settle_ns)
        settled = keepable(selection.span, selection.windows, bounds)
        if settled is None:
            return "unsettled"
        key = windows_key(self._limits.store_identity, contents.bucket.id, selection, settle_ns)
        kept = KeptWindows(self._cache, self._limits, selection, key, plan, contents.stamp, settled, now_ns)
        found = kept.find()
        return Task(selection, plan, order, kept, found, now_ns) if found.rows <= self._limits.most_rows else "large"

    def forget_contents(self, bucket: str) -> None:
        """Ask the store for the bucket's schema at the next read."""
        with self._lock:
            self._contents.pop(bucket, None)

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

    def _now(self) -> int:
        """The time. When it went back, what was kept under the wrong one is dropped."""
        now_ns = min(self._clock_ns(), LATEST_NS)
        with self._lock:
            went_back = now_ns < self._latest_ns - _BACKWARDS_NS
            self._latest_ns = now_ns if went_back else max(self._latest_ns, now_ns)
        if went_back:
            self._changes.forget_all()
        return now_ns


def _uncuttable(selection: Selection, limits: CacheLimits) -> str:
    """Why no read of this selection has windows to keep; empty when it has."""
    if selection.windows is None:
        return "raw"
    if is_far(selection.span, selection.windows):
        return "far-times"
    return "many-windows" if block_count(selection.span, selection.windows) > limits.most_blocks else ""


def _is_same_state(earlier: Stamp, later: Stamp) -> bool:
    return earlier.identity == later.identity and earlier.changes.last == later.changes.last
