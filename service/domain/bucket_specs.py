"""Buckets as people describe them: a name, a description and a retention; and how a bucket that exists differs."""

from collections.abc import Iterable

from service.domain.durations import format_duration, parse_duration
from service.domain.schema import Bucket, BucketSpec
from service.errors import InvalidParameter

FOR_EVER = ("0", "inf")
"""Retentions that keep every point."""


def bucket_spec(name: str, description: str, retention: str | None) -> BucketSpec:
    """The bucket that these texts describe. Raises InvalidParameter."""
    return BucketSpec(name, description, parse_retention(retention))


def parse_retention(text: str | None) -> int:
    """Nanoseconds of a retention such as `30d`; 0 for None, `0` and `inf`, which keep everything.

    Raises InvalidParameter.
    """
    return 0 if text is None or text in FOR_EVER else parse_duration(text, "retention")


def retention_text(retention_ns: int) -> str:
    """The retention for people."""
    return format_duration(retention_ns) if retention_ns else "for ever"


def distinct(specs: Iterable[BucketSpec]) -> list[BucketSpec]:
    """One spec per name. Raises InvalidParameter for a name with two different specs."""
    by_name: dict[str, BucketSpec] = {}
    for spec in specs:
        if by_name.setdefault(spec.name, spec) != spec:
            reason = f"The bucket {spec.name!r} stands twice in the request, with different members. Nothing was made."
            raise InvalidParameter("name", reason)
    return list(by_name.values())


def differences(wanted: BucketSpec, bucket: Bucket) -> list[str]:
    """How the existing `bucket` differs from the one that is wanted, each as `retention is 30d, the file says 7d`."""
    found = []
    if wanted.retention_ns != bucket.retention_ns:
        wanted_text = retention_text(wanted.retention_ns)
        found.append(f"retention is {retention_text(bucket.retention_ns)}, the file says {wanted_text}")
    if wanted.description != bucket.description:
        found.append(f"description is {bucket.description!r}, the file says {wanted.description!r}")
    return found
