"""What an InfluxDB holds: its buckets, their measurements, fields and tags, and where data begins and ends."""

import contextlib
import difflib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.durations import SECOND_NS
from service.domain.schema import Bucket, FieldType, MeasurementSchema
from service.domain.series import FieldSeries, SeriesKey, Tags
from service.domain.shards import default_shard_ns
from service.domain.timerange import TimeRange
from service.errors import InvalidParameter, StoreBroken, StoreDenied, UnknownBucket, WrongMapping
from service.stores.influx import influxql
from service.stores.influx.answers import objects
from service.stores.influx.failures import failure, not_an_answer, query_failure
from service.stores.influx.mappings import influxql_name
from service.stores.influx.transport import Transport

_PAGE = 100
"""InfluxDB's largest page of buckets. Without a limit it answers 20 of them and no more."""
_EMPTY_PAGES = 10
"""So many pages of buckets that a narrow token may not see are passed over."""
_HOUR_S = 3_600
Shown = list[tuple[str, list[list[Any]]]]
"""Series of an InfluxQL answer: name and rows."""


@dataclass(frozen=True)
class Route:
    """A bucket's ID, and the name that leads InfluxQL to it."""

    bucket_id: str
    influxql_name: str


@dataclass(frozen=True)
class Asked:
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
    """Asks InfluxDB what is there. Remembers the organization's ID, and under which name InfluxQL finds each bucket.

    `bucket` asks for that name anew; who reads by InfluxQL asks `confirm` afterwards whether it still led there.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._org_id: str | None = None
        self._routes: dict[str, Route] = {}

    def buckets(self) -> list[Bucket]:
        with making_sense("/api/v2/buckets"):
            return sorted((_bucket(one) for one in self._pages()), key=lambda one: one.name)

    def bucket(self, name: str) -> Bucket:
        """Raises UnknownBucket with near names, also when the token may not see the bucket."""
        found = self.user_document(name)
        bucket_id = str(found["id"])
        self._routes[name] = Route(bucket_id, influxql_name(self._transport, name, bucket_id))
        with making_sense("/api/v2/buckets"):
            return _bucket(found)

    def user_document(self, name: str) -> dict[str, Any]:
        """A user's bucket as InfluxDB describes it. Raises UnknownBucket, as `bucket` does."""
        document = self.document(name)
        if document is None or document.get("type") == "system":
            names = [bucket.name for bucket in self.buckets()]
            raise UnknownBucket(name, difflib.get_close_matches(name, names))
        return document

    def route(self, bucket: str) -> Route:
        """How InfluxQL was found to reach a bucket that was asked for."""
        return self._routes[bucket]

    def confirm(self, bucket: str, route: Route) -> None:
        """Raises StoreBroken when `route` no longer leads to the bucket: what was read may be another one's."""
        try:
            if influxql_name(self._transport, bucket, route.bucket_id) == route.influxql_name:
                return
        except (InvalidParameter, WrongMapping):
            pass
        raise StoreBroken(f"InfluxDB's mapping of the name {bucket!r} changed during the read. Ask again.")

    @contextlib.contextmanager
    def reached(self, name: str) -> Iterator[Bucket]:
        """The bucket, for questions to InfluxQL whose answers count only if all of them reached it."""
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
        with making_sense("/query"):
            fields, tags = self._fields_and_tags(bucket)
            for measurement, rows in fields:
                for field, kind in rows:
                    types.setdefault(measurement, {}).setdefault(field, set()).add(FieldType(kind))
            for measurement, rows in tags:
                keys.setdefault(measurement, set()).update(row[0] for row in rows)
        return [
            MeasurementSchema(
                measurement,
                tuple(sorted(keys.get(measurement, ()))),
                {name: tuple(kind for kind in FieldType if kind in found[name]) for name in sorted(found)},
            )
            for measurement, found in sorted(types.items())
        ]

    def outermost_point(self, bucket: str, newest: bool) -> int | None:
        """Time of the newest or the oldest point of all measurements, one statement each in one request."""
        queries = [influxql.edge_point(self.source(bucket, one.name), one.fields.items(), newest) for one in self.schema(bucket)]
        with making_sense("/query"):
            found = self._show(bucket, *queries) if queries else []
            return (max if newest else min)((int(rows[0][0]) for series in found for _, rows in series), default=None)

    def sums(self, bucket: str, queries: Sequence[str]) -> list[list[tuple[int, int]]]:
        """For each query, whose rows are whole numbers, the time and the sum of each row; all in one request."""
        with making_sense("/query"):
            return [
                [(int(time_ns), sum(number or 0 for number in numbers)) for _, rows in series for time_ns, *numbers in rows]
                for series in self._show(bucket, *queries)
            ]

    def tag_sets(self, bucket: str, query: str) -> set[Tags]:
        """The tags of each series that `query`, grouped by all of them, answers."""
        with making_sense("/query"):
            series = [one for result in self._results(bucket, query) for one in result.get("series", [])]
            return {_tags(one) for one in series}

    def newest(self, bucket: str, span: TimeRange, fields: Sequence[Asked]) -> list[Newest]:
        """The newest value of each field in each series, in one request. A number of a field of several types has the first that fits."""
        queries = [influxql.newest_value(self.source(bucket, one.measurement), one.field, span) for one in fields]
        found = []
        with making_sense("/query"):
            for result in self._results(bucket, *queries):
                asked = fields[result["statement_id"]]
                for series in result.get("series", []):
                    key = SeriesKey(asked.measurement, _tags(series))
                    for time_ns, value in (row for row in series["values"] if row[1] is not None):
                        kind = _kind(value, asked.types)
                        fitting = float(value) if kind is FieldType.FLOAT else value
                        found.append(Newest(FieldSeries(key, asked.field, kind), int(time_ns), fitting))
        return found

    def ping(self) -> None:
        """Prove that the token is taken: the list of buckets needs one, `/health` and `/ping` do not."""
        self._transport.json("GET", "/api/v2/buckets", {"limit": "1", "org": self._transport.org})

    def _fields_and_tags(self, bucket: str) -> tuple[Shown, Shown]:
        """Field types and tag keys by measurement."""
        show_fields = influxql.show_fields(self.source(bucket))
        if influxql.database(self.route(bucket).influxql_name)["rp"] == influxql.DEFAULT_POLICY:
            fields, tags = self._show(bucket, show_fields, influxql.show_tags())
            return fields, tags
        (fields,) = self._show(bucket, show_fields)
        first = {measurement: str(rows[0][0]) for measurement, rows in fields if rows}
        queries = [influxql.one_point(self.source(bucket, measurement), field) for measurement, field in first.items()]
        keys = [
            (series["name"], [[key] for key in series.get("tags") or {}])
            for result in (self._results(bucket, *queries) if queries else [])
            for series in result.get("series", [])
        ]
        return fields, keys

    def document(self, name: str) -> dict[str, Any] | None:
        parameters = {"name": name, "org": self._transport.org, "limit": "2"}
        reply = self._transport.send("GET", "/api/v2/buckets", parameters)
        body = reply.read()
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise failure(reply.status, reply.headers, body)
        return next((one for one in _listed(body) if one.get("name") == name), None)

    def _pages(self) -> Iterator[dict[str, Any]]:
        """All user buckets. Pages are counted by offset: InfluxDB leaves out what a narrow token may not see after it has cut the
        pages, so for one (it sees no system bucket) empty pages are no end."""
        offset, empty, narrow, seen = 0, 0, True, set[str]()
        while empty <= (_EMPTY_PAGES if narrow else 0):
            parameters = {"org": self._transport.org, "limit": str(_PAGE), "offset": str(offset)}
            page = _listed(self._transport.open("GET", "/api/v2/buckets", parameters).read())
            fresh = [one for one in page if one["id"] not in seen]
            empty = 0 if fresh else empty + 1
            seen.update(one["id"] for one in fresh)
            narrow = narrow and all(one.get("type") != "system" for one in fresh)
            yield from (one for one in fresh if one.get("type") != "system")
            offset += _PAGE

    def org_id(self) -> str:
        with self._lock:
            if self._org_id is None:
                orgs = objects(self._transport.open("GET", "/api/v2/orgs", {"org": self._transport.org}).read(), "orgs")
                if not orgs or "id" not in orgs[0]:
                    raise StoreDenied(
                        f"InfluxDB shows no organization {self._transport.org!r} to this token, and a bucket cannot be made without.",
                        advice="Check {org}, let the token read the organization, or make the bucket by hand.",
                    )
                self._org_id = str(orgs[0]["id"])
            return self._org_id

    def _show(self, bucket: str, *queries: str) -> list[Shown]:
        """For each query its series: name and rows."""
        found: list[Shown] = [[] for _ in queries]
        for result in self._results(bucket, *queries):
            found[result["statement_id"]] += [(one["name"], one["values"]) for one in result.get("series", [])]
        return found

    def _results(self, bucket: str, *queries: str) -> list[dict[str, Any]]:
        """The results of some small statements in one request; all of them must be there."""
        found = [result for line in self._influxql(bucket, "; ".join(queries)).splitlines() for result in _results(line)]
        for result in found:
            if "error" in result:
                raise query_failure(str(result["error"]))
        if not found or found[-1].get("statement_id") != len(queries) - 1:
            raise not_an_answer("/query", "it answers no results")
        return found

    def _influxql(self, bucket: str, query: str) -> bytes:
        parameters = {**influxql.database(self.route(bucket).influxql_name), "epoch": "ns", "org": self._transport.org}
        headers = {"Accept": "application/json", "Content-Type": "application/vnd.influxql"}
        return self._transport.open("POST", "/query", parameters, query.encode(), headers, bucket=bucket).read()


@contextlib.contextmanager
def making_sense(path: str) -> Iterator[None]:
    """Whatever is missing or of another kind in an answer: it is not InfluxDB's."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as broken:
        raise not_an_answer(path, "its answer lacks what is due") from broken


def _results(line: bytes) -> list[dict[str, Any]]:
    if not line.strip():
        return []
    try:
        found = list(json.loads(line, parse_int=_whole)["results"])
        if all(isinstance(one, dict) and isinstance(one.get("statement_id"), int) for one in found):
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise not_an_answer("/query", "it answers something that is not JSON") from None


def _tags(series: dict[str, Any]) -> Tags:
    """The tags of a series as an answer of InfluxQL has it; an empty text stands for a tag that is absent."""
    return tuple(sorted((key, text) for key, text in (series.get("tags") or {}).items() if text))


def _whole(digits: str) -> int | float:
    """InfluxDB prints the float -0.0 as -0."""
    return -0.0 if digits == "-0" else int(digits)


def _kind(value: object, types: tuple[FieldType, ...]) -> FieldType:
    if len(types) == 1:
        return types[0]
    if isinstance(value, bool | str):
        return FieldType.BOOLEAN if isinstance(value, bool) else FieldType.STRING
    return next((kind for kind in types if kind.numeric), FieldType.FLOAT)


def _listed(body: bytes) -> list[dict[str, Any]]:
    found = objects(body, "buckets")
    if all(isinstance(one.get("id"), str) and isinstance(one.get("name"), str) for one in found):
        return found
    raise not_an_answer("/api/v2/buckets", "it answers no list of buckets")


def _bucket(found: dict[str, Any]) -> Bucket:
    rule: dict[str, Any] = next(iter(found.get("retentionRules") or []), {})
    retention_s = int(rule.get("everySeconds") or 0)
    shard_s = int(rule.get("shardGroupDurationSeconds") or default_shard_ns(retention_s * SECOND_NS) // SECOND_NS)
    return Bucket(str(found["name"]), str(found.get("description") or ""), retention_s * SECOND_NS, shard_s * SECOND_NS)
