"""InfluxDB as a store: the port's methods, each in its own file behind this one."""

import contextlib
import time
from collections.abc import Collection, Generator
from dataclasses import dataclass

from service.domain.bucket_details import BucketDetails
from service.domain.schema import Bucket, BucketSpec, MeasurementSchema
from service.domain.selection import ReadPlan, Selection, plan_read
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, UnreadableText, WrongMapping
from service.frames import long_form
from service.frames.frame import Block, Reading
from service.frames.points import Points
from service.sockets import ANYWHERE, Connector
from service.stores.influx.aggregates import WindowReader
from service.stores.influx.bucket_changes import create_bucket, update_bucket
from service.stores.influx.bucket_details import BucketDetailsApi
from service.stores.influx.catalog import Catalog, Route
from service.stores.influx.counting import count_points
from service.stores.influx.deleting import delete_points
from service.stores.influx.latest import newest_frames, outermost_time, readable_frames
from service.stores.influx.raw import RawReader
from service.stores.influx.read_ahead import ReadAhead
from service.stores.influx.row_order import row_order
from service.stores.influx.server_version import server_version
from service.stores.influx.tag_values import tag_values
from service.stores.influx.transport import Call, Transport
from service.stores.influx.writing import write_points
from service.stores.protocol import MOST_TAG_VALUES, UNBOUNDED, Latest, WriteBounds, WriteOutcome
from service.stores.row_order import RowOrder

_SCHEMA_KEPT_S = 10.0


@dataclass
class _KeptSchema:
    """A bucket's schema at a time.

    `unread`: measurements that hold something that is no Unicode, as far as is known.
    """

    at_s: float
    schema: list[MeasurementSchema]
    unread: set[str]


class InfluxStore:
    """A `Store` on InfluxDB 2.x or Cloud.

    `read_timeout_s` bounds a whole read, `silence_timeout_s` each wait for bytes. `packed`: bodies are gzipped, which
    pays over a slow connection. `connector` decides which addresses are connected to.
    """

    name = "influx"

    def __init__(
        self,
        url: str,
        token: str,
        org: str,
        *,
        connect_timeout_s: float = 5.0,
        silence_timeout_s: float = 60.0,
        read_timeout_s: float = 600.0,
        packed: bool = False,
        connector: Connector = ANYWHERE,
    ) -> None:
        self._transport = Transport(
            url,
            token,
            org,
            connect_timeout_s=connect_timeout_s,
            silence_timeout_s=silence_timeout_s,
            packed=packed,
            connector=connector,
        )
        self._catalog = Catalog(self._transport)
        self._details = BucketDetailsApi(self._transport, self._catalog)
        self._read_timeout_s = read_timeout_s
        self._schemas: dict[str, _KeptSchema] = {}

    def moved_bytes(self) -> int:
        """How many bytes were sent and received so far."""
        return self._transport.meter.moved_bytes

    def server(self) -> str:
        return server_version(self._transport)

    def buckets(self) -> list[Bucket]:
        return self._catalog.buckets()

    def bucket(self, name: str) -> Bucket:
        return self._catalog.bucket(name)

    def create_bucket(self, spec: BucketSpec) -> bool:
        return create_bucket(self._transport, self._catalog, spec)

    def update_bucket(self, name: str, description: str, retention_ns: int) -> None:
        try:
            update_bucket(self._transport, self._catalog, name, description, retention_ns)
        finally:
            self._schemas.pop(name, None)

    def bucket_details(self, name: str) -> BucketDetails:
        return self._details.read(name)

    def add_bucket_details(self, name: str, details: BucketDetails) -> list[str]:
        return self._details.add(name, details)

    def first_point(self, bucket: str) -> int | None:
        return self._outermost_point(bucket, newest=False)

    def last_point(self, bucket: str) -> int | None:
        return self._outermost_point(bucket, newest=True)

    def _outermost_point(self, bucket: str, newest: bool) -> int | None:
        try:
            with self._catalog.reached(bucket):
                return self._catalog.outermost_point(bucket, newest)
        except (InvalidParameter, WrongMapping, UnreadableText):  # one odd bucket must not spoil a list of them
            return outermost_time(self._transport, bucket, newest, Call(self._read_timeout_s))

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        with self._catalog.reached(bucket):
            return self._catalog.schema(bucket)

    def tag_values(
        self, bucket: str, key: str, wanted: Collection[str], most: int = MOST_TAG_VALUES
    ) -> list[str] | None:
        self._catalog.user_document(bucket)  # Flux would answer for a system bucket too
        return tag_values(self._transport, bucket, key, wanted, most, Call(self._read_timeout_s))

    def read(self, selection: Selection) -> Reading:
        bucket = self._catalog.bucket(selection.bucket)
        route = self._catalog.route(bucket.name)
        plan = plan_read(selection, self._catalog.schema(bucket.name))
        call = Call(self._read_timeout_s)
        ahead = ReadAhead(self._confirmed(bucket, route, self._blocks(bucket, route, selection, plan, call)), call)
        return Reading(plan, iter(ahead), ahead.cancel)

    def _confirmed(
        self,
        bucket: Bucket,
        route: Route,
        blocks: Generator[Block, None, None],
    ) -> Generator[Block, None, None]:
        """`blocks`, after a check that the first is of this bucket. Raises at the end where others may not be."""
        with contextlib.closing(blocks):
            for number, block in enumerate(blocks):
                if number == 0:
                    self._catalog.confirm(bucket.name, route)
                yield block
        self._catalog.confirm(bucket.name, route)

    def _blocks(
        self,
        bucket: Bucket,
        route: Route,
        selection: Selection,
        plan: ReadPlan,
        call: Call,
    ) -> Generator[Block, None, None]:
        reader: RawReader | WindowReader
        if selection.windows is None:
            reader = RawReader(self._transport, bucket, route.influxql_name, selection, call)
        else:
            extent = self._extent(bucket.name) if selection.windows.months else None
            if selection.windows.months and extent is None:
                return
            reader = WindowReader(self._transport, bucket, route.influxql_name, selection, plan.skipped, call, extent)
        for measurement in plan.measurements:
            try:
                yield from reader.blocks(measurement)
            except UnreadableText as error:
                raise UnreadableText(
                    f"{error.finding} It is in the measurement {measurement.name!r}.",
                    measurement=measurement.name,
                    upstream=error.upstream,
                ) from error

    def _extent(self, bucket: str) -> TimeRange | None:
        """From the bucket's first point to its last.

        Each month is a query of its own, so it is worth asking for this.
        """
        first_ns = self.first_point(bucket)
        last_ns = None if first_ns is None else self.last_point(bucket)
        return None if first_ns is None or last_ns is None else TimeRange(first_ns, last_ns + 1)

    def window_order(self, selection: Selection, plan: ReadPlan) -> RowOrder | None:
        return row_order(selection, plan)

    def count_points(
        self,
        bucket: str,
        measurements: Collection[str],
        span: TimeRange,
        step_ns: int,
    ) -> dict[int, int] | None:
        with self._catalog.reached(bucket):
            return count_points(self._catalog, bucket, measurements, span, step_ns)

    def latest(self, bucket: str, span: TimeRange, word: str, measurements: Collection[str] | None = None) -> Latest:
        kept = self._remembered(bucket)
        wanted = [one for one in kept.schema if word in one.name and (measurements is None or one.name in measurements)]
        call = Call(self._read_timeout_s)
        frames, unread = readable_frames(
            lambda part: newest_frames(self._transport, self._catalog, bucket, span, part, call),
            [one for one in wanted if one.name not in kept.unread],
        )
        kept.unread |= unread
        present = long_form.present_measurements(frames)
        fields = {one.name: {name: tuple(map(str, types)) for name, types in one.fields.items()} for one in wanted}
        left_out = sorted(kept.unread & set(fields))
        return Latest(tuple(frames), {name: fields[name] for name in sorted(present & set(fields))}, tuple(left_out))

    def _remembered(self, bucket: str) -> "_KeptSchema":
        """The schema, kept for a few seconds: who asks for the latest asks often."""
        now = time.monotonic()
        kept = self._schemas.get(bucket)
        if kept is None or now - kept.at_s > _SCHEMA_KEPT_S:
            schema = self.schema(bucket)
            kept = _KeptSchema(now, schema, {one.name for one in schema if one.unreadable})
            self._schemas[bucket] = kept
        return kept

    def write(self, bucket: str, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
        try:
            return write_points(self._transport, self._catalog.bucket(bucket), points, bounds)
        finally:
            self._schemas.pop(bucket, None)

    def delete_points(self, bucket: str, series: SeriesKey, span: TimeRange) -> None:
        try:
            key = SeriesKey(series.measurement, tuple(sorted(series.tags)))
            delete_points(self._transport, self._catalog, bucket, key, span)
        finally:
            self._schemas.pop(bucket, None)

    def ping(self) -> None:
        self._catalog.ping()

    def close(self) -> None:
        self._transport.close()
