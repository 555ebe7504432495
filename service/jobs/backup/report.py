"""What jobs and routes say of a backup, JSON-ready."""

from service.archive.manifest import Manifest, Missing
from service.archive.physical_buckets import full_name
from service.archive.physical_folder import PhysicalFolder
from service.domain.job import Json
from service.domain.timerange import EVER, TimeRange, format_time


def backup_result(manifest: Manifest) -> Json:
    """The result of the job that took it."""
    return {
        "backup": manifest.backup_id,
        "state": manifest.state.value,
        "kind": manifest.kind.value,
        "points": sum(bucket.points for bucket in manifest.buckets),
        "bytes": manifest.size,
        "own_bytes": manifest.own_size,
        "buckets": [
            {
                "name": bucket.metadata.name,
                "points": bucket.points,
                "values": sum(entry.digest.count for entry in bucket.slices),
                "slices": len(bucket.slices),
                "bytes": sum(entry.size for entry in bucket.slices),
            }
            for bucket in manifest.buckets
        ],
        "missing": [{"bucket": part.bucket, **missing_json(part)} for part in manifest.missing],
    }


def physical_result(manifest: Manifest, folder: PhysicalFolder) -> Json:
    """The result of a job that took a physical backup. `values`: when it began; null: not counted.

    Raises ArchiveError.
    """
    counts = folder.counts()
    held = [
        {
            "name": bucket.name,
            "organization": bucket.organization,
            "values": counts[full_name(bucket)].total if full_name(bucket) in counts else None,
            "shards": len(bucket.shards),
            "bytes": sum(shard.file.size for shard in bucket.shards),
        }
        for bucket in folder.manifest().buckets
    ]
    return {**backup_result(manifest), "points": None, "buckets": held}


def missing_json(part: Missing) -> Json:
    """What is missing of a bucket; `range` null: all of it."""
    return {"range": None if part.span is None else span_json(part.span), "reason": part.reason}


def span_json(span: TimeRange) -> Json:
    """A range as start and stop; null for an end that has no limit."""
    return {
        "start": None if span.start_ns == EVER.start_ns else format_time(span.start_ns),
        "stop": None if span.stop_ns == EVER.stop_ns else format_time(span.stop_ns),
    }
