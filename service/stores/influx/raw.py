"""Raw points, slice by slice: exact in every type, and never over the edge of a shard group.

A query over several shards casts a field that changed its type, or leaves part of it out without a
word (facts, section 8); inside one shard group a field has one type.
"""

import json
from collections.abc import Iterator

from service.domain.schema import Bucket, FieldType
from service.domain.selection import MeasurementPlan, Selection
from service.domain.timerange import TimeRange, slices
from service.errors import StoreFailed
from service.frames.frame import Block
from service.stores.influx import flux, influxql
from service.stores.influx.annotated import first_datatype
from service.stores.influx.failures import not_an_answer
from service.stores.influx.points_csv import PointRows, cut_sections
from service.stores.influx.points_msgpack import PointSeries, series_of
from service.stores.influx.transport import Call, Reply, Transport

_FEW_SLICES = 4
"""More slices than this are worth two small questions for where the data begins and ends."""
_CHUNK_ROWS = "10000"


class RawReader:
    """Reads points of one bucket for one selection, within one call that can be aborted."""

    def __init__(self, transport: Transport, bucket: Bucket, selection: Selection, call: Call) -> None:
        self._transport = transport
        self._bucket = bucket
        self._selection = selection
        self._call = call

    def blocks(self, measurement: MeasurementPlan) -> Iterator[Block]:
        """Blocks of complete rows, slice by slice, in ascending order of the slices."""
        span = self._filled(measurement, self._selection.span)
        if span is None:
            return
        exact = any(len(field.types) > 1 or field.types == (FieldType.STRING,) for field in measurement.fields)
        for piece in slices(span, self._bucket.shard_ns):
            yield from self._by_msgpack(measurement, piece) if exact else self._by_csv(measurement, piece)

    def _by_csv(self, measurement: MeasurementPlan, span: TimeRange) -> Iterator[Block]:
        reply = self._ask(measurement, measurement.tags, span, "application/csv")
        rows = PointRows(measurement.name, [(field.name, field.types[0]) for field in measurement.fields], measurement.tags)
        for lines in cut_sections(reply.chunks()):
            yield rows.block(lines)

    def _by_msgpack(self, measurement: MeasurementPlan, span: TimeRange) -> Iterator[Block]:
        reply = self._ask(measurement, (), span, "application/x-msgpack")
        points = PointSeries(
            measurement.name,
            [(field.name, field.types) for field in measurement.fields],
            measurement.tags,
            lambda field: self._type_in(measurement.name, field, span),
        )
        yield from points.blocks(series_of(reply.chunks()))

    def _ask(self, measurement: MeasurementPlan, keys: tuple[str, ...], span: TimeRange, accept: str) -> Reply:
        origin = influxql.source(self._bucket.name, measurement.name)
        query = influxql.select_points(origin, [field.name for field in measurement.fields], keys, span, self._selection.tags)
        return self._query(f"{query}; {influxql.show_fields(origin)}", accept)

    def _query(self, query: str, accept: str) -> Reply:
        parameters = {**influxql.database(self._bucket.name), "epoch": "ns", "chunked": "true", "chunk_size": _CHUNK_ROWS}
        headers = {"Accept": accept, "Content-Type": "application/vnd.influxql"}
        return self._transport.open(
            "POST", "/query", {**parameters, "org": self._transport.org}, query.encode(), headers, self._call, self._bucket.name
        )

    def _filled(self, measurement: MeasurementPlan, span: TimeRange) -> TimeRange | None:
        """The part of `span` from the first to the last point, when looking for it saves slices."""
        if span.length_ns <= _FEW_SLICES * self._bucket.shard_ns:
            return span
        first = self._edge(measurement, span, newest=False)
        last = self._edge(measurement, span, newest=True)
        return None if first is None or last is None else TimeRange(first, last + 1)

    def _edge(self, measurement: MeasurementPlan, span: TimeRange, newest: bool) -> int | None:
        origin = influxql.source(self._bucket.name, measurement.name)
        fields = [(field.name, field.types) for field in measurement.fields]
        return edge_time(self._query(influxql.edge_point(origin, fields, newest, span), "application/json").read())

    def _type_in(self, measurement: str, field: str, span: TimeRange) -> FieldType:
        """The type of a field inside one shard group, which only Flux says."""
        query = flux.pipeline(
            flux.source(self._bucket.name, span), flux.any_of("_measurement", [measurement]), flux.any_of("_field", [field]), "  |> first()"
        )
        return first_datatype(ask_flux(self._transport, query, self._call, self._bucket.name).chunks())


def ask_flux(transport: Transport, query: str, call: Call, bucket: str) -> Reply:
    """Send a Flux query; the answer is annotated CSV."""
    dialect = {"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True}
    body = json.dumps({"query": query, "type": "flux", "dialect": dialect}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/csv"}
    return transport.open("POST", "/api/v2/query", {"org": transport.org}, body, headers, call, bucket)


def edge_time(body: bytes) -> int | None:
    """The time of the one point that an InfluxQL answer (JSON, epoch=ns) holds."""
    try:
        results = [json.loads(line)["results"] for line in body.splitlines() if line.strip()]
    except (ValueError, KeyError, TypeError):
        raise not_an_answer("/query", "it answers something that is not JSON") from None
    for result in (one for found in results for one in found):
        if "error" in result:
            raise StoreFailed(f"InfluxDB answered an error ({result['error']}). Its log says more.")
        for series in result.get("series", []):
            return int(series["values"][0][0])
    return None
