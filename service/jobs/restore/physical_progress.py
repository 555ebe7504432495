"""What a restore of shards has done: its checkpoint, from which a run goes on after its process died.

Nothing stands in it before InfluxDB acknowledged it, but for the name of the bucket that is about to be made.
"""

from collections.abc import Mapping
from typing import Any

from service.domain.job import Json
from service.jobs.protocol import JobContext

_MEMBER = "physical"


class PhysicalProgress:
    """`intended`: the bucket that is about to be made. A bucket is known by its name on the target."""

    def __init__(self, job: JobContext, backup_id: str) -> None:
        known: Mapping[str, Any] = job.checkpoint.get(_MEMBER, {})
        self._job = job
        self._backup_id = backup_id
        self.intended: str | None = known.get("intended")
        self._made: dict[str, dict[str, int]] = dict(known.get("made", {}))
        self._uploaded: dict[str, list[int]] = {name: list(ids) for name, ids in known.get("uploaded", {}).items()}
        self._compared: dict[str, Json] = dict(known.get("compared", {}))

    def new_ids(self, bucket: str) -> dict[int, int] | None:
        """The new id of each shard by its old one; None: this job has not made the bucket."""
        made = self._made.get(bucket)
        return None if made is None else {int(old): new for old, new in made.items()}

    def is_uploaded(self, bucket: str, shard_id: int) -> bool:
        return shard_id in self._uploaded.get(bucket, ())

    def report(self, bucket: str) -> Json | None:
        """What a comparison said, before the retention was set, by which old points go."""
        return self._compared.get(bucket)

    def intend(self, bucket: str) -> None:
        self.intended = bucket
        self._save()

    def made(self, bucket: str, new_ids: Mapping[int, int]) -> None:
        self._made[bucket] = {str(old): new for old, new in new_ids.items()}
        self._save()

    def uploaded(self, bucket: str, shard_id: int) -> None:
        self._uploaded.setdefault(bucket, []).append(shard_id)
        self._save()

    def compared(self, bucket: str, report: Json) -> None:
        self._compared[bucket] = report
        self._save()

    def _save(self) -> None:
        known = {
            "intended": self.intended,
            "made": {name: dict(new_ids) for name, new_ids in self._made.items()},
            "uploaded": {name: list(ids) for name, ids in self._uploaded.items()},
            "compared": dict(self._compared),
        }
        self._job.save({"backup": self._backup_id, _MEMBER: known})
