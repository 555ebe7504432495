"""The store port on one DuckDB file, with InfluxDB's rules for types, retention, windows and functions.

One process has the file. One thread writes at a time; readers each see the file as it was when they
began. Times and values are exact over the whole domain. Integer sums wrap at 64 bits as Flux's do,
means of integers rest on them; `median` is exact for windows of every size, where Flux's t-digest is
exact up to some thousand points and approximate beyond.
"""

import difflib
import secrets
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from service.domain.bucket_details import BucketDetails
from service.domain.durations import HOUR_NS, WEEK_NS
from service.domain.schema import Bucket, BucketSpec, FieldType, MeasurementSchema, check_description
from service.domain.selected_windows import grids_of
from service.domain.selection import Fn, ReadPlan, Selection, Stamp, Windows, plan_read
from service.domain.series import SeriesKey, has_tags
from service.domain.shards import default_shard_ns, shard_number, shard_start_of, wrong_shard_ns
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
from service.domain.windows import Grid
from service.errors import InvalidParameter, UnknownBucket
from service.frames import long_form
from service.frames.frame import Reading
from service.frames.points import Points
from service.stores.embedded import tables, transactions
from service.stores.embedded.catalog import NEVER, BucketContents, Catalog
from service.stores.embedded.deleting import Deletion, delete
from service.stores.embedded.file import open_file, translated
from service.stores.embedded.reading import BlockReader, Member, SnapshotCursor, counted, first_time
from service.stores.embedded.row_order import row_order
from service.stores.embedded.writing import check_batch
from service.stores.protocol import MOST_TAG_VALUES, UNBOUNDED, Latest, WriteBounds, WriteOutcome
from service.stores.row_order import RowOrder

_NEAR_NAMES = 3


class EmbeddedStore:
    """`Store` on the file `path`. `shard_ns` is the longest shard group of new buckets; `clock` tells ns since 1970.

    Raises:
        ConfigurationError: another process has the file, or it cannot be opened.
    """

    name = "embedded"

    def __init__(self, path: Path, *, memory_mb: int, threads: int, shard_ns: int, clock: Callable[[], int]) -> None:
        self._path = path
        self._limits = (memory_mb, threads)
        self._shard_ns = shard_ns
        self._clock = clock
        self._writer = threading.Lock()
        self._guard = threading.RLock()
        self._cursors: set[SnapshotCursor] = set()
        """A cursor is removed by the thread that closes it, without the guard: `_reopen` holds the guard while it waits
        for the cursor. The interpreter's lock makes adding, removing and copying atomic."""
        self._broken = False
        self._opening = secrets.token_hex(8)
        self._connection = open_file(path, memory_mb, threads)
        with self._reopening_after_fatal(f"load {path}"):
            self._catalog: Catalog = transactions.load(self._connection)

    def server(self) -> str:
        return f"embedded duckdb {duckdb.__version__}"

    def buckets(self) -> list[Bucket]:
        with self._guard:
            return [self._identified(self._catalog.buckets[name]) for name in sorted(self._catalog.buckets)]

    def bucket(self, name: str) -> Bucket:
        with self._guard:
            return self._identified(self._contents(name))

    def create_bucket(self, spec: BucketSpec) -> bool:
        _check_retention(spec.name, spec.retention_ns)
        shard_ns = spec.shard_ns or _shard_ns(self._shard_ns, spec.retention_ns)
        bucket = Bucket(spec.name, spec.description, spec.retention_ns, shard_ns)
        with self._writer, self._reopening_after_fatal(f"create the bucket {spec.name!r}"):
            if spec.name in self._catalog.buckets:
                return False
            number = len(self._catalog.buckets)
            with self._guard:
                row = [number, bucket.name, bucket.description, bucket.retention_ns, bucket.shard_ns]
                self._connection.execute(tables.ADD_BUCKET, row)
                self._catalog.add_bucket(number, bucket)
        return True

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        check_description(name, description)
        _check_retention(name, retention_ns)
        with self._writer, self._reopening_after_fatal(f"change the bucket {name!r}"):
            contents = self._contents(name)
            # Groups that have expired as a whole do not come back when the retention becomes longer.
            self._drop_expired(contents)
            wrong = wrong_shard_ns(contents.bucket.shard_ns, retention_ns) if retention_ns else None
            if wrong:
                raise InvalidParameter("retention", f"The bucket {name!r} cannot be changed: its {wrong}.")
            changed = replace(contents.bucket, description=description, retention_ns=retention_ns)
            transactions.update_bucket(self._connection, contents, changed, lambda: self._guard)

    def bucket_details(self, name: str) -> BucketDetails:
        self.bucket(name)
        return BucketDetails()

    def add_bucket_details(self, name: str, details: BucketDetails) -> list[str]:
        self.bucket(name)
        labels = [f"The label {label.name!r}" for label in details.labels]
        mappings = [f"The mapping {mapping.database}/{mapping.retention_policy}" for mapping in details.mappings]
        reason = f"of the bucket {name!r} was not made: the embedded store has no labels and no mappings."
        return [f"{subject} {reason}" for subject in (*labels, *mappings)]

    def first_point(self, bucket: str) -> int | None:
        with self._guard:
            contents = self._contents(bucket)
            members, oldest_ns = list(contents.ids.items()), self._oldest_ns(contents)
            shards = [_shard_range(shard, contents.bucket.shard_ns) for shard in sorted(contents.shards)]
            cursor = self._snapshot(f"find the first point of {bucket!r}")
        return first_time(cursor, members, shards, oldest_ns)

    def last_point(self, bucket: str) -> int | None:
        with self._guard:
            contents = self._contents(bucket)
            numbers = list(contents.ids.values())
            newest_ns = int(self._catalog.newest_ns[numbers].max()) if numbers else NEVER
        return newest_ns if newest_ns != NEVER and newest_ns >= self._oldest_ns(contents) else None

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        with self._guard:
            contents = self._contents(bucket)
            return contents.schema(self._first_shard(contents))

    def tag_values(self, bucket: str, key: str, wanted: Collection[str], most: int = MOST_TAG_VALUES) -> list[str]:
        with self._guard:
            members = list(self._contents(bucket).ids)
        values = sorted({value for member in members for name, value in member.tags if name == key})
        return sorted({*values[:most], *set(wanted).intersection(values)})

    def read(self, selection: Selection) -> Reading:
        windows = selection.windows
        pieces = [Grid(selection.span, 1, 0)] if windows is None else grids_of(selection.span, windows)
        stamp = Stamp.STOP if windows is None else windows.stamp
        with self._guard:
            contents = self._contents(selection.bucket)
            plan = plan_read(selection, self.schema(selection.bucket))
            members = _members_of(contents, plan, selection)
            extent, oldest_ns = self._extent(contents), self._oldest_ns(contents)
            cursor = self._snapshot(f"read {selection.bucket!r}")
        blocks = BlockReader(cursor, pieces, extent, oldest_ns, stamp).blocks(plan, members)
        return Reading(plan, blocks, cursor.cancel)

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder | None:
        windows = selection.windows
        assert windows is not None
        most_windows = max(grid.count for grid in grids_of(selection.span, windows))
        with self._guard:
            members = _members_of(self._contents(selection.bucket), plan, selection)
        return row_order(plan, members, most_windows)

    def count_points(self, bucket: str, measurements: Collection[str], span: TimeRange, step_ns: int) -> dict[int, int]:
        with self._guard:
            contents = self._contents(bucket)
            members = [(key, number) for key, number in contents.ids.items() if key.measurement in measurements]
            oldest_ns = self._oldest_ns(contents)
            cursor = self._snapshot(f"count the points of {bucket!r}")
        return counted(cursor, members, span, step_ns, oldest_ns)

    def latest(self, bucket: str, span: TimeRange, word: str, measurements: Collection[str] | None = None) -> Latest:
        with self._guard:
            contents = self._contents(bucket)
            schema = [measurement for measurement in self.schema(bucket) if word in measurement.name]
            if measurements is not None:
                schema = [measurement for measurement in schema if measurement.name in measurements]
            plan = plan_read(Selection(bucket, span, Windows(span.length_ns, Fn.LAST)), schema)
            members = {shown.name: _members(contents, shown.name, shown.fields, ()) for shown in schema}
            extent, oldest_ns = self._extent(contents), self._oldest_ns(contents)
            cursor = self._snapshot(f"read the latest of {bucket!r}")
        whole = Grid(span, span.length_ns, span.start_ns % span.length_ns)
        frames = list(BlockReader(cursor, [whole], extent, oldest_ns).latest(plan, members))
        present = long_form.present_measurements(frames)
        return Latest(frames, {shown.name: {**shown.fields} for shown in schema if shown.name in present})

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        with self._writer, self._reopening_after_fatal(f"write to {bucket!r}"):
            contents = self._contents(bucket)
            self._drop_expired(contents)
            oldest_ns = self._oldest_ns(contents) if contents.bucket.retention_ns else None
            bounds.check()
            checked = check_batch(points, contents.bucket, contents.types, oldest_ns, bounds)
            stored = int(checked.accepted.sum())
            if stored:
                transactions.store(
                    self._connection,
                    self._catalog,
                    contents,
                    points,
                    checked,
                    lambda: self._guard,
                    bounds.check,
                )
            return WriteOutcome(stored, checked.refusals, len(points) - stored - len(checked.refusals))

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        """As the port promises, and no other series loses a point.

        Types and tags that lost all points stay in the schema while the measurement has points, a type as long as the
        measurement has points in that shard group.
        """
        with self._writer, self._reopening_after_fatal(f"delete points of {bucket!r}"):
            contents = self._contents(bucket)
            shard_ns = contents.bucket.shard_ns
            first, last = shard_number(span.start_ns, shard_ns), shard_number(span.stop_ns - 1, shard_ns)
            touched = [shard for shard in sorted(contents.shards_of(series.measurement)) if first <= shard <= last]
            ranges = {shard: _shard_range(shard, contents.bucket.shard_ns) for shard in touched}
            fields = contents.fields_of(SeriesKey(series.measurement, tuple(sorted(series.tags))))
            if fields and touched:
                deletion = Deletion(series.measurement, tuple(fields), span, ranges)
                delete(self._connection, self._catalog, contents, deletion, lambda: self._guard)

    def ping(self) -> None:
        cursor = self._snapshot(f"use the embedded store {self._path}")
        cursor.close()

    @property
    def open_reads(self) -> int:
        """How many reads use a snapshot of the file."""
        return len(self._cursors)

    def close(self) -> None:
        """End all reads, and release the file."""
        with self._writer:
            for cursor in list(self._cursors):
                cursor.cancel()
            self._connection.close()

    def _identified(self, contents: BucketContents) -> Bucket:
        """The bucket with its id, which another file, or this one opened again, has not."""
        return replace(contents.bucket, id=f"{self._opening}:{contents.id}")

    def _contents(self, name: str) -> BucketContents:
        contents = self._catalog.buckets.get(name)
        if contents is None:
            raise UnknownBucket(name, difflib.get_close_matches(name, self._catalog.buckets, _NEAR_NAMES))
        return contents

    def _snapshot(self, act: str) -> SnapshotCursor:
        with self._guard, self._reopening_after_fatal(act):
            cursor = SnapshotCursor(self._connection.cursor(), act, self._cursors.discard)
            self._cursors.add(cursor)
            return cursor

    def _oldest_ns(self, contents: BucketContents) -> int:
        """The oldest time that has not expired."""
        retention_ns = contents.bucket.retention_ns
        return max(self._clock() - retention_ns, EARLIEST_NS) if retention_ns else EARLIEST_NS

    def _first_shard(self, contents: BucketContents) -> int | None:
        """The first shard group that has not expired as a whole; None without a retention."""
        if not contents.bucket.retention_ns:
            return None
        return shard_number(self._oldest_ns(contents), contents.bucket.shard_ns)

    def _extent(self, contents: BucketContents) -> TimeRange | None:
        """The shard groups that hold something, from the first to the last, less what has expired."""
        shards, shard_ns = contents.shards, contents.bucket.shard_ns
        if not shards:
            return None
        start_ns = max(_shard_range(min(shards), shard_ns).start_ns, self._oldest_ns(contents))
        stop_ns = _shard_range(max(shards), shard_ns).stop_ns
        return TimeRange(start_ns, stop_ns) if start_ns < stop_ns else None

    def _drop_expired(self, contents: BucketContents) -> None:
        """Shard group by shard group, as InfluxDB does: seldom, and all at once."""
        first = self._first_shard(contents)
        if first is not None and contents.has_shards_before(first):
            transactions.drop_expired(self._connection, contents, self._oldest_ns(contents), first, lambda: self._guard)

    @contextmanager
    def _reopening_after_fatal(self, act: str) -> Iterator[None]:
        """Translates errors. After one that made DuckDB give the file up, the file is opened anew at the next use."""
        with translated(act):
            if self._broken:
                self._reopen()
            try:
                yield
            except (duckdb.FatalException, duckdb.InternalException, duckdb.IOException):
                self._broken = True
                raise

    def _reopen(self) -> None:
        with self._guard:
            for cursor in list(self._cursors):
                cursor.cancel()
            self._connection.close()
            self._connection = open_file(self._path, *self._limits)
            self._catalog = transactions.load(self._connection)
            self._broken = False


def _members_of(contents: BucketContents, plan: ReadPlan, selection: Selection) -> dict[str, list[Member]]:
    """The series of a read, by measurement. An older plan may have measurements that are gone."""
    members = {}
    for measurement in plan.measurements:
        if measurement.name in contents.members:
            fields = {field.name: field.types for field in measurement.fields}
            members[measurement.name] = _members(contents, measurement.name, fields, selection.tags)
    return members


def _members(
    contents: BucketContents,
    measurement: str,
    fields: dict[str, tuple[FieldType, ...]],
    tags: tuple[tuple[str, tuple[str, ...]], ...],
) -> list[Member]:
    """The series of a measurement that hold one of these types of one of these fields and match all tag filters."""
    members = []
    for key in contents.members[measurement]:
        if key.type in fields.get(key.field, ()) and (not tags or has_tags(key.tags, tags)):
            members.append((key, contents.ids[key]))
    return members


def _shard_range(shard: int, shard_ns: int) -> TimeRange:
    """What of a shard group lies inside the time domain."""
    start_ns, stop_ns = shard_start_of(shard, shard_ns), shard_start_of(shard + 1, shard_ns)
    return TimeRange(max(start_ns, EARLIEST_NS), min(stop_ns, LATEST_NS + 1))


def _check_retention(name: str, retention_ns: int) -> None:
    """InfluxDB's rule for retentions."""
    if retention_ns and not HOUR_NS <= retention_ns <= LATEST_NS:
        finding = f"The retention of {name!r} must be at least 1h and at most 292 years"
        raise InvalidParameter("retention", f"{finding}, or absent to keep everything.")


def _shard_ns(longest_ns: int, retention_ns: int) -> int:
    """InfluxDB's default for a retention. Where that is a week, and where it is longer, `longest_ns`."""
    default_ns = default_shard_ns(retention_ns)
    return longest_ns if default_ns == WEEK_NS else min(longest_ns, default_ns)
