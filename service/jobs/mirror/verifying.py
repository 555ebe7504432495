"""Reads both buckets of each pair fully, and compares digests: are they equal to the bit, and if not, where?"""

from collections.abc import Mapping
from typing import Any

from service.domain.durations import parse_duration
from service.domain.job import Json
from service.domain.mirror import BucketPair, Mirror
from service.domain.series import FieldSeries
from service.domain.slicing import batches, is_in, slice_range, whole_slices
from service.domain.timerange import TimeRange, format_time
from service.errors import CallerError, FluxgateError, InvalidParameter, StoreFailed
from service.frames.frame import VALUE_TYPES
from service.frames.series_digest import SeriesDigest
from service.frames.slice_digest import differing
from service.jobs.mirror.bucket_pairs import Pairs
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.pair_report import left_out_member, left_out_text
from service.jobs.mirror.pair_setup import PairSetup
from service.jobs.mirror.report import slices_text
from service.jobs.mirror.run_services import RunServices
from service.transfer.bucket_reader import SliceDigests
from service.transfer.run_log import log_failure

_MOST_POINTS = 400_000
_LISTED = 200
_MOST_HOURS = 48
_LONGEST_DIFF_NS = parse_duration("31d", "range")
_NOTHING: Json = {"equal": False, "slices": 0, "points": 0, "different": 0, "differing": []}


class MirrorVerify:
    """A run that compares every value, and changes nothing."""

    def __init__(self, mirror: Mirror, setup: PairSetup, services: RunServices) -> None:
        self._mirror = mirror
        self._setup = setup
        self._services = services
        self._slices = 0

    def run(self, pairs: Pairs) -> Json:
        """The result of the job. A pair that cannot be compared does not keep the others, and has its `error`.

        Raises StoreError, JobInterrupted: what time may mend, at the end where it is of one pair.
        """
        results: list[Json] = []
        failures: list[FluxgateError] = []
        for pair in pairs.present:
            try:
                result = self._setup.with_context(pair, self._services.retry, self._verify)
                self._log(pair, result)
            except (CallerError, StoreFailed) as failure:
                log_failure(self._services.log, "error", f"{pair}: {failure.message}", failure)
                result = {**_NOTHING, "error": failure.message}
                failures.append(failure)
            results.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": False, **result})
        for pair in pairs.lacking:
            self._services.log("error", f"{pair}: the target has no bucket {pair.target!r}.")
            results.append({"source": pair.source, "target": pair.target, "target_lacks_bucket": True, **_NOTHING})
        passing = next((failure for failure in failures if failure.retryable), None)
        if passing is not None:
            raise passing
        return {"mirror": self._mirror.name, "equal": all(result["equal"] for result in results), "pairs": results}

    def _log(self, pair: BucketPair, result: Mapping[str, Any]) -> None:
        compared = f"{result['points']:,} points in {slices_text(result['slices'])}"
        left_out = left_out_text({entry["measurement"]: entry["reason"] for entry in result.get("left_out", ())})
        line = f"{pair}: {compared}, of which {result['different']} differ."
        self._services.log("info" if result["equal"] else "error", " ".join(filter(None, [line, left_out])))

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
        return {
            "equal": not wrong and not context.left_out,
            "slices": slices,
            "points": points,
            "different": len(wrong),
            "differing": listed,
            **left_out_member(context.left_out),
        }

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
        "equal": not hours and not context.left_out,
        **left_out_member(context.left_out),
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
