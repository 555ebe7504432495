"""What a bucket is and what it holds: measurements, fields with their types, tag keys."""

from dataclasses import dataclass, field
from enum import StrEnum


class FieldType(StrEnum):
    """The five value types of InfluxDB 2, by the names of `SHOW FIELD KEYS`."""

    FLOAT = "float"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    STRING = "string"
    BOOLEAN = "boolean"

    @property
    def numeric(self) -> bool:
        return self in (FieldType.FLOAT, FieldType.INTEGER, FieldType.UNSIGNED)


@dataclass(frozen=True)
class Bucket:
    """A bucket of a store. Lengths in ns; `retention_ns` 0 keeps everything.

    `shard_ns` is the length of its shard groups: the store checks field types per group, and no
    slice of a read crosses the edge of one.
    """

    name: str
    description: str
    retention_ns: int
    shard_ns: int


@dataclass(frozen=True)
class BucketSpec:
    """A bucket to be created. `retention_ns` 0 keeps everything."""

    name: str
    description: str = ""
    retention_ns: int = 0


@dataclass(frozen=True)
class MeasurementSchema:
    """A measurement: its tag keys, sorted, and its fields, sorted by name.

    A field that changed its type between shard groups has several types (in the order of
    `FieldType`).
    """

    name: str
    tags: tuple[str, ...]
    fields: dict[str, tuple[FieldType, ...]] = field(default_factory=dict)
