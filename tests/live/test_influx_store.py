"""The InfluxDB store against a real server.

What tokens, mappings, gaps, changed settings and cancelling do to a read.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from service.domain.durations import parse_duration
from service.domain.schema import BucketSpec
from service.domain.selection import Fn, Selection, Windows
from service.domain.series import SeriesKey
from service.domain.timerange import EVER, TimeRange
from service.errors import FluxgateError, InvalidParameter, StoreDenied, StoreFailed, UnknownBucket
from service.stores.influx.store import InfluxStore
from tests.support.liar import Lie, lying_link
from tests.support.rows import at, read, row, span
from tests.support.servers import InfluxServer, running_influx
from tests.support.stores import influx_store

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
HOURLY = Windows(parse_duration("1h", "every"), Fn.LAST)


def listed(influx: InfluxServer, bucket: str) -> dict[str, str]:
    """The bucket as InfluxDB's own API has it."""
    with influx.http() as http:
        return dict(http.get("/api/v2/buckets", params={"name": bucket}).raise_for_status().json()["buckets"][0])


def token_for(influx: InfluxServer, bucket: str) -> str:
    """A token that may read one bucket and nothing else."""
    found = listed(influx, bucket)
    resource = {"type": "buckets", "id": found["id"], "orgID": found["orgID"]}
    with influx.http() as http:
        wanted = {"orgID": found["orgID"], "permissions": [{"action": "read", "resource": resource}]}
        return str(http.post("/api/v2/authorizations", json=wanted).raise_for_status().json()["token"])


def test_a_token_for_one_bucket_far_down_the_list_reads_it(influx: InfluxServer) -> None:
    """InfluxDB cuts its list into pages before it leaves out what a token may not see: the first page is empty here."""
    for number in range(101):
        influx.new_bucket(f"narrow {number:03}")
    name = influx.new_bucket("narrow z")
    influx.write(name, f'm real,host=a f=1,s="x" {NOON}\n'.replace("m real", "m\\ real"))
    narrow = influx_store(influx, token=token_for(influx, name))
    assert [one.name for one in narrow.buckets()] == [name]
    assert read(narrow, name, DAY) == [
        row("m real", {"host": "a"}, "f", NOON, 1.0),
        row("m real", {"host": "a"}, "s", NOON, "x"),
    ]
    assert read(narrow, name, DAY, HOURLY, fields=("f",)) == [
        row("m real", {"host": "a"}, "f", NOON + parse_duration("1h", "h"), 1.0)
    ]
    assert narrow.last_point(name) == NOON
    assert list(narrow.latest(name, DAY, "real").fields) == ["m real"]
    assert narrow.create_bucket(BucketSpec(name)) is False
    narrow.ping()
    with pytest.raises(UnknownBucket) as refused:
        narrow.bucket("narrow y")
    assert refused.value.extra["near"] == [name]
    with pytest.raises(UnknownBucket):
        narrow.bucket("narrow 001")
    with pytest.raises(StoreDenied):
        narrow.create_bucket(BucketSpec("narrow new"))


def test_a_mapping_by_hand_that_leads_elsewhere_is_refused(store: InfluxStore, influx: InfluxServer) -> None:
    here, there = influx.new_bucket(), influx.new_bucket()
    influx.write(here, f"m f=1 {NOON}\n")
    influx.write(there, f"m f=2 {NOON}\n")
    ids = listed(influx, there)
    mapping = {
        "orgID": ids["orgID"],
        "database": here,
        "retention_policy": "autogen",
        "bucketID": ids["id"],
        "default": True,
    }
    with influx.http() as http:
        http.post("/api/v2/dbrps", json=mapping).raise_for_status()
    with pytest.raises(StoreFailed, match="influx v1 dbrp delete"):
        read(store, here, DAY)
    assert read(store, there, DAY) == [row("m", {}, "f", NOON, 2.0)]
    assert store.last_point(here) == NOON, "the list of buckets goes on"


def test_a_bucket_that_influxql_cannot_find_has_a_last_point_and_says_why_it_is_not_read(
    store: InfluxStore, influx: InfluxServer
) -> None:
    bucket = influx.new_bucket(f"/{influx.new_bucket()}")
    assert store.last_point(bucket) is None
    assert store.first_point(bucket) is None
    influx.write(
        bucket,
        f'm,host=a f=1 {NOON}\nm,host=b f="x" {NOON - parse_duration("8w", "h")}\n'
        f'n t=true {NOON + 7}\nn s="x" {NOON + 5}\n',
    )
    assert store.last_point(bucket) == NOON + 7
    assert store.first_point(bucket) == NOON - parse_duration("8w", "h")
    with pytest.raises(InvalidParameter, match="begins or ends with a slash"):
        read(store, bucket, DAY)


def test_two_names_that_influxql_takes_for_one_are_not_mixed_up(store: InfluxStore, influx: InfluxServer) -> None:
    short = influx.new_bucket()
    long = influx.new_bucket(f"{short}/autogen")
    influx.write(short, f"m f=1 {NOON}\n")
    influx.write(long, f"m f=2 {NOON}\n")
    answers = {}
    for name in (short, long):
        try:
            answers[name] = [one.shown for one in read(store, name, DAY)]
        except StoreFailed as refused:
            assert "ename the bucket" in refused.message
    assert answers in ({short: ["1.0"]}, {long: ["2.0"]})


@pytest.mark.parametrize("fields", ["f={n}", 'f={n},s="text"'])
def test_the_stretches_between_a_few_old_points_cost_a_few_questions(
    influx: InfluxServer, influx_bucket: str, fields: str
) -> None:
    stamps = [at(f"{year}-01-01T00:00:00Z") for year in (1700, 1950, 2024, 2250)]
    influx.write(influx_bucket, "".join(f"m {fields.format(n=n)} {stamp}\n" for n, stamp in enumerate(stamps)))
    with lying_link(influx.server.port) as link:
        rows = read(influx_store(influx, url=link.url), influx_bucket, EVER, fields=("f",))
        assert [(one.time_ns, one.shown) for one in rows] == [(stamp, f"{n}.0") for n, stamp in enumerate(stamps)]
        assert len(link.paths) < 25


def test_a_tag_filter_jumps_to_its_own_points(influx: InfluxServer, influx_bucket: str) -> None:
    weeks = range(at("2023-06-01T00:00:00Z"), at("2023-12-31T00:00:00Z"), parse_duration("1w", "step"))
    influx.write(influx_bucket, "".join(f"m,host=a f=1 {week}\n" for week in weeks) + f"m,host=b f=2 {NOON}\n")
    with lying_link(influx.server.port) as link:
        rows = read(influx_store(influx, url=link.url), influx_bucket, EVER, tags=(("host", ("b",)),))
        assert rows == [row("m", {"host": "b"}, "f", NOON, 2.0)]
        assert len(link.paths) < 10


def test_types_survive_a_later_change_of_the_shard_groups_length(store: InfluxStore, influx: InfluxServer) -> None:
    """Groups of a day stay when the bucket is set to weeks.

    One query over several of them casts numbers and leaves text out."""
    bucket = influx.new_bucket(shard_s=86_400)
    noons = [at(f"2024-01-0{day}T12:00:00Z") for day in (2, 3, 4, 5)]
    for value, noon in zip(["1.5", "7i", '"x"', "9u"], noons, strict=True):
        influx.write(bucket, f"m f={value} {noon}\n")
    rule = {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": 7 * 86_400}
    with influx.http() as http:
        http.patch(
            f"/api/v2/buckets/{listed(influx, bucket)['id']}", json={"retentionRules": [rule]}
        ).raise_for_status()
    assert store.bucket(bucket).shard_ns == parse_duration("1w", "shard")
    week = span("2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z")
    assert read(store, bucket, week) == [
        row("m", {}, "f", noons[0], 1.5),
        row("m", {}, "f", noons[1], 7),
        row("m", {}, "f", noons[2], "x"),
        row("m", {}, "f", noons[3], 9, "unsigned"),
    ]
    assert [one.shown for one in read(store, bucket, week, Windows(parse_duration("1w", "every"), Fn.COUNT))] == [
        "2",
        "2",
    ]


def test_the_latest_asks_two_queries_at_first_and_one_from_then_on(influx: InfluxServer, influx_bucket: str) -> None:
    influx.write(influx_bucket, f'real,host=a f=1,i=1i,t=true,s="x" {NOON}\n')
    with lying_link(influx.server.port) as link:
        store = influx_store(influx, url=link.url)
        store.latest(influx_bucket, DAY, "real")
        assert [path for path in link.paths if "query" in path] == ["/query", "/api/v2/query"]
        link.paths.clear()
        store.latest(influx_bucket, DAY, "real")
        assert link.paths == ["/api/v2/query"]


def test_the_reason_of_a_refused_statement_is_said_though_csv_swallows_it() -> None:
    with running_influx("--influxql-max-select-series=1") as influx:
        bucket = influx.new_bucket()
        influx.write(
            bucket, f'm,host=a f=1 {NOON}\nm,host=b f=1 {NOON}\nn,host=a s="x" {NOON}\nn,host=b s="x" {NOON}\n'
        )
        for measurement, windows in itertools.product(("m", "n"), (None, HOURLY)):
            if measurement == "m" and windows is not None:
                continue  # Flux has no such limit
            with pytest.raises(StoreFailed) as failed:
                read(influx_store(influx), bucket, DAY, windows, measurements=(measurement,), fields=("f", "s"))
            assert "max-select-series limit exceeded" in failed.value.upstream


@pytest.fixture(scope="module")
def large_bucket(influx: InfluxServer) -> str:
    """With 400,000 numbers, and 40 MB of text: more than all buffers between the server and a reader that waits."""
    name = influx.new_bucket()
    step_ns = parse_duration("1s", "step")
    for host in range(20):
        influx.write(
            name, "".join(f"m,host=h{host} f={n},i={n}i {DAY.start_ns + n * step_ns}\n" for n in range(10_000))
        )
        influx.write(
            name, "".join(f'long,host=h{host} s="{"x" * 1000}" {DAY.start_ns + n * step_ns}\n' for n in range(2_000))
        )
    return name


def running_flux(influx: InfluxServer) -> float:
    return metric(influx, r"(?m)^qc_all_active\S* (\S+)$")


def finished_influxql(influx: InfluxServer) -> float:
    return metric(influx, r"(?m)^influxql_service_executing_duration_seconds_count\S* (\S+)$")


def metric(influx: InfluxServer, line: str) -> float:
    return sum(float(found) for found in re.findall(line, httpx.get(f"{influx.url}/metrics", timeout=10).text))


def within_2_s(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 2
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_cancelling_a_raw_read_ends_its_query_at_the_server(
    store: InfluxStore, influx: InfluxServer, large_bucket: str
) -> None:
    reading = store.read(Selection(large_bucket, DAY, measurements=("long",)))
    blocks = iter(reading.blocks)
    next(blocks)
    before = finished_influxql(influx)
    time.sleep(0.3)
    assert finished_influxql(influx) == before, "the query has to be running still"
    reading.cancel()
    assert within_2_s(lambda: finished_influxql(influx) == before + 1)
    with pytest.raises(FluxgateError, match="cancelled"):
        list(blocks)


def test_cancelling_windows_before_their_first_byte_ends_their_query_at_the_server(
    store: InfluxStore, influx: InfluxServer, large_bucket: str
) -> None:
    reading = store.read(
        Selection(large_bucket, DAY, Windows(parse_duration("1s", "every"), Fn.MEDIAN), measurements=("m",))
    )
    raised: list[BaseException] = []

    def take() -> None:
        try:
            list(reading.blocks)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that asserts
            raised.append(error)

    reader = threading.Thread(target=take, daemon=True)
    reader.start()
    assert within_2_s(lambda: running_flux(influx) == 1)
    reading.cancel()
    reader.join(2)
    assert [getattr(error, "code", error) for error in raised] == ["cancelled"]
    assert within_2_s(lambda: running_flux(influx) == 0)


NONSENSE = [
    ("", b"null"),
    ("", b"[]"),
    ("buckets", b'{"buckets":null}'),
    ("buckets", b'{"buckets":[1]}'),
    ("buckets", b'{"buckets":[{"name":"NAME"}]}'),
    ("buckets", b'{"buckets":[{"name":"NAME","id":"x","retentionRules":[1]}]}'),
    ("dbrps", b'{"content":[1]}'),
    ("orgs", b'{"orgs":[{}]}'),
    ("/query", b'{"results":null}'),
    ("/query", b'{"results":[{"statement_id":7},{"statement_id":1}]}'),
    (
        "/query",
        b'{"results":[{"statement_id":0,"series":[{"name":"m","values":[["f","complex"]]}]},{"statement_id":1}]}',
    ),
    ("/query", b'{"results":[{"statement_id":0,"series":[{"name":"m"}]},{"statement_id":1}]}'),
    ("/query", b"\x81\xa7results\x91\x01"),
    (
        "/query",
        b"\x81\xa7results\x92\x82\xacstatement_id\x00\xa6series\x91\x81\xa6values\x91\x91\x01\x81\xacstatement_id\x01",
    ),
]
"""Bodies, each for answers whose path holds a word.

The last two are MessagePack: a result that is a number, and a row too short."""
ASKED: dict[str, Callable[[InfluxStore, str], object]] = {
    "bucket": lambda store, name: store.bucket(name),
    "buckets": lambda store, name: store.buckets(),
    "schema": lambda store, name: store.schema(name),
    "raw": lambda store, name: read(store, name, DAY),
    "raw, long": lambda store, name: read(store, name, TimeRange(0, DAY.stop_ns), fields=("f",)),
    "windows": lambda store, name: read(store, name, DAY, HOURLY),
    "latest": lambda store, name: store.latest(name, DAY, ""),
    "first point": lambda store, name: store.first_point(name),
    "last point": lambda store, name: store.last_point(name),
    "delete": lambda store, name: store.delete_points(name, SeriesKey("m", (("h", "a"),)), DAY),
    "create": lambda store, name: store.create_bucket(BucketSpec(f"{name} new")),
}


@pytest.mark.parametrize("asked", ASKED)
def test_nonsense_in_place_of_any_answer_is_an_error_of_ours(
    influx: InfluxServer, influx_bucket: str, asked: str
) -> None:
    """Never a KeyError: whoever stands between may answer anything. (What happens to make sense may be believed.)"""
    influx.write(influx_bucket, f'm,h=a f=1,i=1i {NOON}\nn,h=a s="x" {NOON}\n')
    ask = ASKED[asked]
    with lying_link(influx.server.port) as link:
        ask(influx_store(influx, url=link.url), influx_bucket)
        lies = [(nth, body) for nth, path in enumerate(link.paths) for word, body in NONSENSE if word in path]
        for nth, body in lies:
            link.lie = lie_at(nth, body.replace(b"NAME", influx_bucket.encode()))
            store = influx_store(influx, url=link.url)
            try:
                ask(store, influx_bucket)
            except FluxgateError:
                continue
            except Exception as foreign:
                raise AssertionError(f"answer {nth} to {asked!r} as {body!r}") from foreign
            finally:
                store.close()


def lie_at(nth: int, body: bytes) -> Lie:
    """The truth, but for the answer to one request."""
    counter = itertools.count()
    return lambda _path, answer: answer.with_body(body) if next(counter) == nth else answer
