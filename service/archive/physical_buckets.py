"""What the entry of a bucket in a physical manifest says, as the server gave it: its shards and settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.archive.json_members import WrongMember
from service.archive.manifest import BucketMetadata
from service.archive.physical_manifest import PhysicalBucket
from service.domain.timerange import TimeRange, parse_time
from service.errors import InvalidParameter


@dataclass(frozen=True)
class ServerShard:
    """A shard of a bucket, and the times of its group."""

    shard_id: int
    bucket_id: str
    span: TimeRange


def server_shards(entry: Mapping[str, Any]) -> Iterator[ServerShard]:
    """Every shard of a bucket. Raises WrongMember for what is no entry."""
    try:
        for policy in entry["retentionPolicies"] or ():
            for group in policy["shardGroups"] or ():
                span = TimeRange(parse_time(group["startTime"], "start"), parse_time(group["endTime"], "stop"))
                yield from (ServerShard(int(shard["id"]), entry["bucketID"], span) for shard in group["shards"] or ())
    except (KeyError, TypeError, ValueError, InvalidParameter) as wrong:
        raise WrongMember(f"a bucket of it is not described as InfluxDB describes one ({str(wrong)[:100]})") from None


def metadata_of(entry: Mapping[str, Any]) -> BucketMetadata:
    """Name, description, retention and length of shard groups; labels and mappings are in the key-value store alone.

    Raises WrongMember.
    """
    try:
        policy = entry["retentionPolicies"][0]
        return BucketMetadata(
            str(entry["bucketName"]),
            str(entry.get("description") or ""),
            int(policy["duration"]),
            max(int(policy["shardGroupDuration"]), 1),
        )
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise WrongMember(f"a bucket of it is not described as InfluxDB describes one ({str(wrong)[:100]})") from None


def is_system(name: str) -> bool:
    """Whether InfluxDB makes the bucket by itself, such as `_tasks`; a restore of buckets leaves it alone."""
    return name.startswith("_")


def full_name(bucket: PhysicalBucket) -> str:
    return f"{bucket.organization}/{bucket.name}"
