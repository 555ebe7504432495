"""The contents of the file in memory: buckets, series, and the type of each field in each shard group.

It is loaded when the file is opened, and changed only after a commit, so it never has more than the file. The store's
lock guards it. Nothing in this module uses the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from service.domain.schema import Bucket, FieldType, MeasurementSchema
from service.domain.series import FieldSeries, SeriesKey
from service.domain.shards import shard_offset

FieldName = tuple[str, str]
"""Measurement and field."""
NEVER = -(2**63)
"""The newest time of a series without points."""


def shard_numbers(times_ns: npt.NDArray[np.int64], shard_ns: int) -> npt.NDArray[np.int64]:
    """`shard_number` of many times. No intermediate number leaves 64 bits."""
    whole, rest = np.divmod(times_ns, shard_ns)
    numbers: npt.NDArray[np.int64] = whole - (rest < shard_offset(shard_ns))
    return numbers


@dataclass
class BucketContents:
    """A bucket, its series and its types."""

    id: int
    bucket: Bucket
    ids: dict[FieldSeries, int] = field(default_factory=dict)
    members: dict[str, list[FieldSeries]] = field(default_factory=dict)
    """Series by measurement."""
    tag_keys: dict[str, set[str]] = field(default_factory=dict)
    types: dict[FieldName, dict[int, FieldType]] = field(default_factory=dict)
    """The type of each field in each shard group that has it."""

    def add_series(self, key: FieldSeries, number: int) -> None:
        self.ids[key] = number
        self.members.setdefault(key.measurement, []).append(key)
        self.tag_keys.setdefault(key.measurement, set()).update(name for name, _ in key.tags)

    def add_type(self, name: FieldName, shard: int, field_type: FieldType) -> None:
        self.types.setdefault(name, {})[shard] = field_type

    def drop_shards_before(self, first: int) -> None:
        for name, shards in list(self.types.items()):
            self.types[name] = {shard: field_type for shard, field_type in shards.items() if shard >= first}
            if not self.types[name]:
                del self.types[name]

    @property
    def shards(self) -> set[int]:
        """The shard groups that hold points."""
        return {shard for by_shard in self.types.values() for shard in by_shard}

    def shards_of(self, measurement: str) -> set[int]:
        """The shard groups in which a field of the measurement has a type."""
        return {shard for (name, _), shards in self.types.items() if name == measurement for shard in shards}

    def fields_of(self, series: SeriesKey) -> list[FieldSeries]:
        """All fields of exactly this series."""
        return [member for member in self.members.get(series.measurement, ()) if member.key == series]

    def forget_types(self, measurement: str, emptied: set[int]) -> None:
        """Remove the types of a measurement in the shard groups that hold no point of it any more."""
        for name in [name for name in self.types if name[0] == measurement]:
            remaining = self.types[name].items()
            self.types[name] = {shard: field_type for shard, field_type in remaining if shard not in emptied}
            if not self.types[name]:
                del self.types[name]

    def has_shards_before(self, first: int) -> bool:
        return any(shard < first for shards in self.types.values() for shard in shards)

    def schema(self, first_shard: int | None) -> list[MeasurementSchema]:
        """Measurements by name, of the shard groups from `first_shard` on (None: all)."""
        fields: dict[str, dict[str, tuple[FieldType, ...]]] = {}
        for (measurement, name), shards in sorted(self.types.items()):
            types = {field_type for shard, field_type in shards.items() if first_shard is None or shard >= first_shard}
            if types:
                ordered = tuple(field_type for field_type in FieldType if field_type in types)
                fields.setdefault(measurement, {})[name] = ordered
        return [MeasurementSchema(name, tuple(sorted(self.tag_keys[name])), types) for name, types in fields.items()]


class Catalog:
    """All buckets by name, and the newest time of each series, by its number."""

    def __init__(self) -> None:
        self.buckets: dict[str, BucketContents] = {}
        self.newest_ns: npt.NDArray[np.int64] = np.full(1024, NEVER, np.int64)
        self.series_count = 0

    def add_bucket(self, number: int, bucket: Bucket) -> None:
        self.buckets[bucket.name] = BucketContents(number, bucket)

    def add_series(self, contents: BucketContents, keys: Iterable[FieldSeries]) -> None:
        """Add new series. Their numbers begin at `series_count`, in this order."""
        for key in keys:
            contents.add_series(key, self.series_count)
            self.series_count += 1
        if self.series_count > len(self.newest_ns):
            grown = np.full(2 * self.series_count, NEVER, np.int64)
            grown[: len(self.newest_ns)] = self.newest_ns
            self.newest_ns = grown
