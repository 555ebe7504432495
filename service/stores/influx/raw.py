"""Reads raw points slice by slice: exact in every type, and never across the edge of a shard group.

A query over several shards casts the values of a field that changed its type, or leaves some of them out, without an
error (influxdb v2.9.1). Inside one shard group a field has one type.
"""

import json
import math
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from service.domain.durations import HOUR_NS
from service.domain.schema import Bucket, FieldType
from service.domain.selection import MeasurementPlan, Selection
from service.domain.shards import shard_slices
from service.domain.timerange import TimeRange
from service.errors import EndMarkMissing
from service.frames.frame import Block
from service.stores.influx import flux, influxql
from service.stores.influx.annotated_csv import first_datatype
from service.stores.influx.failures import not_an_answer, query_failure
from service.stores.influx.points_csv import PointRows, cut_sections
from service.stores.influx.points_msgpack import PointSeries, series_rows
from service.stores.influx.transport import Call, Reply, Transport

_FEW_SLICES = 4
"""More slices than this are worth two small questions for where the data begins and ends."""
_CHUNK_ROWS = "10000"


class RawReader:
    """Reads points of one bucket for one selection, within one call that can be aborted.

    `influxql_name`: the name by which InfluxQL reaches the bucket.
    """

    def __init__(
        self,
        transport: Transport,
        bucket: Bucket,
        influxql_name: str,
        selection: Selection,
        call: Call,
    ) -> None:
        self._transport = transport
        self._influxql_name = influxql_name
        self._bucket = bucket
        self._selection = selection
        self._query_filters = tuple((key, values) for key, values in selection.tags if influxql.can_filter(key))
        self._row_filters = tuple((key, values) for key, values in selection.tags if not influxql.can_filter(key))
        """Filters that InfluxQL cannot express. They are applied to the rows."""
        self._call = call

    def blocks(self, measurement: MeasurementPlan) -> Iterator[Block]:
        """Blocks of complete rows, slice by slice, in ascending order. Ranges without points are skipped."""
        mixed = any(len(field.types) > 1 for field in measurement.fields)
        exact = mixed or _needs_msgpack(measurement)
        step_ns = _slice_ns(self._bucket, mixed)
        rest = self._filled(measurement, self._selection.span, step_ns)
        while rest is not None:
            piece, has_points = next(shard_slices(rest, step_ns)), False
            for block in self._by_msgpack(measurement, piece) if exact else self._by_csv(measurement, piece):
                has_points = True
                if fitting := _fitting(block, self._row_filters):
                    yield fitting
            rest = TimeRange(piece.stop_ns, rest.stop_ns) if piece.stop_ns < rest.stop_ns else None
            if rest is not None and not has_points:
                rest = self._from_first_point(measurement, rest, step_ns)

    def _by_csv(self, measurement: MeasurementPlan, span: TimeRange) -> Iterator[Block]:
        reply = self._ask(measurement, measurement.tags, span, "application/csv")
        fields = [(field.name, field.types[0]) for field in measurement.fields]
        rows = PointRows(measurement.name, fields, measurement.tags)
        try:
            for lines in cut_sections(reply.chunks()):
                yield rows.block(lines)
        except EndMarkMissing:
            self._raise_reason(measurement, span)
            raise

    def _raise_reason(self, measurement: MeasurementPlan, span: TimeRange) -> None:
        """CSV swallows the error of a statement: ask again in MessagePack, which raises it."""
        for _ in series_rows(self._ask(measurement, (), span, "application/x-msgpack").chunks()):
            pass

    def _by_msgpack(self, measurement: MeasurementPlan, span: TimeRange) -> Iterator[Block]:
        reply = self._ask(measurement, (), span, "application/x-msgpack")
        points = PointSeries(
            measurement.name,
            [(field.name, field.types) for field in measurement.fields],
            measurement.tags,
            lambda field: self._type_in(measurement.name, field, span),
        )
        yield from points.blocks(series_rows(reply.chunks()))

    def _ask(self, measurement: MeasurementPlan, keys: tuple[str, ...], span: TimeRange, accept: str) -> Reply:
        origin = influxql.source(self._influxql_name, measurement.name)
        fields = [field.name for field in measurement.fields]
        query = influxql.select_points(origin, fields, keys, span, self._query_filters)
        return self._query(f"{query}; {influxql.show_fields(origin)}", accept)

    def _query(self, query: str, accept: str) -> Reply:
        parameters = {
            **influxql.database(self._influxql_name),
            "epoch": "ns",
            "chunked": "true",
            "chunk_size": _CHUNK_ROWS,
        }
        headers = {"Accept": accept, "Content-Type": "application/vnd.influxql"}
        return self._transport.open(
            "POST",
            "/query",
            {**parameters, "org": self._transport.org},
            query.encode(),
            headers,
            self._call,
            self._bucket.name,
        )

    def _filled(self, measurement: MeasurementPlan, span: TimeRange, step_ns: int) -> TimeRange | None:
        """The part of `span` from the first to the last point, when looking for it saves slices."""
        if span.length_ns <= _FEW_SLICES * step_ns:
            return span
        first = self._edge(measurement, span, newest=False)
        last = self._edge(measurement, span, newest=True)
        return None if first is None or last is None else TimeRange(first, last + 1)

    def _from_first_point(self, measurement: MeasurementPlan, span: TimeRange, step_ns: int) -> TimeRange | None:
        """`span` from its first point on, when looking for it saves slices."""
        if span.length_ns <= _FEW_SLICES * step_ns:
            return span
        first = self._edge(measurement, span, newest=False)
        return None if first is None else TimeRange(first, span.stop_ns)

    def _edge(self, measurement: MeasurementPlan, span: TimeRange, newest: bool) -> int | None:
        origin = influxql.source(self._influxql_name, measurement.name)
        fields = [(field.name, field.types) for field in measurement.fields]
        query = influxql.edge_point(origin, fields, newest, span, self._query_filters)
        return edge_time(self._query(query, "application/json").read())

    def _type_in(self, measurement: str, field: str, span: TimeRange) -> FieldType:
        """The type of a field inside one shard group. Only Flux has it. The answer has no names, so none can change."""
        query = flux.pipeline(
            flux.source(self._bucket.name, span),
            flux.any_of("_measurement", [measurement]),
            flux.any_of("_field", [field]),
            "  |> first()",
            '  |> keep(columns: ["_time", "_value"])',
        )
        return first_datatype(ask_flux(self._transport, query, self._call, self._bucket.name).chunks())


def _fitting(block: Block, filters: influxql.Tags) -> Block:
    """The rows of `block` whose tags have one of the accepted values of every filter."""
    for key, values in filters:
        accepted = pa.array([value for value in values if value], pa.string())
        frames = (frame.filter(pc.is_in(frame.column(key).cast(pa.string()), accepted)) for frame in block)
        block = tuple(frame for frame in frames if frame.num_rows)
    return block


def _needs_msgpack(measurement: MeasurementPlan) -> bool:
    """Whether the measurement has text, or names that a list of columns in InfluxQL cannot have."""
    names = (*(field.name for field in measurement.fields), *measurement.tags)
    has_text = any(FieldType.STRING in field.types for field in measurement.fields)
    return has_text or not all(map(influxql.can_quote, names))


def _slice_ns(bucket: Bucket, mixed: bool) -> int:
    """The length of slices. For a field of several types it is at most an hour.

    Shard groups that are older than a change of the bucket keep their length, which is an hour by default for a short
    retention (`domain/shards`). A slice over several of them would lose types.
    """
    return math.gcd(bucket.shard_ns, HOUR_NS) if mixed else bucket.shard_ns


def ask_flux(transport: Transport, query: str, call: Call, bucket: str) -> Reply:
    """Send a Flux query; the answer is annotated CSV."""
    dialect = {"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True}
    body = json.dumps({"query": query, "type": "flux", "dialect": dialect}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/csv"}
    return transport.open("POST", "/api/v2/query", {"org": transport.org}, body, headers, call, bucket)


def edge_time(body: bytes) -> int | None:
    """The time of the one point that an InfluxQL answer (JSON, epoch=ns) holds."""
    try:
        results = [result for line in body.splitlines() if line.strip() for result in json.loads(line)["results"]]
        errors = [str(result["error"]) for result in results if "error" in result]
        times = [int(series["values"][0][0]) for result in results for series in result.get("series", [])]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise not_an_answer("/query", "it answers something that is not JSON") from None
    if errors:
        raise query_failure(errors[0])
    if not results:
        raise not_an_answer("/query", "it answers no results")
    return times[0] if times else None
