"""The port that every store fits: reads and writes of exact points, in frames.

One contract suite (tests/contract) tests both adapters. All methods are synchronous, and many threads may call them at
once. They raise `UnknownBucket`, `StoreError` or `RetryLater`, whose messages say what to do.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from service.domain.bucket_details import BucketDetails
from service.domain.schema import Bucket, BucketSpec, FieldType, MeasurementSchema
from service.domain.selection import ReadPlan, Selection
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.row_order import RowOrder


@dataclass(frozen=True)
class TypeClash:
    """The field of a refused line that has another type in the store, and the type that was sent."""

    measurement: str
    field: str
    sent: FieldType


@dataclass(frozen=True)
class Refusal:
    """A line that the store itself refused. `line` counts from 1 in the caller's lines.

    `clash`: the field of a `type_conflict`. `upstream`: the text of the server, for keys with admin only.
    """

    line: int
    code: str
    """`type_conflict`, `outside_retention` or `refused`."""
    reason: str
    clash: TypeClash | None = None
    upstream: str = ""


@dataclass(frozen=True)
class WriteOutcome:
    """How many lines were stored, in full, and which were refused. A refused line stored nothing of itself.

    `unnamed` counts the refused lines beyond those that `refused` names, by the bounds of the write.
    """

    stored: int
    refused: tuple[Refusal, ...] = ()
    unnamed: int = 0

    @property
    def refused_count(self) -> int:
        return len(self.refused) + self.unnamed


@dataclass(frozen=True)
class WriteBounds:
    """What a write may cost. `check` is called before each batch; what it raises ends the write there.

    What was sent before stays stored (the embedded store stores all or nothing). Of the refused lines the
    first `most_named` are named, and the others counted; None: all are named.
    """

    check: Callable[[], None] = lambda: None
    most_named: int | None = None


UNBOUNDED = WriteBounds()
MOST_TAG_VALUES = 1_000
"""How many values of a tag a store names without being asked for them."""


@dataclass(frozen=True)
class Latest:
    """The newest values of a bucket's measurements: long frames, one row per series and field.

    `fields` names, for each measurement that has a row, every field it ever had, with types. `unread`: measurements
    that are left out because a name or text in them is no Unicode.
    """

    frames: Sequence[pa.RecordBatch]
    fields: dict[str, dict[str, tuple[str, ...]]]
    unread: tuple[str, ...] = ()


class Store(Protocol):
    """A database of time series."""

    name: str
    """`influx` or `embedded`, as answers name it."""

    def server(self) -> str:
        """What stores the points, with its version: `influxdb 2.9.1`, `influxdb cloud`, `embedded duckdb 1.4.1`."""

    def buckets(self) -> list[Bucket]:
        """All buckets but system ones, by name."""

    def bucket(self, name: str) -> Bucket:
        """Raises UnknownBucket with near names."""

    def create_bucket(self, spec: BucketSpec) -> bool:
        """True when created, False when a bucket of that name was there; that one is left alone.

        Raises InvalidParameter for a name, retention or length of shard groups that the store cannot take.
        """

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        """Give a bucket this description and retention (0: everything is kept). Its shard groups keep their length.

        What a shorter retention ends vanishes as the store's rules say: InfluxDB looks every 30 minutes, and drops
        whole shard groups; the embedded store shows it no more at once.

        Raises InvalidParameter, with nothing changed, for a retention that the store cannot take, or one that is
        shorter than a shard group.
        """

    def bucket_details(self, name: str) -> BucketDetails:
        """The labels and the mappings made by hand of a bucket; the embedded store has none of either.

        What the server refuses to list with 401 or 403 is named in `unreadable`. Labels can be hidden all the same:
        InfluxDB 2.9.1 shows a token without the right to read labels an empty list.
        """

    def add_bucket_details(self, name: str, details: BucketDetails) -> list[str]:
        """Make the labels and mappings that the bucket lacks; what is there is left alone.

        A label of the organization with the same name, in large or small letters, is used as it is. A mapping never
        takes a name, nor the place of a database's default, from another bucket. The first mapping of a database is
        its default, whatever is asked, so of several buckets those with defaults come first. Gives a sentence for each
        thing that was not made as asked. The embedded store makes none.

        Raises StoreError when the server is away or broken; doing it again makes what lacks.
        """

    def first_point(self, bucket: str) -> int | None:
        """Time of the oldest point (ns); None for an empty bucket."""

    def last_point(self, bucket: str) -> int | None:
        """Time of the newest point (ns), future ones included; None for an empty bucket."""

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        """Measurements by name, of all the bucket's time."""

    def tag_values(
        self, bucket: str, key: str, wanted: Collection[str], most: int = MOST_TAG_VALUES
    ) -> list[str] | None:
        """Values of the tag `key` in all the bucket's time, sorted.

        These are the first `most`, and each of `wanted` that exists. Values whose points are gone may be among them.
        None: the store cannot tell for this key or these values.
        """

    def read(self, selection: Selection) -> Reading:
        """Start a read; the plan is `plan_read(selection, self.schema(selection.bucket))`.

        Rows equal those of Flux `aggregateWindow(every, fn, createEmpty: false)`; raw rows, and those
        of `Fn.M4`, are stored points, bit for bit. Memory is bounded whatever the range.
        """

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder | None:
        """The order in which a read of `selection`, which has windows, with this plan gives its rows.

        None: it depends on the points, or on how many there are.
        """

    def count_points(
        self,
        bucket: str,
        measurements: Collection[str],
        span: TimeRange,
        step_ns: int,
    ) -> dict[int, int] | None:
        """How many points (each value of a field is one) of these measurements each slice holds, by its start.

        Slices are `step_ns` long, on the grid from 1970. Empty slices are absent. The answer is small, whatever the
        number of series. None: the store cannot count these measurements; read the counts of windows instead.
        """

    def latest(self, bucket: str, span: TimeRange, word: str, measurements: Collection[str] | None = None) -> Latest:
        """The newest value in `span` of each field and series whose measurement's name contains `word`.

        `measurements`, when given, selects those alone. At most two upstream queries.
        """

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        """Store points. When it returns, they are durable. Writing a point twice leaves one.

        What the store refuses (a second type of a field in a shard group, a time outside the
        retention) is named line by line; everything else is stored.
        """

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        """Remove every point in `span`, all fields, of exactly this `series`, for good.

        Series with its tags and more may lose their points in `span` too (InfluxDB cannot say "without
        tag"): who needs those writes them again. Everything else stays. No write to the measurement may run
        meanwhile. A measurement without any point left is no longer in the schema; of one with points, fields
        and tags that lost theirs may stay there.

        Raises InvalidParameter, with nothing deleted, for a series that the store cannot delete alone.
        """

    def ping(self) -> None:
        """Prove by an authenticated query that reads would work; raises like any other method."""

    def close(self) -> None: ...
