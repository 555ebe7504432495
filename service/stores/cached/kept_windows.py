"""What is kept of one selection: found for a range, and kept from the rows that the store gave.

Settled windows are kept in blocks. Of the rest of a range, the edges that its ends cut and the windows that are not
settled yet, a copy lasts for a moment, so that many who ask at one time ask the store once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from service.cache.protocol import Cache
from service.domain.durations import SECOND_NS
from service.domain.selected_windows import whole_windows
from service.domain.selection import ReadPlan, Selection, Windows
from service.domain.timerange import TimeRange, merge, subtract
from service.domain.window_blocks import blocks_of, crop, uncovered
from service.stores.cached.changes import Stamp
from service.stores.cached.entries import Entry, Segment, is_read_alike, joined, pack, record_of, unpack
from service.stores.cached.limits import CacheLimits
from service.stores.cached.rows import Frames, cut, has_line_end, split
from service.stores.cached.rows import joined as joined_rows

FORMAT = 1
_LONGEST_MOMENT_NS = SECOND_NS


@dataclass(frozen=True)
class Part:
    """A range under a name in the cache. `lasts_ns`: how long its rows are good for. `usable`: what of it is asked for.

    `is_settled`: it is a block of settled windows. `is_exact`: it is known as a whole or not at all.
    """

    name: str
    span: TimeRange
    usable: TimeRange
    lasts_ns: int
    is_settled: bool
    is_exact: bool


@dataclass(frozen=True)
class KeptPart:
    """A part, the segments of it that hold now, also outside of what is usable, and their rows."""

    part: Part
    segments: tuple[Segment, ...]
    frames: tuple[pa.RecordBatch, ...]

    @property
    def used(self) -> list[Segment]:
        return [segment for segment in self.segments if segment.span.intersect(self.part.usable) is not None]

    @property
    def known(self) -> list[TimeRange]:
        return crop((segment.span for segment in self.segments), self.part.usable)


@dataclass(frozen=True)
class Found:
    """What is kept of a range, and the ranges that are not, ascending."""

    parts: tuple[KeptPart, ...]
    missing: tuple[TimeRange, ...]

    @property
    def rows(self) -> int:
        return sum(frame.num_rows for part in self.parts for frame in part.frames)

    def first_asked_ns(self, otherwise: int) -> int:
        """When the store was asked for the oldest of it."""
        return min((segment.first_asked_ns for part in self.parts for segment in part.used), default=otherwise)

    def frames_in(self, ranges: Sequence[TimeRange], windows: Windows) -> Frames:
        """The kept rows whose windows lie in `ranges`."""
        frames = []
        for part in self.parts:
            wanted = [piece for span in part.known for piece in crop(ranges, span)]
            frames += [cut(frame, wanted, windows.stamp) for frame in part.frames] if wanted else []
        return [frame for frame in frames if frame.num_rows]


class KeptWindows:
    """The kept windows of one selection at one moment. `key`: of these windows (`windows_key`). `stamp`: the state of
    the bucket, taken before the store was asked. `settled`: the part of the range whose windows are kept.
    """

    def __init__(
        self,
        cache: Cache,
        limits: CacheLimits,
        selection: Selection,
        key: str,
        plan: ReadPlan,
        stamp: Stamp,
        settled: TimeRange,
        now_ns: int,
    ) -> None:
        assert selection.windows is not None
        self._cache = cache
        self._limits = limits
        self._selection = selection
        self._windows = selection.windows
        self.stamp = stamp
        self._now_ns = now_ns
        self._plan = record_of(plan)
        self._tags = {measurement.name: measurement.tags for measurement in plan.measurements}
        self.key = key
        self.name = hashlib.blake2b(self.key.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        self._settled = settled
        self._blocks = self._settled_parts()
        self._moments = self._momentary_parts()
        self._parts = [*self._blocks, *self._moments]

    @property
    def block_edges(self) -> list[TimeRange]:
        return [part.span for part in self._blocks]

    def find(self) -> Found:
        """What is kept now."""
        values = self._cache.get_many([part.name for part in self._parts])
        kept = [self._good(part, value) for part, value in zip(self._parts, values, strict=True)]
        parts = tuple(part for part in kept if part is not None)
        return Found(parts, tuple(subtract(self._selection.span, [span for part in parts for span in part.known])))

    def keep(self, rows: Frames, asked: Sequence[TimeRange], plan: ReadPlan, kept: Found) -> int:
        """Keep the rows of `asked`, which were read by `plan`, with what is `kept` already. Gives the bytes."""
        if record_of(plan) != self._plan or has_line_end(rows):
            return 0
        frames = joined_rows(rows, self._tags)
        size = self._put(self._filled(self._blocks, frames, asked, kept), self._limits.kept_s)
        for part in self._moments:
            size += self._put(self._filled([part], frames, asked, kept), self._moment_ns / SECOND_NS)
        return size

    def _put(self, values: dict[str, bytes], ttl_s: float) -> int:
        if values:
            self._cache.put_many(values, ttl_s)
        return sum(map(len, values.values()))

    def _filled(self, parts: list[Part], frames: Frames, asked: Sequence[TimeRange], kept: Found) -> dict[str, bytes]:
        """The new value of each of `parts`, which ascend without gaps, that the rows of `asked` add something to."""
        spans = [part.span for part in parts]
        pieces = [split(frame, spans, self._windows.stamp) for frame in frames]
        old = {part.part.name: part for part in kept.parts}
        values = {}
        for place, part in enumerate(parts):
            added = crop(merge(asked), part.usable)
            if added and (not part.is_exact or added == [part.span]):
                new = [piece[place] for piece in pieces if place in piece]
                values[part.name] = pack(self._extended(old.get(part.name), added, new))
        return values

    def _extended(self, before: KeptPart | None, added: Sequence[TimeRange], new: Frames) -> Entry:
        """The entry with the segments that it had, and the rows of those that are added."""
        remaining = [] if before is None else uncovered((segment.span for segment in before.segments), added)
        old = () if before is None or not remaining else before.frames
        stamp = self._windows.stamp
        rows = [*(cut(frame, remaining, stamp) for frame in old), *(cut(frame, added, stamp) for frame in new)]
        segments = joined([*self._cropped(before, remaining), *map(self._segment, added)])
        return Entry(self.key, self.stamp.identity, segments, self._plan, tuple(joined_rows(rows, self._tags)))

    def _segment(self, span: TimeRange) -> Segment:
        return Segment(span, self._now_ns, self._now_ns, self.stamp.changes.last)

    def _cropped(self, before: KeptPart | None, remaining: Sequence[TimeRange]) -> list[Segment]:
        """What stays of older segments. No change has touched it up to now, so it counts from now on."""
        segments = () if before is None else before.segments
        return [
            Segment(span, segment.first_asked_ns, segment.last_asked_ns, self.stamp.changes.last)
            for segment in segments
            for span in crop(remaining, segment.span)
        ]

    def _good(self, part: Part, value: bytes | None) -> KeptPart | None:
        """What of a value holds now."""
        entry = None if value is None else unpack(value)
        if entry is None or entry.key != self.key or entry.identity != self.stamp.identity:
            return None
        if not is_read_alike(entry.plan, self._plan):
            return None
        segments = [good for segment in entry.segments for good in self._unchanged(part, segment)]
        return KeptPart(part, tuple(segments), entry.frames) if segments else None

    def _unchanged(self, part: Part, segment: Segment) -> list[Segment]:
        """The parts of a segment that no later change touched, in whole windows; none when it is too old or too new."""
        if segment.last_asked_ns > self._now_ns or self._now_ns - segment.first_asked_ns > part.lasts_ns:
            return []
        changed = self.stamp.changes.since(segment.change, segment.span)
        if not changed:
            return [segment]
        whole = [] if part.is_exact else [whole_windows(one, self._windows) for one in subtract(segment.span, changed)]
        return [replace(segment, span=span) for span in whole if span is not None]

    def _settled_parts(self) -> list[Part]:
        lasts_ns = int(self._limits.kept_s * SECOND_NS)
        return [
            Part(f"block:{self.name}:{block.start_ns}", block, usable, lasts_ns, is_settled=True, is_exact=False)
            for block in blocks_of(self._settled, self._windows)
            if (usable := block.intersect(self._settled)) is not None
        ]

    def _momentary_parts(self) -> list[Part]:
        """The edges of the range that it cuts, and whole windows that are not settled."""
        span, settled, parts = self._selection.span, self._settled, []
        if span.start_ns < settled.start_ns:
            parts.append(self._moment(TimeRange(span.start_ns, settled.start_ns), is_exact=True))
        if settled.stop_ns < span.stop_ns:
            rest = TimeRange(settled.stop_ns, span.stop_ns)
            whole = whole_windows(rest, self._windows)
            if whole is not None:
                parts.append(self._moment(whole, is_exact=False))
            cut_ns = rest.start_ns if whole is None else whole.stop_ns
            if cut_ns < span.stop_ns:
                parts.append(self._moment(TimeRange(cut_ns, span.stop_ns), is_exact=True))
        return parts

    def _moment(self, span: TimeRange, is_exact: bool) -> Part:
        end = f"-{span.stop_ns}" if is_exact else ""
        name = f"moment:{self.name}:{span.start_ns}{end}"
        return Part(name, span, span, self._moment_ns, is_settled=False, is_exact=is_exact)

    @property
    def _moment_ns(self) -> int:
        every_ns = self._windows.every_ns
        return min(_LONGEST_MOMENT_NS, every_ns // 10) if every_ns else _LONGEST_MOMENT_NS


def windows_key(store_identity: str, bucket_id: str, selection: Selection, settle_ns: int) -> str:
    """Everything that decides the rows of a window, but the plan and the state of the bucket."""
    windows = selection.windows
    names = selection.measurements, selection.fields, selection.tags
    return repr((FORMAT, store_identity, selection.bucket, bucket_id, windows, *names, settle_ns))
