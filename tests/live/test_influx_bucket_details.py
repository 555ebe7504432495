"""Labels, mappings and versions on a real InfluxDB: no other bucket is changed, and what is hidden is said."""

import secrets
from collections.abc import Iterator

import pytest

from service.domain.bucket_details import BucketDetails, DbrpMapping, Label
from service.errors import StoreUnavailable
from service.stores.influx.store import InfluxStore
from tests.support.embedded_stores import points
from tests.support.liar import Answer, Lie, lying_link
from tests.support.rows import at, read, row, span
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
NOON = at("2024-01-01T12:00:00Z")
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
RED = (("color", "#ff0000"),)


def store_at(influx: InfluxServer, *, url: str | None = None) -> InfluxStore:
    return InfluxStore(url or influx.url, influx.token, influx.org, connect_timeout_s=5, silence_timeout_s=30)


@pytest.fixture
def store(influx: InfluxServer) -> Iterator[InfluxStore]:
    opened = store_at(influx)
    yield opened
    opened.close()


def word() -> str:
    return f"w{secrets.token_hex(6)}"


def labels_of_the_organization(influx: InfluxServer, name: str) -> list[str]:
    with influx.http() as http:
        labels = http.get("/api/v2/labels").raise_for_status().json()["labels"]
    return [label["name"] for label in labels if label["name"].lower() == name.lower()]


def test_a_label_of_the_same_name_is_used_again(store: InfluxStore, influx: InfluxServer) -> None:
    name, first, second = word(), influx.new_bucket(), influx.new_bucket()
    assert store.add_bucket_details(first, BucketDetails((Label(name, RED),))) == []
    assert store.add_bucket_details(second, BucketDetails((Label(name.upper(), RED),))) == []
    assert store.bucket_details(second) == BucketDetails((Label(name, RED),))
    assert labels_of_the_organization(influx, name) == [name]


def test_a_label_that_is_there_keeps_its_color_and_that_is_said(store: InfluxStore, influx: InfluxServer) -> None:
    name, first, second = word(), influx.new_bucket(), influx.new_bucket()
    store.add_bucket_details(first, BucketDetails((Label(name, RED),)))
    [sentence] = store.add_bucket_details(second, BucketDetails((Label(name, (("color", "#00ff00"),)),)))
    assert f"The label {name!r} of the bucket {second!r}" in sentence
    assert store.bucket_details(first).labels == store.bucket_details(second).labels == (Label(name, RED),)


def test_details_are_sorted_by_name_without_virtual_mappings(store: InfluxStore, influx: InfluxServer) -> None:
    bucket, database = influx.new_bucket(), word()
    labels = tuple(Label(f"{database} {letter}") for letter in "cab")
    mappings = (DbrpMapping(database, "z", True), DbrpMapping(database, "a", False))
    assert store.add_bucket_details(bucket, BucketDetails(labels, mappings)) == []
    read_back = store.bucket_details(bucket)
    assert [label.name[-1] for label in read_back.labels] == ["a", "b", "c"]
    assert read_back.mappings == (DbrpMapping(database, "a", False), DbrpMapping(database, "z", True))


def test_a_mapping_of_another_bucket_stays(store: InfluxStore, influx: InfluxServer) -> None:
    mapping, first, second = DbrpMapping(word(), "week", True), influx.new_bucket(), influx.new_bucket()
    store.add_bucket_details(first, BucketDetails((), (mapping,)))
    [sentence] = store.add_bucket_details(second, BucketDetails((), (mapping,)))
    assert f"The mapping {mapping.database}/week of the bucket {second!r} was not made" in sentence
    assert store.bucket_details(first).mappings == (mapping,)
    assert store.bucket_details(second).mappings == ()


def test_the_default_of_a_database_stays(store: InfluxStore, influx: InfluxServer) -> None:
    database, first, second = word(), influx.new_bucket(), influx.new_bucket()
    store.add_bucket_details(first, BucketDetails((), (DbrpMapping(database, "week", True),)))
    [sentence] = store.add_bucket_details(second, BucketDetails((), (DbrpMapping(database, "day", True),)))
    assert "was made, but not as the default" in sentence
    assert store.bucket_details(first).mappings == (DbrpMapping(database, "week", True),)
    assert store.bucket_details(second).mappings == (DbrpMapping(database, "day", False),)


@pytest.mark.parametrize("policy", ["autogen", "week"])
def test_a_bucket_keeps_its_own_name(store: InfluxStore, influx: InfluxServer, policy: str) -> None:
    """InfluxDB 2.9.1 takes such a mapping, and InfluxQL reads the other bucket from then on."""
    name, other = influx.new_bucket(word()), influx.new_bucket()
    store.write(name, points(f"m f=1 {NOON}\n"))
    [sentence] = store.add_bucket_details(other, BucketDetails((), (DbrpMapping(name, policy, True),)))
    assert f"The mapping {name}/{policy} of the bucket {other!r} was not made" in sentence
    assert read(store, name, DAY) == [row("m", {}, "f", NOON, 1.0)]


def test_a_bucket_may_have_its_own_name_by_hand(store: InfluxStore, influx: InfluxServer) -> None:
    name = influx.new_bucket(word())
    mapping = DbrpMapping(name, "autogen", True)
    assert store.add_bucket_details(name, BucketDetails((), (mapping,))) == []
    assert store.bucket_details(name).mappings == (mapping,)


def test_one_that_the_server_refuses_does_not_keep_the_others_away(store: InfluxStore, influx: InfluxServer) -> None:
    bucket, database = influx.new_bucket(), word()
    mappings = (DbrpMapping("", "a", True), DbrpMapping(database, "a", True))
    [sentence] = store.add_bucket_details(bucket, BucketDetails((Label(""), Label(database)), mappings[1:]))
    assert "The label ''" in sentence
    [sentence] = store.add_bucket_details(bucket, BucketDetails((), mappings))
    assert "The mapping /a" in sentence
    assert "InfluxDB answered an error (400)" in sentence
    assert store.bucket_details(bucket) == BucketDetails((Label(database),), mappings[1:])


def answering(status: int, path: str, headers: dict[str, str] | None = None) -> Lie:
    """A server that refuses what ends with `path`."""

    def lie(asked: str, answer: Answer) -> Answer:
        body = b'{"code":"unauthorized","message":"no"}' if status != 200 else answer.body
        return Answer(status, body, headers or {}) if asked.endswith(path) else answer

    return lie


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("path", "unreadable"), [("/labels", ("labels",)), ("/dbrps", ("mappings",))])
def test_what_the_token_may_not_list_is_named(
    store: InfluxStore,
    influx: InfluxServer,
    path: str,
    unreadable: tuple[str, ...],
    status: int,
) -> None:
    bucket, name = influx.new_bucket(), word()
    whole = BucketDetails((Label(name),), (DbrpMapping(name, "a", True),))
    store.add_bucket_details(bucket, whole)
    with lying_link(influx.server.port) as liar:
        liar.lie = answering(status, path)
        partial = store_at(influx, url=liar.url).bucket_details(bucket)
    assert partial.unreadable == unreadable
    assert partial.labels == (() if path == "/labels" else whole.labels)
    assert partial.mappings == (() if path == "/dbrps" else whole.mappings)


def test_a_server_that_is_not_ready_is_an_error_and_no_empty_list(influx: InfluxServer) -> None:
    bucket = influx.new_bucket()
    with lying_link(influx.server.port) as liar:
        liar.lie = answering(503, "/dbrps")
        with pytest.raises(StoreUnavailable):
            store_at(influx, url=liar.url).bucket_details(bucket)


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({"X-Influxdb-Version": "v2.9.1", "X-Influxdb-Build": "OSS"}, "influxdb 2.9.1"),
        ({"x-influxdb-version": "2.0.9"}, "influxdb 2.0.9"),
        ({"X-Influxdb-Build": "Cloud"}, "influxdb cloud"),
        ({"X-Influxdb-Version": "7", "X-Influxdb-Build": "cloud"}, "influxdb cloud 7"),
        ({"Content-Type": "application/json"}, "influxdb cloud"),
    ],
)
def test_the_version_is_that_of_the_headers(influx: InfluxServer, headers: dict[str, str], server: str) -> None:
    with lying_link(influx.server.port) as liar:
        liar.lie = answering(200, "/buckets", headers)
        assert store_at(influx, url=liar.url).server() == server
