"""Reads both sides of a pair fully and compares digests: whether they are equal to the bit, and if not, where."""

from collections.abc import Callable
from functools import partial
from typing import Any

from service.domain.durations import parse_duration
from service.domain.mirror import aligned, batches, is_in, slice_range
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter
from service.frames.digest import Digester, SeriesDigest, SeriesName
from service.frames.slices import SliceDigest, differing
from service.jobs.mirror.ground import Ground, Links
from service.jobs.mirror.halving import Halver, summed
from service.jobs.mirror.patience import Caller
from service.jobs.mirror.sides import Side, Tallies, both

_HOUR_NS = parse_duration("1h", "hour")
_MOST_POINTS = 400_000
_LISTED = 200
_MOST_HOURS = 48
_LONGEST_DIFF_NS = parse_duration("31d", "range")


class Verifier:
    """For one pair. `tell` takes a level and a line for people."""

    def __init__(self, ground: Ground, patience: Caller, tell: Callable[[str, str], None] = lambda level, message: None) -> None:
        self._ground = ground
        self._halver = Halver(patience, tell)

    def verify(self, links: Links) -> dict[str, Any]:
        """Slices and points looked at, and the slices that differ."""
        ground, wrong, points, slices = self._ground, list[int](), 0, 0
        for span in ground.cut([aligned(ground.extent(), ground.step_ns)]):
            here, there = both(partial(self._tally, span=span), ground.source, ground.target)
            starts = sorted({*here, *there})
            counts = [max(here.get(one, SliceDigest()).count, there.get(one, SliceDigest()).count) for one in starts]
            for group in batches(starts, counts, ground.step_ns, _MOST_POINTS):
                links.context.progress(slices, len(starts), "slices")
                links.budget.spend()
                source, target = both(partial(self._digest, span=group, step_ns=ground.step_ns), ground.source, ground.target)
                wrong += list(differing(source, target))
                points += sum(one.count for one in source.values())
                slices += sum(1 for one in starts if is_in(one, group))
        links.context.progress(slices, slices, "slices")
        told = [format_time(slice_range(one, ground.step_ns).start_ns) for one in wrong[:_LISTED]]
        return {"equal": not wrong, "slices": slices, "points": points, "different": len(wrong), "differing": told}

    def diff(self, span: TimeRange) -> dict[str, Any]:
        """Which series differ in which hours of `span`. Raises InvalidParameter for a range that is too long."""
        if span.length_ns > _LONGEST_DIFF_NS:
            raise InvalidParameter("start", "The range is longer than 31d. Ask for a shorter one: GET /mirror/{name} says which slices differ.")
        ground, rows = self._ground, list[dict[str, Any]]()
        hours = list[int]()
        for own in ground.cut([aligned(span, ground.sub_ns)]):
            hours += differing(*both(partial(self._digest, span=own, step_ns=ground.sub_ns), ground.source, ground.target))
        for start_ns in hours[:_MOST_HOURS]:
            here, there = both(partial(self._series, span=slice_range(start_ns, ground.sub_ns)), ground.source, ground.target)
            for name in sorted({*here, *there}, key=repr):
                left, right = here.get(name, SeriesDigest()), there.get(name, SeriesDigest())
                if left != right and len(rows) < _LISTED:
                    rows.append(_row(start_ns, name, left, right))
        return {"equal": not hours, "hours": len(hours), "series": rows, "complete": len(hours) <= _MOST_HOURS and len(rows) < _LISTED}

    def _tally(self, side: Side, span: TimeRange) -> Tallies:
        ground = self._ground
        return summed(self._halver.call(lambda piece: side.tally(ground.parts, piece, ground.step_ns), span, ground.step_ns))

    def _digest(self, side: Side, span: TimeRange, step_ns: int) -> Tallies:
        return summed(self._halver.call(lambda piece: side.digest(self._ground.parts, piece, step_ns), span, self._ground.finest_ns))

    def _series(self, side: Side, span: TimeRange) -> dict[SeriesName, SeriesDigest]:
        digester = Digester()
        for block in side.blocks(self._ground.parts, span):
            for frame in block:
                digester.add(frame)
        return digester.series


def _row(start_ns: int, name: SeriesName, left: SeriesDigest, right: SeriesDigest) -> dict[str, Any]:
    return {
        "from": format_time(start_ns), "measurement": name.measurement, "tags": dict(name.tags), "field": name.field, "type": name.type,
        "source_points": left.count, "target_points": right.count,
    }  # fmt: skip
