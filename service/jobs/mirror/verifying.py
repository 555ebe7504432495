"""Reads both sides of a pair fully and compares digests: whether they are equal to the bit, and if not, where."""

from collections.abc import Callable
from typing import Any

from service.domain.durations import parse_duration
from service.domain.mirror_slices import aligned, batches, is_in, slice_range
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter
from service.frames.digest import SeriesDigest, SeriesName
from service.frames.slices import SliceDigest, differing
from service.jobs.mirror.pair_context import Ground, Links
from service.jobs.mirror.pair_reader import SliceReader
from service.transfer.retry import Caller
from service.transfer.splitting import Halver

_MOST_POINTS = 400_000
_LISTED = 200
_MOST_HOURS = 48
_LONGEST_DIFF_NS = parse_duration("31d", "range")


class Verifier:
    """For one pair. `tell` takes a level and a line for people."""

    def __init__(self, ground: Ground, patience: Caller, tell: Callable[[str, str], None] = lambda level, message: None) -> None:
        self._ground = ground
        self._reader = SliceReader(ground, Halver(patience, tell))

    def verify(self, links: Links, before: int = 0) -> dict[str, Any]:
        """Slices and points looked at, and the slices that differ. `before`: slices of the pairs before this one, for the progress."""
        ground, wrong, points, slices = self._ground, list[int](), 0, 0
        for span in ground.cut([aligned(ground.extent(), ground.step_ns)]):
            here, there = self._reader.tallies(span, ground.step_ns)
            starts = sorted({*here, *there})
            counts = [max(here.get(one, SliceDigest()).count, there.get(one, SliceDigest()).count) for one in starts]
            for group in batches(starts, counts, ground.step_ns, _MOST_POINTS):
                links.context.progress(before + slices, before + len(starts), "slices")
                links.budget.spend()
                source, target = self._reader.digests(group, ground.step_ns)
                wrong += list(differing(source, target))
                points += sum(one.count for one in source.values())
                slices += sum(1 for one in starts if is_in(one, group))
        links.context.progress(before + slices, before + slices, "slices")
        told = [format_time(slice_range(one, ground.step_ns).start_ns) for one in wrong[:_LISTED]]
        return {"equal": not wrong, "slices": slices, "points": points, "different": len(wrong), "differing": told}

    def diff(self, span: TimeRange) -> dict[str, Any]:
        """Which series differ in which hours of `span`. Raises InvalidParameter for a range that is too long."""
        if span.length_ns > _LONGEST_DIFF_NS:
            raise InvalidParameter("start", "The range is longer than 31d. Ask for a shorter one: GET /mirror/{name} says which slices differ.")
        ground, rows = self._ground, list[dict[str, Any]]()
        hours = list[int]()
        for own in ground.cut([aligned(span, ground.sub_ns)]):
            hours += differing(*self._reader.digests(own, ground.sub_ns))
        for start_ns in hours[:_MOST_HOURS]:
            here, there = self._reader.series(slice_range(start_ns, ground.sub_ns))
            for name in sorted({*here, *there}, key=repr):
                left, right = here.get(name, SeriesDigest()), there.get(name, SeriesDigest())
                if left != right and len(rows) < _LISTED:
                    rows.append(_row(start_ns, name, left, right))
        return {"equal": not hours, "hours": len(hours), "series": rows, "complete": len(hours) <= _MOST_HOURS and len(rows) < _LISTED}


def _row(start_ns: int, name: SeriesName, left: SeriesDigest, right: SeriesDigest) -> dict[str, Any]:
    return {
        "from": format_time(start_ns), "measurement": name.measurement, "tags": dict(name.tags), "field": name.field, "type": name.type,
        "source_points": left.count, "target_points": right.count,
    }  # fmt: skip
