"""A pair of buckets in one run: both readers, the slices, and what both buckets hold.

The number of points in a slice is cheap to ask for, whatever the number of series. The number in each series is asked
for only where the first leaves something open.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from service.domain.durations import SECOND_NS
from service.domain.mirror import BucketPair, Mirror
from service.domain.mirror_slices import SliceRecord
from service.domain.slicing import slice_range, slice_start
from service.domain.timerange import TimeRange
from service.frames.slice_digest import SliceDigest
from service.transfer.bucket_reader import BucketReader, SeriesDigests, SliceDigests, ask_both


@dataclass(frozen=True)
class PairContext:
    """Slices are `step_ns` long. Differences inside a slice are searched in pieces of `short_ns`.

    Nothing before `kept_since_ns` is mirrored, nor any measurement of `left_out`, which says why.
    `counts_again`: some of these only a read of their points finds, so the next run has to look at everything too.

    Methods that ask both buckets return the answer of the source, then that of the target, and raise what
    `BucketReader` does.
    """

    mirror: Mirror
    pair: BucketPair
    source: BucketReader
    target: BucketReader
    step_ns: int
    short_ns: int
    kept_since_ns: int
    now_ns: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    counts_again: bool = False

    @property
    def identity(self) -> str:
        """A text that changes when older records of slices are no longer valid."""
        mirror, windows = self.mirror, self.mirror.windows
        aggregation = None if windows is None else (windows.every_ns, str(windows.fn))
        scope = (mirror.measurements, mirror.since_ns, mirror.history)
        identity = (mirror.source.identity, mirror.target.identity, aggregation, scope)
        return hashlib.sha256(repr(identity).encode()).hexdigest()

    @property
    def is_remote(self) -> bool:
        """Whether one of the buckets is on another machine."""
        return self.mirror.source.is_remote or self.mirror.target.is_remote

    def comparison_key(self, digest: SliceDigest | None) -> str:
        """The text to compare where no points are read: the counts; of windows, which are few, the values too."""
        digest = digest or SliceDigest()
        return digest.counts if self.mirror.windows is None else f"{digest.counts}:{digest.checksum}"

    def slice(self, start_ns: int) -> TimeRange:
        """The range of the slice that begins at `start_ns`."""
        return slice_range(start_ns, self.step_ns)

    def slice_starts(self, span: TimeRange) -> range:
        """The starts of all slices of `span`."""
        return range(slice_start(span.start_ns, self.step_ns), span.stop_ns, self.step_ns)

    def mirrored(self, spans: Iterable[TimeRange]) -> list[TimeRange]:
        """The parts of `spans` that are mirrored."""
        ranges = self.source.ranges
        begin_ns, end_ns = (
            min((part.start_ns for part in ranges), default=0),
            max((part.stop_ns for part in ranges), default=0),
        )
        cut = ((max(span.start_ns, begin_ns), min(span.stop_ns, end_ns)) for span in spans)
        return [TimeRange(start_ns, stop_ns) for start_ns, stop_ns in cut if start_ns < stop_ns]

    def extent(self) -> TimeRange:
        """From the first to the last point of both buckets. Raises StoreError."""
        extents = [extent for extent in ask_both(BucketReader.extent, self.source, self.target) if extent is not None]
        if not extents:
            return TimeRange(self.now_ns, self.now_ns + 1)
        return TimeRange(min(extent.start_ns for extent in extents), max(extent.stop_ns for extent in extents))

    def slice_counts(self, span: TimeRange, step_ns: int) -> tuple[SliceDigests, SliceDigests]:
        """Counts by series of the slices of `span`."""
        return ask_both(lambda reader: reader.slice_counts(span, step_ns), self.source, self.target)

    def slice_digests(self, span: TimeRange, step_ns: int) -> tuple[SliceDigests, SliceDigests]:
        """Digests of every value of the slices of `span`."""
        return ask_both(lambda reader: reader.slice_digests(span, step_ns), self.source, self.target)

    def series_digests(self, span: TimeRange) -> tuple[SeriesDigests, SeriesDigests]:
        """What each series holds in `span`."""
        return ask_both(lambda reader: reader.series_digests(span), self.source, self.target)

    def changed_counts(self, span: TimeRange, known: Mapping[int, SliceRecord]) -> tuple[SliceDigests, SliceDigests]:
        """Counts of the slices of `span`. Series are counted only where the number of all points leaves something open.

        Where both buckets have as many points as the `known` record, each series is assumed to be unchanged. Where the
        buckets have different numbers, series do not matter.
        """
        points = ask_both(lambda reader: reader.slice_points(span, self.step_ns), self.source, self.target)
        of_source, of_target = points
        if of_source is None or of_target is None:
            return self.slice_counts(span, self.step_ns)
        counts: tuple[SliceDigests, SliceDigests] = ({}, {})
        starts, open_slices = sorted({*of_source, *of_target}), set[int]()
        for start_ns in starts:
            pair = (of_source.get(start_ns, 0), of_target.get(start_ns, 0))
            known_counts = _known_counts(known.get(start_ns))
            if pair == tuple(digest.count for digest in known_counts):
                _put(counts, start_ns, known_counts)
            elif pair[0] != pair[1]:
                _put(counts, start_ns, map(SliceDigest, pair))
            else:
                open_slices.add(start_ns)
        for is_open, together in groupby(starts, open_slices.__contains__):
            if is_open:  # nothing lies between them
                pieces = [self.slice(start_ns) for start_ns in together]
                answers = self.slice_counts(TimeRange(pieces[0].start_ns, pieces[-1].stop_ns), self.step_ns)
                for digests, answer in zip(counts, answers, strict=True):
                    digests.update(answer)
        return counts


def finest_ns(mirror: Mirror, step_ns: int) -> int:
    """The smallest piece into which a slice may be split. Windows stay whole."""
    return SECOND_NS if mirror.windows is None else step_ns


def _put(counts: tuple[SliceDigests, SliceDigests], start_ns: int, digests: Iterable[SliceDigest]) -> None:
    """Put the digests of a slice. A slice without points stays absent."""
    for of_bucket, digest in zip(counts, digests, strict=True):
        if digest.count:
            of_bucket[start_ns] = digest


def _known_counts(record: SliceRecord | None) -> tuple[SliceDigest, ...]:
    """The counts of source and target at their last comparison; nothing where there was none."""
    texts = () if record is None else (record.source_counts, record.target_counts)
    return tuple(SliceDigest.of_counts(text) for text in texts)
