"""What both sides hold of a span, told no more finely than it takes to decide what to do about each slice.

How many points a slice has in all is a small question, whatever the number of series. How many each series has is asked
only where that leaves something open.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby

from service.domain.mirror_slices import SliceRecord, slice_range
from service.domain.timerange import TimeRange
from service.frames.slices import SliceDigest
from service.jobs.mirror.pair_reader import SliceReader
from service.transfer.bucket_reader import Tallies


def counted(reader: SliceReader, span: TimeRange, step_ns: int, known: Mapping[int, SliceRecord]) -> tuple[Tallies, Tallies]:
    """Counts of the slices of `span` on both sides. Where both have as many points as was `known`, the same series are taken to have them;
    where the sides differ in all, series do not matter. Raises what `SliceReader` does."""
    totals = reader.totals(span, step_ns)
    if totals is None:
        return reader.tallies(span, step_ns)
    sides: tuple[Tallies, Tallies] = ({}, {})
    starts, open_ones = sorted({*totals[0], *totals[1]}), set[int]()
    for start_ns in starts:
        counts = tuple(side.get(start_ns, 0) for side in totals)
        before = _known(known.get(start_ns))
        if counts == tuple(one.count for one in before):
            _put(sides, start_ns, before)
        elif counts[0] != counts[1]:
            _put(sides, start_ns, map(SliceDigest, counts))
        else:
            open_ones.add(start_ns)
    for is_open, together in groupby(starts, open_ones.__contains__):
        if is_open:  # nothing lies between them
            pieces = [slice_range(start_ns, step_ns) for start_ns in together]
            stretch = TimeRange(pieces[0].start_ns, pieces[-1].stop_ns)
            for side, tallies in zip(sides, reader.tallies(stretch, step_ns), strict=True):
                side.update(tallies)
    return sides


def _put(sides: tuple[Tallies, Tallies], start_ns: int, digests: Iterable[SliceDigest]) -> None:
    """As tallies have it: a slice without points is absent."""
    for side, digest in zip(sides, digests, strict=True):
        if digest.count:
            side[start_ns] = digest


def _known(record: SliceRecord | None) -> tuple[SliceDigest, ...]:
    """Of the source and of the target, as they were when they were compared last; nothing, when they never were."""
    return () if record is None else (SliceDigest.of_counts(record.source_counts), SliceDigest.of_counts(record.target_counts))
