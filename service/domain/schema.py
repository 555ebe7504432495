"""Buckets, and what they hold: measurements, fields with their types, tag keys."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from service.domain.shards import wrong_shard_ns
from service.domain.unreadable import UnreadableName
from service.errors import InvalidParameter

LONGEST_BUCKET_NAME = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
    """A bucket of a store. Lengths are in ns; `retention_ns` 0 keeps everything.

    `shard_ns` is the length of its shard groups. The store checks the types of fields per group, and no slice of a read
    crosses the edge of a group. `id`: the store's own name of the bucket, which one made again under its name has not.
    """

    name: str
    description: str
    retention_ns: int
    shard_ns: int
    id: str = field(default="", compare=False)


@dataclass(frozen=True)
class BucketSpec:
    """A bucket to be created. `retention_ns` 0 keeps everything; `shard_ns` 0 leaves that length to the store.

    InfluxDB accepts its name, InfluxQL finds the bucket by it, and a URL can hold it (`wrong_name`).

    Raises:
        InvalidParameter: the name breaks one of these rules, the description is no Unicode text, or no store makes
            shard groups of that length.
    """

    name: str
    description: str = ""
    retention_ns: int = 0
    shard_ns: int = 0

    def __post_init__(self) -> None:
        reason = wrong_name(self.name)
        if reason:
            problem = f"No bucket can be named {self.name[:100]!r}: {reason}."
            raise InvalidParameter("name", f"{problem} Nothing was made; take another name.")
        check_description(self.name, self.description)
        wrong = wrong_shard_ns(self.shard_ns, self.retention_ns) if self.shard_ns else None
        if wrong:
            raise InvalidParameter("shard_ns", f"The bucket {self.name[:100]!r} cannot be made: {wrong}.")


@dataclass(frozen=True)
class MeasurementSchema:
    """A measurement: its tag keys, sorted, and its fields, sorted by name.

    A field that changed its type between shard groups has several types, in the order of `FieldType`. `unreadable`:
    what of it is no Unicode text, and so is not among `tags` and `fields`; where that is the name itself, `name` is
    how it is shown.
    """

    name: str
    tags: tuple[str, ...]
    fields: dict[str, tuple[FieldType, ...]] = field(default_factory=dict)
    unreadable: tuple[UnreadableName, ...] = ()


def check_description(name: str, description: str) -> None:
    """Raises InvalidParameter: the description for the bucket `name` is no Unicode text."""
    if not _is_text(description):
        raise InvalidParameter(
            "description",
            f"The description of the bucket {name[:100]!r} is no Unicode text. Nothing was made or changed.",
        )


def wrong_name(name: str) -> str | None:
    """Why no bucket can have this name, as the end of a sentence; None when one can.

    InfluxDB 2.9.1 refuses names that begin with an underscore or hold a double quote. InfluxQL reads `name/autogen` as
    the bucket `name`. Programs between client and server remove empty, `.` and `..` segments from a URL.
    """
    if not name:
        return "a name has at least one character"
    if len(name) > LONGEST_BUCKET_NAME:
        return f"a name has at most {LONGEST_BUCKET_NAME} characters, and this one has {len(name)}"
    if not _is_text(name):
        return "it is no Unicode text"
    if _CONTROL.search(name):
        return "it holds a control character, such as a tab, a line end or NUL"
    if name.startswith("_") or '"' in name:
        return "InfluxDB takes no name that begins with an underscore or holds a double quote"
    return _wrong_part(name)


def _wrong_part(name: str) -> str | None:
    first, *rest = name.split("/")
    if {"", ".", ".."} & {first, *rest}:
        part = "what stands before, between and after slashes cannot be empty, . or .."
        return f"{part}, which programs on the way drop from a URL"
    if rest == ["autogen"]:
        return f"InfluxQL would read the bucket {first!r} for it"
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
