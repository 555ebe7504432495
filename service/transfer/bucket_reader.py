"""Reads a bucket slice by slice: how many points each slice holds, digests of every value, or the points themselves.

A read that is too much at once comes in pieces, and a broken one is tried again (`splitting`, `retry`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import pyarrow as pa

from service.domain.selection import Fn, Selection, Windows
from service.domain.series import FieldSeries
from service.domain.slicing import MeasurementRange
from service.domain.timerange import LATEST_NS, TimeRange
from service.errors import LineEndLost, StoreTimeout
from service.frames.frame import Block
from service.frames.series_digest import SeriesDigest, SeriesDigester
from service.frames.slice_digest import SliceDigest, SliceDigester, summed
from service.stores.protocol import Store
from service.transfer.splitting import Splitter

K = TypeVar("K")
V = TypeVar("V")
S = TypeVar("S")
T = TypeVar("T")
SliceDigests = dict[int, SliceDigest]
"""Digests by the start of their slice. A slice without points is absent."""
SlicePoints = Mapping[int, int]
"""How many points each slice holds, of all series together, by its start."""
SeriesDigests = Mapping[FieldSeries, SeriesDigest]
Frames = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class BucketReader:
    """A bucket of a store, and what of it is read. No piece is cut inside a multiple of `unit_ns`.

    `windows`: what its points are aggregated to before they leave the store. `stamped_at_stop`: its times are the stops
    of windows, so that a time on an edge belongs to the slice before.

    Every method but `blocks` and `extent` raises what `Splitter.call` does.
    """

    store: Store
    bucket: str
    ranges: Sequence[MeasurementRange]
    splitter: Splitter
    unit_ns: int
    windows: Windows | None = None
    stamped_at_stop: bool = False

    def extent(self) -> TimeRange | None:
        """From the first point to the last; None for an empty bucket."""
        first_and_last = (self.store.first_point(self.bucket), self.store.last_point(self.bucket))
        edges = [time_ns for time_ns in first_and_last if time_ns is not None]
        return TimeRange(min(edges), max(edges) + 1) if edges else None

    def slice_counts(self, span: TimeRange, step_ns: int) -> SliceDigests:
        """What slices of `step_ns` hold, as cheaply as it can be known: counts by series. Of windows, their values."""
        return summed(self.splitter.call(lambda piece: self._counted(piece, step_ns), span, step_ns))

    def slice_points(self, span: TimeRange, step_ns: int) -> SlicePoints | None:
        """How many points slices hold, of all series together.

        None: the store cannot tell, or not in time. Then `slice_counts` is due, whose answer comes in pieces.
        """
        pieces = self.splitter.call(lambda piece: self._points(piece, step_ns), span, step_ns)
        return None if None in pieces else summed(piece for piece in pieces if piece is not None)

    def slice_digests(self, span: TimeRange, step_ns: int) -> SliceDigests:
        """What slices of `step_ns` hold, by every value."""
        return summed(self.splitter.call(lambda piece: self._digested(piece, step_ns), span, self.unit_ns))

    def series_digests(self, span: TimeRange) -> SeriesDigests:
        """What each series holds in `span`, by every value."""
        return self.collect(_series_digests, span)

    def collect(self, make: Callable[[Frames], Mapping[K, V]], span: TimeRange) -> dict[K, V]:
        """What `make` finds in the frames of `span`, added up over its pieces."""
        return summed(self.splitter.call(lambda piece: make(self._frames(piece)), span, self.unit_ns))

    def blocks(self, span: TimeRange) -> Iterator[Block]:
        """The points, or windows, of whole slices, in one read per measurement range. A block holds complete rows.

        Raises StoreError, RetryLater.
        """
        for names, piece in self._within(span):
            shifted = piece
            if self.stamped_at_stop and self.windows is None:
                shifted = TimeRange(piece.start_ns + 1, min(piece.stop_ns, LATEST_NS) + 1)
            yield from self._read(Selection(self.bucket, shifted, self.windows, measurements=names, complete_rows=True))

    def _frames(self, span: TimeRange) -> Frames:
        return chain.from_iterable(self.blocks(span))

    def _digested(self, span: TimeRange, step_ns: int) -> SliceDigests:
        digester = SliceDigester(step_ns, self.stamped_at_stop)
        for frame in self._frames(span):
            digester.add(frame)
        return digester.slices

    def _counted(self, span: TimeRange, step_ns: int) -> SliceDigests:
        if self.stamped_at_stop:
            return self._digested(span, step_ns)
        try:
            return self._counted_windows(span, step_ns)
        except LineEndLost:  # raw points carry the tag that windows do not
            return self._counted_points(span, step_ns)

    def _counted_points(self, span: TimeRange, step_ns: int) -> SliceDigests:
        digests = self._digested(span, step_ns)
        return {start_ns: replace(digest, values=(0, 0)) for start_ns, digest in digests.items()}

    def _counted_windows(self, span: TimeRange, step_ns: int) -> SliceDigests:
        digester = SliceDigester(step_ns, stamped_at_stop=True)
        last_ns = min(span.stop_ns, LATEST_NS)  # no window holds the very last instant
        if span.start_ns < last_ns:
            for names, piece in self._within(TimeRange(span.start_ns, last_ns)):
                counts = Selection(self.bucket, piece, Windows(step_ns, Fn.COUNT), measurements=names)
                for frame in chain.from_iterable(self._read(counts)):
                    digester.add_counts(frame)
        if span.stop_ns <= LATEST_NS:
            return digester.slices
        return summed((digester.slices, self._counted_points(TimeRange(LATEST_NS, LATEST_NS + 1), step_ns)))

    def _points(self, span: TimeRange, step_ns: int) -> SlicePoints | None:
        if self.stamped_at_stop:
            return None
        points = Counter[int]()
        for names, piece in self._within(span):
            try:
                counted = self.store.count_points(self.bucket, names, piece, step_ns)
            except StoreTimeout:
                return None
            if counted is None:
                return None
            points.update(counted)
        return points

    def _read(self, selection: Selection) -> Iterator[Block]:
        reading = self.store.read(selection)
        try:
            yield from reading.blocks
        finally:
            reading.cancel()

    def _within(self, span: TimeRange) -> Iterator[tuple[tuple[str, ...], TimeRange]]:
        """Measurements, and what of `span` is read of them."""
        for part in self.ranges:
            start_ns, stop_ns = max(span.start_ns, part.start_ns), min(span.stop_ns, part.stop_ns)
            if start_ns < stop_ns:
                yield part.measurements, TimeRange(start_ns, stop_ns)


def ask_both(question: Callable[[S], T], source: S, target: S) -> tuple[T, T]:
    """What source and target answer, asked at the same time."""
    with ThreadPoolExecutor(1, "ask-target") as thread:
        of_target = thread.submit(question, target)
        of_source = question(source)
        return of_source, of_target.result()


def _series_digests(frames: Frames) -> SeriesDigests:
    digester = SeriesDigester()
    for frame in frames:
        digester.add(frame)
    return digester.series
