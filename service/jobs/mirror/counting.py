"""What both sides hold of a span, told no more finely than it takes to decide what to do about each slice.

How many points a slice has in all is a small question, whatever the number of series. How many each series has is asked
only where that leaves something open.
"""

from collections.abc import Iterable, Mapping

from service.domain.mirror_slices import SliceRecord, batches
from service.domain.timerange import TimeRange
from service.frames.slices import SliceDigest
from service.jobs.mirror.reading import SliceReader
from service.jobs.mirror.sides import Tallies


def counted(reader: SliceReader, span: TimeRange, step_ns: int, known: Mapping[int, SliceRecord]) -> tuple[Tallies, Tallies]:
    """Counts of the slices of `span` on both sides. Where both have as many points as was `known`, the same series are taken to have them;
    where the sides differ in all, series do not matter. Raises what `SliceReader` does."""
    totals = reader.totals(span, step_ns)
    if totals is None:
        return reader.tallies(span, step_ns)
    sides: tuple[Tallies, Tallies] = ({}, {})
    open_ones = []
    for start_ns in sorted({*totals[0], *totals[1]}):
        counts = tuple(side.get(start_ns, 0) for side in totals)
        before = _known(known.get(start_ns))
        if counts == tuple(one.count for one in before):
            _put(sides, start_ns, before)
        elif counts[0] != counts[1]:
            _put(sides, start_ns, map(SliceDigest, counts))
        else:
            open_ones.append(start_ns)
    for stretch in batches(open_ones, [0] * len(open_ones), step_ns, 0):
        for side, found in zip(sides, reader.tallies(stretch, step_ns), strict=True):
            side.update(found)
    return sides


def _put(sides: tuple[Tallies, Tallies], start_ns: int, digests: Iterable[SliceDigest]) -> None:
    """As tallies have it: a slice without points is absent."""
    for side, digest in zip(sides, digests, strict=True):
        if digest.count:
            side[start_ns] = digest


def _known(record: SliceRecord | None) -> tuple[SliceDigest, ...]:
    """Of the source and of the target, as they were when they were compared last; nothing, when they never were."""
    return () if record is None else (SliceDigest.of_counts(record.source_counts), SliceDigest.of_counts(record.target_counts))
