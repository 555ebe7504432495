"""What a restore says about each bucket and about the whole, JSON-ready."""

from collections.abc import Mapping, Sequence

from service.domain.endpoint import Endpoint
from service.domain.job import Json
from service.jobs.backup.report import missing_json, span_json
from service.jobs.restore.comparison import Comparison, Difference
from service.jobs.restore.plan import BucketPlan, PlannedSlice, RestorePlan
from service.jobs.restore.slice_writing import Refused

_MOST_NAMED = 50
PARTIAL, PLANNED = "partial", "planned"


def planned_report(bucket: BucketPlan, is_made: bool, damaged: Mapping[int, str], notes: Sequence[str]) -> Json:
    """What would be done about a bucket."""
    return {"state": PLANNED, **_members(bucket, is_made, damaged), "notes": [*notes]}


def bucket_report(
    bucket: BucketPlan,
    is_made: bool,
    damaged: Mapping[int, str],
    differences: Sequence[Difference],
    refused: Refused,
) -> Json:
    """What a bucket has now. `state`: equal, more or different, of what was to be restored."""
    states = {difference.state for difference in differences}
    state = next((state for state in (Comparison.DIFFERENT, Comparison.MORE) if state in states), Comparison.EQUAL)
    return {
        "state": state.value,
        **_members(bucket, is_made, damaged),
        "different_slices": len(differences),
        "differing": [difference.json() for difference in differences[:_MOST_NAMED]],
        "refused_lines": refused.count,
        "refused": refused.lines,
        "notes": [],
    }


def restore_result(plan: RestorePlan, target: Endpoint, dry_run: bool, buckets: Sequence[Json]) -> Json:
    """`state`: different when any bucket is; partial when something was lost or is missing in the backup; more when a
    bucket has other points too; else equal. Of a dry run: planned."""
    states = {bucket["state"] for bucket in buckets}
    lost = plan.lacks_buckets or any(bucket["lost_slices"] or bucket["missing"] for bucket in buckets)
    if dry_run:
        state = PLANNED
    elif Comparison.DIFFERENT.value in states:
        state = Comparison.DIFFERENT.value
    elif lost:
        state = PARTIAL
    else:
        state = Comparison.MORE.value if Comparison.MORE.value in states else Comparison.EQUAL.value
    return {
        "backup": plan.manifest.backup_id,
        "backup_state": plan.manifest.state.value,
        "state": state,
        "target": str(target),
        "dry_run": dry_run,
        "points": sum(bucket["points"] for bucket in buckets),
        "values": sum(bucket["values"] for bucket in buckets),
        "buckets": list(buckets),
    }


def _members(bucket: BucketPlan, is_made: bool, damaged: Mapping[int, str]) -> Json:
    lost = [planned for planned in bucket.slices if planned.number in damaged]
    restored = [planned.entry for planned in bucket.slices if planned.number not in damaged]
    return {
        "bucket": bucket.metadata.name,
        "target": bucket.target,
        "made": is_made,
        "slices": len(restored),
        "points": sum(entry.points for entry in restored),
        "values": sum(entry.digest.count for entry in restored),
        "lost_slices": len(lost),
        "lost": [_lost(planned, damaged[planned.number]) for planned in lost[:_MOST_NAMED]],
        "missing": [missing_json(part) for part in bucket.missing[:_MOST_NAMED]],
    }


def _lost(planned: PlannedSlice, reason: str) -> Json:
    return {
        "range": span_json(planned.span),
        "file": planned.entry.path,
        "reason": reason,
        "points": planned.entry.points,
    }
