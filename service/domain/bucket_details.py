"""What hangs on a bucket besides its points: labels, and the names by which InfluxDB 1 clients reach it."""

from dataclasses import dataclass

LABELS, MAPPINGS = "labels", "mappings"


@dataclass(frozen=True)
class Label:
    """A label of a bucket. `properties` by key, such as its color."""

    name: str
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DbrpMapping:
    """A database and retention policy of InfluxDB 1 by which the bucket answers."""

    database: str
    retention_policy: str
    default: bool


@dataclass(frozen=True)
class BucketDetails:
    """Both sorted by name. A store without labels and mappings has none.

    `unreadable`: which of LABELS and MAPPINGS the token may not list; they are empty here, whatever the bucket has.
    """

    labels: tuple[Label, ...] = ()
    mappings: tuple[DbrpMapping, ...] = ()
    unreadable: tuple[str, ...] = ()
