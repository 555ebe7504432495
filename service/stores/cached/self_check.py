"""Asks the store again for some of the kept windows that answers were made of, and compares.

A difference that no noted change explains means that the data changed around the gateway, or a bug. Either way the
bucket's kept windows are dropped, so a wrong answer does not last.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pyarrow as pa
import structlog

from service.domain.selection import Selection
from service.domain.timerange import TimeRange, format_time
from service.errors import FluxgateError
from service.frames.frame import Block
from service.stores.cached.changes import Changes, Stamp
from service.stores.cached.composition import composed
from service.stores.cached.kept_windows import Found
from service.stores.cached.limits import CacheObserver
from service.stores.cached.rows import OtherColumns
from service.stores.protocol import Store

_PAUSE_S = 2.0
"""A write that the store has done already is noted within this time, nearly always."""
_log = structlog.get_logger(__name__)


class SelfCheck:
    """Checks a share of the answers, one at a time, each in a thread of its own. `pick` decides which.

    `wait` is called with seconds before a difference is believed.
    """

    def __init__(
        self,
        store: Store,
        changes: Changes,
        share: float,
        observer: CacheObserver,
        pick: random.Random,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._changes = changes
        self._share = share
        self._observer = observer
        self._pick = pick
        self._wait = wait
        self._free = threading.Semaphore()
        self._thread: threading.Thread | None = None

    def consider(self, selection: Selection, found: Found, stamp: Stamp) -> None:
        """Check this answer, perhaps. Does nothing while another check runs."""
        if self._pick.random() < self._share and self._free.acquire(blocking=False):
            self._thread = threading.Thread(target=self._run, args=(selection, found, stamp), daemon=True)
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the check that runs."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, selection: Selection, found: Found, stamp: Stamp) -> None:
        try:
            self._check(selection, found, stamp)
        except (FluxgateError, OtherColumns) as failure:
            _log.info("a check of kept windows was given up", bucket=selection.bucket, reason=str(failure))
        finally:
            self._free.release()

    def _check(self, selection: Selection, found: Found, stamp: Stamp) -> None:
        spans = [span for part in found.parts if part.part.is_settled for span in part.known]
        if not spans or selection.windows is None:
            return
        span = self._pick.choice(spans)
        part = replace(selection, span=span, complete_rows=False)
        kept, stored = self._rows(part, found.frames_in([span], selection.windows))
        self._observer.checked(1)
        if kept == stored:
            return
        self._wait(_PAUSE_S)
        later = self._changes.stamp(selection.bucket)
        if later is None or later.identity != stamp.identity or later.changes.since(stamp.changes.last, span):
            return  # a change explains it
        self._changes.forget(selection.bucket)
        self._observer.stale_found(1)
        _log.error("kept windows differ from the store", **_finding(selection.bucket, span, kept, stored))

    def _rows(self, part: Selection, kept: Sequence[pa.RecordBatch]) -> tuple[list[str], list[str]]:
        """The rows that are kept and those of the store, as texts in one order; none where the order is not known."""
        reading = self._store.read(part)
        try:
            order = self._store.window_order(part, reading.plan)
            if order is None:
                return [], []
            stored = [frame for block in reading.blocks for frame in block]
            return (
                _texts(composed(kept, part, reading.plan, order)),
                _texts(composed(stored, part, reading.plan, order)),
            )
        finally:
            reading.cancel()


def _texts(blocks: Iterable[Block]) -> list[str]:
    return [repr(row) for block in blocks for frame in block for row in frame.to_pylist()]


def _finding(bucket: str, span: TimeRange, kept: Sequence[str], stored: Sequence[str]) -> dict[str, str]:
    """What the log says: the range, and the first row that differs on either side."""
    only_kept, only_stored = (
        next((row for row in rows if row not in others), "")
        for rows, others in ((kept, frozenset(stored)), (stored, frozenset(kept)))
    )
    ends = {"start": format_time(span.start_ns), "stop": format_time(span.stop_ns)}
    return {"bucket": bucket, **ends, "kept": only_kept[:500], "stored": only_stored[:500]}
