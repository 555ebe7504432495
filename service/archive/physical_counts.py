"""How many values the buckets of a physical backup had when it began, in a small file beside its shards.

Neither the files of an InfluxDB nor the manifest of the `influx` command line say it, and InfluxDB answers success to a
restore that failed. What was written while the backup ran may be in it too, so the counts are a lower bound.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from service.archive.json_members import Members
from service.errors import BackupDamaged

COUNTS_FILE = "counts.json"
LARGEST_COUNTS_BYTES = 256 * 1024 * 1024
FORMAT_VERSION = 1
_NOTE = "Values of each slice (by its start, ns since 1970) when the backup began: a restore has at least these."


@dataclass(frozen=True)
class BucketCounts:
    """How many values (a field of a point is one) slices of `step_ns` have, by their start; empty ones are absent."""

    step_ns: int
    values: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.values.values())

    def document(self) -> dict[str, object]:
        """What `counts_of` reads back."""
        return {"step_ns": self.step_ns, "values": {str(start): count for start, count in sorted(self.values.items())}}


def written_counts(buckets: Mapping[str, BucketCounts]) -> bytes:
    """The bytes of the file. What `read_counts` reads back."""
    counted = {name: counts.document() for name, counts in sorted(buckets.items())}
    document = {"format_version": FORMAT_VERSION, "note": _NOTE, "buckets": counted}
    return json.dumps(document, indent=1).encode() + b"\n"


def read_counts(content: bytes, path: str) -> dict[str, BucketCounts]:
    """Raises BackupDamaged."""
    try:
        with Members(json.loads(content), "counts") as members:
            version = members.number("format_version")
            members.text("note")
            buckets = members.mapping("buckets")
        if version != FORMAT_VERSION:
            raise ValueError(f"its format_version is {version}, and this Fluxgate reads {FORMAT_VERSION} alone")
        return {name: counts_of(value, name) for name, value in buckets.items()}
    except (ValueError, RecursionError) as reason:
        raise BackupDamaged(path, str(reason) or "it is nested too deeply") from None


def counts_of(value: object, place: str) -> BucketCounts:
    """Raises WrongMember."""
    with Members(value, place) as members:
        step_ns, values = members.number("step_ns", 1), members.mapping("values")
    return BucketCounts(step_ns, {int(start): _count(count, place) for start, count in values.items()})


def _count(value: object, place: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{place} counts something that is no number")
    return value
