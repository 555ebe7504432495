"""Reads both buckets of each pair fully, and compares digests: are they equal to the bit, and if not, where?"""

from typing import Any

from service.domain.durations import parse_duration
from service.domain.job import Json
from service.domain.mirror import Mirror
from service.domain.series import FieldSeries
from service.domain.slicing import batches, is_in, slice_range, whole_slices
from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter
from service.frames.frame import VALUE_TYPES
from service.frames.series_digest import SeriesDigest
from service.frames.slice_digest import differing
from service.jobs.mirror.bucket_pairs import Pairs
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_setup import PairSetup
from service.jobs.mirror.report import slices_text
from service.jobs.mirror.run_services import RunServices
from service.transfer.bucket_reader import SliceDigests

_MOST_POINTS = 400_000
_LISTED = 200
_MOST_HOURS = 48
_LONGEST_DIFF_NS = parse_duration("31d", "range")


class MirrorVerify:
    """A run that compares every value, and changes nothing."""

    def __init__(self, mirror: Mirror, setup: PairSetup, services: RunServices) -> None:
        self._mirror = mirror
        self._setup = setup
        self._services = services
        self._slices = 0

    def run(self, pairs: Pairs) -> Json:
        """The result of the job. Raises StoreError, InvalidParameter, JobInterrupted."""
        results: list[Json] = []
        for pair in pairs.present:
            context = self._services.retry.call(lambda pair=pair: self._setup.context(pair))  # type: ignore[misc]
            result = self._verify(context)
            results.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": False, **result})
            level = "info" if result["equal"] else "error"
            compared = f"{result['points']:,} points in {slices_text(result['slices'])}"
            self._services.log(level, f"{pair}: {compared}, of which {result['different']} differ.")
        for pair in pairs.lacking:
            self._services.log("error", f"{pair}: the target has no bucket {pair.target!r}.")
            nothing = {"equal": False, "slices": 0, "points": 0, "different": 0, "differing": []}
            results.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": True, **nothing})
        return {"mirror": self._mirror.name, "equal": all(result["equal"] for result in results), "pairs": results}

    def _verify(self, context: PairContext) -> dict[str, Any]:
        """How many slices and points were compared, and the slices that differ."""
        wrong, points, slices = list[int](), 0, 0
        for span in context.mirrored([whole_slices(context.extent(), context.step_ns)]):
            source, target = context.slice_counts(span, context.step_ns)
            starts = sorted({*source, *target})
            counts = [max(_count(source, start_ns), _count(target, start_ns)) for start_ns in starts]
            for group in batches(starts, counts, context.step_ns, _MOST_POINTS):
                self._progress(slices, len(starts))
                self._services.budget.spend()
                source_digests, target_digests = context.slice_digests(group, context.step_ns)
                wrong += differing(source_digests, target_digests)
                points += sum(digest.count for digest in source_digests.values())
                slices += sum(1 for start_ns in starts if is_in(start_ns, group))
        self._progress(slices, slices)
        self._slices += slices
        listed = [format_time(context.slice(start_ns).start_ns) for start_ns in wrong[:_LISTED]]
        return {"equal": not wrong, "slices": slices, "points": points, "different": len(wrong), "differing": listed}

    def _progress(self, done: int, total: int) -> None:
        self._services.job.progress(self._slices + done, self._slices + total, "slices")


def diff(context: PairContext, span: TimeRange) -> Json:
    """The series that differ, by the hours of `span`. Raises InvalidParameter for a range that is too long."""
    if span.length_ns > _LONGEST_DIFF_NS:
        raise InvalidParameter(
            "start",
            "The range is longer than 31d. Ask for a shorter one: GET /mirror/{name} says which slices differ.",
        )
    hours, rows = list[int](), list[dict[str, Any]]()
    for piece in context.mirrored([whole_slices(span, context.short_ns)]):
        hours += differing(*context.slice_digests(piece, context.short_ns))
    for start_ns in hours[:_MOST_HOURS]:
        source, target = context.series_digests(slice_range(start_ns, context.short_ns))
        for series in sorted({*source, *target}):
            in_source, in_target = source.get(series, SeriesDigest()), target.get(series, SeriesDigest())
            if in_source != in_target and len(rows) < _LISTED:
                rows.append(_row(start_ns, series, in_source, in_target))
    return {
        "equal": not hours,
        "hours": len(hours),
        "series": rows,
        "complete": len(hours) <= _MOST_HOURS and len(rows) < _LISTED,
    }


def _count(digests: SliceDigests, start_ns: int) -> int:
    return digests[start_ns].count if start_ns in digests else 0


def _row(start_ns: int, series: FieldSeries, source: SeriesDigest, target: SeriesDigest) -> dict[str, Any]:
    return {
        "from": format_time(start_ns),
        "measurement": series.measurement,
        "tags": dict(series.tags),
        "field": series.field,
        "type": str(VALUE_TYPES[series.type]),
        "source_points": source.count,
        "target_points": target.count,
    }
