"""The contents of an InfluxDB: its buckets, their measurements, fields and tags, and where data begins and ends."""

import contextlib
import difflib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.durations import SECOND_NS
from service.domain.schema import Bucket, FieldType, MeasurementSchema
from service.domain.series import FieldSeries, SeriesKey, Tags
from service.domain.shards import default_shard_ns
from service.domain.timerange import TimeRange
from service.domain.unreadable import NameKind, UnreadableName, listed, shown_bytes
from service.errors import InvalidParameter, StoreBroken, StoreDenied, UnknownBucket, UnreadableText, WrongMapping
from service.stores.influx import influxql
from service.stores.influx.answers import objects
from service.stores.influx.failures import failure, not_an_answer, query_failure
from service.stores.influx.mappings import influxql_name
from service.stores.influx.results import ACCEPT, is_readable, readable, results_of, tags_of
from service.stores.influx.transport import Transport

_PAGE = 100
"""InfluxDB's largest page of buckets. Without a limit it answers 20 of them and no more."""
_EMPTY_PAGES = 10
"""So many pages of buckets that a narrow token may not see are passed over."""
SeriesRows = list[tuple[str, list[list[Any]]]]
"""Series of an InfluxQL answer: name and rows."""


@dataclass(frozen=True)
class Route:
    """A bucket's ID, and the name that leads InfluxQL to it."""

    bucket_id: str
    influxql_name: str


@dataclass(frozen=True)
class FieldTypes:
    """A field whose newest values are asked for, with the types it has."""

    measurement: str
    field: str
    types: tuple[FieldType, ...]


@dataclass(frozen=True)
class Newest:
    """The newest value of one series."""

    series: FieldSeries
    time_ns: int
    value: float | int | str | bool


class Catalog:
    """Asks InfluxDB for its contents. Keeps the organization's ID, and the name by which InfluxQL reaches each bucket.

    `bucket` asks for that name again. A caller that reads by InfluxQL calls `confirm` afterwards, to know whether the
    name still leads to the bucket.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._org_id: str | None = None
        self._routes: dict[str, Route] = {}

    def buckets(self) -> list[Bucket]:
        with checked_answer("/api/v2/buckets"):
            return sorted(map(_bucket, self._pages()), key=lambda bucket: bucket.name)

    def bucket(self, name: str) -> Bucket:
        """Raises UnknownBucket with near names, also when the token may not see the bucket."""
        document = self.user_document(name)
        bucket_id = str(document["id"])
        self._routes[name] = Route(bucket_id, influxql_name(self._transport, name, bucket_id))
        with checked_answer("/api/v2/buckets"):
            return _bucket(document)

    def user_document(self, name: str) -> dict[str, Any]:
        """A user's bucket as InfluxDB describes it. Raises UnknownBucket, as `bucket` does."""
        document = self.document(name)
        if document is None or document.get("type") == "system":
            names = [bucket.name for bucket in self.buckets()]
            raise UnknownBucket(name, difflib.get_close_matches(name, names))
        return document

    def route(self, bucket: str) -> Route:
        """How InfluxQL reaches a bucket, as the last `bucket` found."""
        return self._routes[bucket]

    def confirm(self, bucket: str, route: Route) -> None:
        """Raises StoreBroken when `route` no longer leads to the bucket: the answers may be of another bucket."""
        try:
            if influxql_name(self._transport, bucket, route.bucket_id) == route.influxql_name:
                return
        except (InvalidParameter, WrongMapping):
            pass
        raise StoreBroken(f"InfluxDB's mapping of the name {bucket!r} changed during the read. Ask again.")

    @contextlib.contextmanager
    def reached(self, name: str) -> Iterator[Bucket]:
        """The bucket, for a block of InfluxQL requests. Raises StoreBroken if some may have reached another one."""
        bucket, route = self.bucket(name), self.route(name)
        yield bucket
        self.confirm(name, route)

    def source(self, bucket: str, measurement: str | None = None) -> str:
        """As `influxql.source`, under the name that leads to the bucket."""
        return influxql.source(self.route(bucket).influxql_name, measurement)

    def schema(self, bucket: str) -> list[MeasurementSchema]:
        """Measurements by name, of all the bucket's time: types as `SHOW FIELD KEYS` has them, one a shard's type."""
        types: dict[str, dict[str, set[FieldType]]] = {}
        keys: dict[str, set[str]] = {}
        with checked_answer("/query"):
            fields, tags = self._fields_and_tags(bucket)
            for measurement, rows in fields:
                for field, field_type in rows:
                    types.setdefault(measurement, {}).setdefault(field, set()).add(FieldType(field_type))
            for measurement, rows in tags:
                keys.setdefault(measurement, set()).update(row[0] for row in rows)
        found = (_measurement(name, types[name], keys.get(name, set())) for name in types)
        return sorted(found, key=lambda one: one.name)

    def outermost_point(self, bucket: str, newest: bool) -> int | None:
        """Time of the newest or the oldest point of all measurements, one statement each in one request.

        Raises UnreadableText: a point may be of a name that no question can hold.
        """
        schema = self.schema(bucket)
        for one in schema:
            if one.unreadable:
                raise UnreadableText(f"Not UTF-8: {listed(one.name, one.unreadable)}.", measurement=one.name)
        queries = [influxql.edge_point(self.source(bucket, one.name), one.fields.items(), newest) for one in schema]
        with checked_answer("/query"):
            found = self._show(bucket, *queries) if queries else []
            return (max if newest else min)((int(rows[0][0]) for series in found for _, rows in series), default=None)

    def sums(self, bucket: str, queries: Sequence[str]) -> list[list[tuple[int, int]]]:
        """For each query, whose rows are whole numbers, the time and the sum of each row; all in one request."""
        with checked_answer("/query"):
            sums = []
            for series in self._show(bucket, *queries):
                rows = [row for _, rows_of_series in series for row in rows_of_series]
                sums.append([(int(time_ns), sum(number or 0 for number in numbers)) for time_ns, *numbers in rows])
            return sums

    def tag_sets(self, bucket: str, query: str) -> set[Tags]:
        """The tags of each series that `query`, grouped by all of them, answers."""
        with checked_answer("/query"):
            series = [one for result in self._results(bucket, query) for one in result.get("series", [])]
            return {tags_of(one) for one in series}

    def newest(self, bucket: str, span: TimeRange, fields: Sequence[FieldTypes]) -> list[Newest]:
        """The newest value of each field in each series, in one request.

        A number in a field of several types gets the first type that fits.
        """
        queries = [influxql.newest_value(self.source(bucket, field.measurement), field.field, span) for field in fields]
        newest: list[Newest] = []
        with checked_answer("/query"):
            for result in self._results(bucket, *queries):
                field = fields[result["statement_id"]]
                for series in result.get("series", []):
                    key = SeriesKey(field.measurement, tags_of(series))
                    for time_ns, value in (row for row in series["values"] if row[1] is not None):
                        kind = _type_of(value, field.types)
                        fitting = float(value) if kind is FieldType.FLOAT else _exact(value)
                        newest.append(Newest(FieldSeries(key, field.field, kind), int(time_ns), fitting))
        return newest

    def ping(self) -> None:
        """Prove that the token is taken: the list of buckets needs one, `/health` and `/ping` do not."""
        self._transport.json("GET", "/api/v2/buckets", {"limit": "1", "org": self._transport.org})

    def _fields_and_tags(self, bucket: str) -> tuple[SeriesRows, SeriesRows]:
        """Field types and tag keys by measurement."""
        show_fields = influxql.show_fields(self.source(bucket))
        if influxql.database(self.route(bucket).influxql_name)["rp"] == influxql.DEFAULT_POLICY:
            fields, tags = self._show(bucket, show_fields, influxql.show_tags())
            return fields, tags
        (fields,) = self._show(bucket, show_fields)
        first = {measurement: str(rows[0][0]) for measurement, rows in fields if rows and is_readable(measurement)}
        queries = [influxql.one_point(self.source(bucket, measurement), field) for measurement, field in first.items()]
        keys = [
            (series["name"], [[key] for key in series.get("tags") or {}])
            for result in (self._results(bucket, *queries) if queries else [])
            for series in result.get("series", [])
        ]
        return fields, keys

    def document(self, name: str) -> dict[str, Any] | None:
        """A bucket as InfluxDB describes it, also a system bucket. None: the token sees no such bucket."""
        parameters = {"name": name, "org": self._transport.org, "limit": "2"}
        reply = self._transport.send("GET", "/api/v2/buckets", parameters)
        body = reply.read()
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise failure(reply.status, reply.headers, body)
        return next((document for document in _listed(body) if document.get("name") == name), None)

    def _pages(self) -> Iterator[dict[str, Any]]:
        """All user buckets.

        InfluxDB cuts the pages first and then omits buckets that the token may not see. So pages are counted by offset.
        For a token that sees no system bucket, an empty page is not the end.
        """
        offset, empty, narrow, seen = 0, 0, True, set[str]()
        while empty <= (_EMPTY_PAGES if narrow else 0):
            parameters = {"org": self._transport.org, "limit": str(_PAGE), "offset": str(offset)}
            page = _listed(self._transport.open("GET", "/api/v2/buckets", parameters).read())
            fresh = [document for document in page if document["id"] not in seen]
            empty = 0 if fresh else empty + 1
            seen.update(document["id"] for document in fresh)
            narrow = narrow and all(document.get("type") != "system" for document in fresh)
            yield from (document for document in fresh if document.get("type") != "system")
            offset += _PAGE

    def org_id(self) -> str:
        """The ID of the organization. Raises StoreDenied where the token may not see it."""
        with self._lock:
            if self._org_id is None:
                reply = self._transport.open("GET", "/api/v2/orgs", {"org": self._transport.org})
                orgs = objects(reply.read(), "orgs")
                if not orgs or "id" not in orgs[0]:
                    finding = f"InfluxDB shows no organization {self._transport.org!r} to this token"
                    raise StoreDenied(
                        f"{finding}, and a bucket cannot be made without.",
                        advice="Check {org}, let the token read the organization, or make the bucket by hand.",
                    )
                self._org_id = str(orgs[0]["id"])
            return self._org_id

    def _show(self, bucket: str, *queries: str) -> list[SeriesRows]:
        """For each query its series: name and rows."""
        answers: list[SeriesRows] = [[] for _ in queries]
        for result in self._results(bucket, *queries):
            rows = [(series["name"], series["values"]) for series in result.get("series", [])]
            answers[result["statement_id"]] += rows
        return answers

    def _results(self, bucket: str, *queries: str) -> list[dict[str, Any]]:
        """The results of some small statements in one request; all of them must be there."""
        results = results_of(self._influxql(bucket, "; ".join(queries)))
        for result in results:
            if "error" in result:
                raise query_failure(str(result["error"]))
        if not results or results[-1].get("statement_id") != len(queries) - 1:
            raise not_an_answer("/query", "it answers no results")
        return results

    def _influxql(self, bucket: str, query: str) -> bytes:
        parameters = {**influxql.database(self.route(bucket).influxql_name), "epoch": "ns", "org": self._transport.org}
        headers = {"Accept": ACCEPT, "Content-Type": "application/vnd.influxql"}
        return self._transport.open("POST", "/query", parameters, query.encode(), headers, bucket=bucket).read()


@contextlib.contextmanager
def checked_answer(path: str) -> Iterator[None]:
    """An answer that lacks a member, or has another type of it, is not InfluxDB's: StoreBroken."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as broken:
        raise not_an_answer(path, "its answer lacks what is due") from broken


def _measurement(name: str, types: dict[str, set[FieldType]], keys: set[str]) -> MeasurementSchema:
    """Of names with surrogates for bytes that are no UTF-8."""
    texts = [(NameKind.MEASUREMENT, name)]
    texts += [(NameKind.TAG_KEY, key) for key in sorted(keys)] + [(NameKind.FIELD, field) for field in sorted(types)]
    return MeasurementSchema(
        shown_bytes(name),
        tuple(sorted(filter(is_readable, keys))),
        {
            field: tuple(kind for kind in FieldType if kind in types[field])
            for field in sorted(types)
            if is_readable(field)
        },
        tuple(UnreadableName.of(kind, text) for kind, text in texts if not is_readable(text)),
    )


def _exact(value: Any) -> Any:  # noqa: ANN401  (one of the types of values)
    return readable(value) if isinstance(value, str) else value


def _type_of(value: object, types: tuple[FieldType, ...]) -> FieldType:
    if len(types) == 1:
        return types[0]
    if isinstance(value, bool | str):
        return FieldType.BOOLEAN if isinstance(value, bool) else FieldType.STRING
    return next((field_type for field_type in types if field_type.numeric), FieldType.FLOAT)


def _listed(body: bytes) -> list[dict[str, Any]]:
    documents = objects(body, "buckets")
    if all(isinstance(document.get("id"), str) and isinstance(document.get("name"), str) for document in documents):
        return documents
    raise not_an_answer("/api/v2/buckets", "it answers no list of buckets")


def _bucket(document: dict[str, Any]) -> Bucket:
    rule: dict[str, Any] = next(iter(document.get("retentionRules") or []), {})
    retention_s = int(rule.get("everySeconds") or 0)
    shard_s = int(rule.get("shardGroupDurationSeconds") or default_shard_ns(retention_s * SECOND_NS) // SECOND_NS)
    name, description = str(document["name"]), str(document.get("description") or "")
    return Bucket(name, description, retention_s * SECOND_NS, shard_s * SECOND_NS, str(document["id"]))
