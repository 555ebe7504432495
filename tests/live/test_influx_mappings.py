"""Mappings of databases and retention policies (DBRP) on a real InfluxDB: which bucket InfluxQL reads at any moment."""

import secrets
from collections.abc import Iterator

import pytest

from service.domain.durations import parse_duration
from service.domain.selection import Fn, Windows
from service.domain.series import SeriesKey
from service.errors import StoreBroken, StoreError, StoreFailed
from service.stores.influx.catalog import Catalog
from service.stores.influx.store import InfluxStore
from service.stores.influx.transport import Transport
from tests.live.test_influx_store import token_for
from tests.support.rows import Row, at, read, row, rows_of, span, write
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
LAST = Windows(parse_duration("1d", "every"), Fn.LAST)


@pytest.fixture
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    opened = InfluxStore(influx.url, influx.token, influx.org, silence_timeout_s=30, read_timeout_s=60)
    yield opened
    opened.close()


def map_name(influx: InfluxServer, database: str, bucket: str, policy: str = "autogen") -> str:
    """Map `database` to a bucket by hand; the mapping's id."""
    with influx.http() as http:
        found = http.get("/api/v2/buckets", params={"name": bucket}).raise_for_status().json()["buckets"][0]
        mapping = {"orgID": found["orgID"], "database": database, "retention_policy": policy, "bucketID": found["id"]}
        return str(http.post("/api/v2/dbrps", json=mapping).raise_for_status().json()["id"])


def two_buckets(influx: InfluxServer) -> tuple[str, str]:
    """Two buckets of one series, whose value is 1 in the first and 2 in the second."""
    first, second = influx.new_bucket(), influx.new_bucket()
    for value, bucket in enumerate((first, second), 1):
        influx.write(bucket, f'm f={value},s="{value}" {NOON}\n')
    return first, second


def test_a_mapping_that_leads_elsewhere_is_seen_at_once(store: InfluxStore, influx: InfluxServer) -> None:
    """For 60 s after a good answer the points of the other bucket were given."""
    first, second = two_buckets(influx)
    own = [row("m", {}, "f", NOON, 1.0), row("m", {}, "s", NOON, "1")]
    assert read(store, first, DAY) == own
    mapping = map_name(influx, first, second)
    for ask in (
        lambda: read(store, first, DAY),
        lambda: read(store, first, DAY, LAST),
        lambda: store.schema(first),
        lambda: store.count_points(first, ["m"], DAY, DAY.length_ns),
        lambda: store.delete_points(first, SeriesKey("m"), DAY),
    ):
        with pytest.raises(StoreFailed, match="influx v1 dbrp delete"):
            ask()
    with influx.http() as http:
        http.delete(f"/api/v2/dbrps/{mapping}").raise_for_status()
    assert read(store, first, DAY) == own


def test_an_answer_does_not_count_when_the_mapping_was_made_meanwhile(influx: InfluxServer) -> None:
    first, second = two_buckets(influx)
    transport = Transport(influx.url, influx.token, influx.org, connect_timeout_s=5, silence_timeout_s=30)
    catalog = Catalog(transport)
    with pytest.raises(StoreBroken, match="Ask again"), catalog.reached(first):
        map_name(influx, first, second)
    transport.close()


def everything_of(store: InfluxStore, bucket: str) -> None:
    """One point of a series with a tag, read by every road, and deleted."""
    rows = [row("m", {"host": "a"}, "f", NOON, 1.0), row("m", {"host": "a"}, "s", NOON, "x")]
    assert write(store, bucket, f'm,host=a f=1,s="x" {NOON}\n').stored == 1
    assert [one.name for one in store.schema(bucket)] == ["m"]
    assert store.schema(bucket)[0].tags == ("host",)
    assert read(store, bucket, DAY) == rows
    assert read(store, bucket, DAY, LAST) == [one._replace(time_ns=DAY.stop_ns) for one in rows]
    assert (store.first_point(bucket), store.last_point(bucket)) == (NOON, NOON)
    assert store.count_points(bucket, ["m"], DAY, DAY.length_ns) == {DAY.start_ns: 2}
    assert sorted(one for frame in store.latest(bucket, DAY, "m").frames for one in rows_of(frame)) == rows
    store.delete_points(bucket, SeriesKey("m", (("host", "a"),)), DAY)
    assert read(store, bucket, DAY) == []


@pytest.mark.parametrize("form", ["/{}", "{}/", "{}\rx"])
@pytest.mark.parametrize("policy", ["autogen", "own"])
def test_a_name_that_influxql_cannot_find_is_read_under_a_mapping_of_its_own(
    store: InfluxStore, influx: InfluxServer, form: str, policy: str
) -> None:
    word = secrets.token_hex(6)
    bucket = influx.new_bucket(form.format(word))
    with pytest.raises(Exception, match="influx v1 dbrp create"):
        read(store, bucket, DAY)
    map_name(influx, f"mapped {word}", bucket, policy)
    everything_of(store, bucket)


def test_two_buckets_under_one_name_are_both_read_when_each_has_a_mapping(
    store: InfluxStore, influx: InfluxServer
) -> None:
    """InfluxQL takes `db` and `db/autogen` for one: the one that it does not find says how to map it."""
    short = influx.new_bucket()
    long = influx.new_bucket(f"{short}/autogen")
    refused = []
    for bucket in (short, long):
        try:
            read(store, bucket, DAY)
        except StoreFailed as error:
            assert "influx v1 dbrp create" in error.message
            refused.append(bucket)
    assert len(refused) == 1
    map_name(influx, f"mapped {short}", refused[0])
    for bucket in (short, long):
        everything_of(store, bucket)


def test_a_bucket_whose_name_is_mapped_elsewhere_is_read_under_its_own_mapping(
    store: InfluxStore, influx: InfluxServer
) -> None:
    first, second = two_buckets(influx)
    map_name(influx, first, second)
    map_name(influx, f"mapped {first}", first)
    found: list[list[Row]] = [read(store, bucket, DAY, fields=("f",)) for bucket in (first, second)]
    assert found == [[row("m", {}, "f", NOON, 1.0)], [row("m", {}, "f", NOON, 2.0)]]


def test_a_narrow_token_gets_no_point_of_a_bucket_that_it_may_not_see(influx: InfluxServer) -> None:
    """InfluxDB hides the mapping from it, and refuses what InfluxQL asks of the other bucket."""
    first, second = two_buckets(influx)
    narrow = InfluxStore(influx.url, token_for(influx, first), influx.org, silence_timeout_s=30, read_timeout_s=60)
    assert [one.shown for one in read(narrow, first, DAY, fields=("f",))] == ["1.0"]
    map_name(influx, first, second)
    with pytest.raises(StoreError):
        read(narrow, first, DAY)
    narrow.close()
