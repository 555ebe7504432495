"""The fake Cloud of the tests, against a real InfluxDB.

What it does to plain HTTP, and what the store makes of that.
"""

import gzip
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from service.errors import StoreBusy, StoreDenied, UnknownBucket
from service.stores.influx.store import InfluxStore
from service.stores.protocol import WriteOutcome
from tests.support.cloud import Cloud, CloudRules, fake_cloud, is_of_share, split_lines
from tests.support.influxql_rows import stored_in
from tests.support.proxy import CLEAN, Toxic, bad_link
from tests.support.rows import at, read, row, span, store_all, write
from tests.support.servers import InfluxServer

pytestmark = pytest.mark.live
DAY = span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
NOON = at("2024-01-01T12:00:00Z")
EVERYTHING = CloudRules()
NO_READS = CloudRules(read_bytes=0)
FLUX = {"type": "flux", "dialect": {"header": True, "annotations": ["group", "datatype", "default"]}}


def lines(count: int) -> list[str]:
    return [f"m f={number} {NOON + number}" for number in range(count)]


def stored(influx: InfluxServer, bucket: str) -> set[str]:
    """The lines that are in the bucket, of those that `lines` makes."""
    return {f"m f={value:.0f} {time_ns}" for (_, _, _, time_ns), value in stored_in(influx, bucket).items()}


@pytest.fixture
def cloud(influx: InfluxServer) -> Iterator[Cloud]:
    """A cloud without rules, to be changed with `become`."""
    with fake_cloud(influx.server.port, EVERYTHING) as opened:
        yield opened


@contextmanager
def http_to(influx: InfluxServer, cloud: Cloud) -> Iterator[httpx.Client]:
    """A client that takes no packed answers, so that sizes can be told."""
    headers = {"Authorization": f"Token {influx.token}", "Accept-Encoding": "identity"}
    with httpx.Client(base_url=cloud.url, headers=headers, params={"org": influx.org}, timeout=30) as client:
        yield client


@pytest.fixture
def client(influx: InfluxServer, cloud: Cloud) -> Iterator[httpx.Client]:
    with http_to(influx, cloud) as opened:
        yield opened


@pytest.fixture
def store(influx: InfluxServer, cloud: Cloud) -> Iterator[InfluxStore]:
    opened = InfluxStore(cloud.url, influx.token, influx.org)
    yield opened
    opened.close()


def put(client: httpx.Client, bucket: str, body: str | bytes, **headers: str) -> httpx.Response:
    return client.post("/api/v2/write", params={"bucket": bucket}, content=body, headers=headers)


def query(client: httpx.Client, bucket: str) -> httpx.Response:
    asked = f'from(bucket: "{bucket}") |> range(start: 2024-01-01T00:00:00Z, stop: 2024-01-02T00:00:00Z)'
    return client.post("/api/v2/query", json={"query": asked, **FLUX})


def refused_query(client: httpx.Client, bucket: str) -> httpx.Response:
    """The first query that is over the quota: on a loaded machine a new window may have begun, and one more passes."""
    answer = query(client, bucket)
    while answer.status_code == 200:
        answer = query(client, bucket)
    return answer


# Without rules


def test_without_rules_the_store_works_as_on_the_server_itself(
    store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    assert write(store, influx_bucket, f'm,host=a f=1,s="x\ny" {NOON}\n') == WriteOutcome(1)
    assert read(store, influx_bucket, DAY) == [
        row("m", {"host": "a"}, "f", NOON, 1.0),
        row("m", {"host": "a"}, "s", NOON, "x\ny"),
    ]
    assert cloud.lines_seen == 1
    assert ("POST", "/api/v2/write", 204) in cloud.requests


def test_errors_of_the_server_come_through(
    influx: InfluxServer, store: InfluxStore, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    store_all(store, influx_bucket, f"m f=1 {NOON}")
    assert [
        (one.line, one.code) for one in write(store, influx_bucket, f"m f=2 {NOON + 1}\nm f=true {NOON + 2}").refused
    ] == [(2, "type_conflict")]
    assert put(client, influx_bucket, "no line").status_code == 400
    assert client.get("/api/v2/nothing").status_code == 404
    stranger = InfluxStore(cloud.url, "wrong", influx.org)
    with pytest.raises(StoreDenied):
        stranger.ping()
    stranger.close()


def test_answers_keep_their_coding_and_are_counted_as_sent(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    influx.write(influx_bucket, "\n".join(lines(2_000)))
    asked = f'from(bucket: "{influx_bucket}") |> range(start: 2024-01-01T00:00:00Z)'
    with client.stream(
        "POST", "/api/v2/query", json={"query": asked, **FLUX}, headers={"Accept-Encoding": "gzip"}
    ) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert cloud.read_bytes_sent == len(packed)
    assert gzip.decompress(packed).count(b"\r\n,,0,") == 2_000


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_packed_and_chunked_writes_are_understood(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud, share: float
) -> None:
    cloud.become(CloudRules(rejects_later=share))
    packed = gzip.compress("\n".join(lines(100)).encode())
    answer = client.post(
        "/api/v2/write",
        params={"bucket": influx_bucket},
        content=(packed[:100], packed[100:]),
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.status_code == 204
    assert cloud.lines_seen == 100
    assert stored(influx, influx_bucket) == set(lines(100)) - {line.decode() for line in cloud.lines_rejected}
    assert put(client, influx_bucket, "m f=1", **{"Content-Encoding": "gzip"}).status_code == 400


def test_a_connection_is_kept_and_no_answer_spoils_the_next(
    influx: InfluxServer, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(read_bytes=0, write_bytes=0, largest_body_bytes=100))
    link = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    headers = {"Authorization": f"Token {influx.token}"}
    link.connect()
    kept = link.sock
    seen = []
    for method, path, body in [
        ("HEAD", "/ping", None),
        ("POST", "/api/v2/query", "{}"),
        ("POST", f"/api/v2/write?bucket={influx_bucket}", "m f=1"),
        ("POST", f"/api/v2/write?bucket={influx_bucket}", "x" * 200_000),
        ("GET", "/health", None),
    ]:
        link.request(method, path.replace(" ", "%20"), body, headers)
        answer = link.getresponse()
        answer.read()
        seen.append(answer.status)
        assert link.sock is kept
    link.close()
    assert seen == [204, 429, 429, 413, 200]


def test_connections_are_served_at_the_same_time(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    """Eight clients each hold an answer open that is not read to its end, and a ninth is answered."""
    influx.write(influx_bucket, "\n".join(lines(1_000)))
    asked = f'from(bucket: "{influx_bucket}") |> range(start: 2024-01-01T00:00:00Z)'
    with http_to(influx, cloud) as held:
        answers = [
            held.send(held.build_request("POST", "/api/v2/query", json={"query": asked, **FLUX}), stream=True)
            for _ in range(8)
        ]
        assert query(client, influx_bucket).text.count("\r\n,,0,") == 1_000
        assert [answer.read().count(b"\r\n,,0,") for answer in answers] == [1_000] * 8


def test_an_answer_is_passed_on_while_it_still_comes(influx: InfluxServer, influx_bucket: str) -> None:
    influx.write(influx_bucket, "\n".join(lines(10_000)))
    whole = len(influx.flux(f'from(bucket: "{influx_bucket}") |> range(start: 2024-01-01T00:00:00Z)'))
    with (
        bad_link(influx.server.port) as slow,
        fake_cloud(slow.port, EVERYTHING) as cloud,
        http_to(influx, cloud) as client,
    ):
        slow.become(Toxic(bytes_per_s=whole / 2))
        asked = f'from(bucket: "{influx_bucket}") |> range(start: 2024-01-01T00:00:00Z)'
        with client.stream("POST", "/api/v2/query", json={"query": asked, **FLUX}) as answer:
            first = next(answer.iter_raw())
            sent_bytes = cloud.read_bytes_sent
            slow.become(CLEAN)
    assert 0 < len(first) <= sent_bytes < whole * 0.9


def test_an_answer_that_is_cut_is_cut_for_the_client(influx: InfluxServer, influx_bucket: str) -> None:
    influx.write(influx_bucket, "\n".join(lines(1_000)))
    with (
        bad_link(influx.server.port) as link,
        fake_cloud(link.port, EVERYTHING) as cloud,
        http_to(influx, cloud) as client,
    ):
        link.become(Toxic(pass_bytes=20_000))
        with pytest.raises(httpx.RemoteProtocolError):
            query(client, influx_bucket)


def test_a_closed_cloud_answers_nobody_not_even_on_a_kept_connection(influx: InfluxServer) -> None:
    with fake_cloud(influx.server.port, EVERYTHING) as cloud, http_to(influx, cloud) as client:
        assert client.get("/health").status_code == 200
        cloud.close()
        with pytest.raises(httpx.TransportError):
            client.get("/health")


# Quotas


def test_a_read_over_the_quota_is_refused_as_cloud_refuses_it(
    client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(NO_READS)
    for answer in (
        query(client, influx_bucket),
        client.post("/query", params={"db": influx_bucket, "q": "SHOW MEASUREMENTS"}),
    ):
        assert answer.status_code == 429
        assert 290 <= int(answer.headers["Retry-After"]) <= 300
        assert answer.json() == {
            "code": "too many requests",
            "message": "org 1234 has exceeded limited_query plan limit",
        }
    assert cloud.requests == [("POST", "/api/v2/query", 429), ("POST", "/query", 429)]
    assert cloud.read_bytes_sent == 0


def test_a_throttled_read_tells_to_wait_as_long_as_the_header_does(
    store: InfluxStore, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(NO_READS)
    before = int(query(client, influx_bucket).headers["Retry-After"])
    with pytest.raises(StoreBusy) as busy:
        read(store, influx_bucket, DAY)
    after = int(query(client, influx_bucket).headers["Retry-After"])
    assert before >= busy.value.retry_after_s >= after
    assert f"wait {busy.value.retry_after_s:.0f} s" in busy.value.message
    assert busy.value.upstream == "org 1234 has exceeded limited_query plan limit"


def test_who_waits_as_long_as_was_asked_reads_again(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    influx.write(influx_bucket, f"m f=1 {NOON}")
    cloud.become(CloudRules(read_bytes=1, window_s=2))
    assert query(client, influx_bucket).status_code == 200
    for _ in range(2):
        wait_s = int(refused_query(client, influx_bucket).headers["Retry-After"])
        assert 1 <= wait_s <= 2
        time.sleep(wait_s)
        assert query(client, influx_bucket).status_code == 200


def test_the_read_that_crosses_the_quota_is_whole(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    influx.write(influx_bucket, "\n".join(lines(1_000)))
    cloud.become(CloudRules(read_bytes=100))
    assert query(client, influx_bucket).text.count("\r\n,,0,") == 1_000
    assert query(client, influx_bucket).status_code == 429


def test_without_the_header_the_store_waits_a_minute(
    store: InfluxStore, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(read_bytes=0, retry_after=False))
    assert "Retry-After" not in query(client, influx_bucket).headers
    with pytest.raises(StoreBusy) as busy:
        read(store, influx_bucket, DAY)
    assert busy.value.retry_after_s == 60


def test_a_quota_error_may_be_a_web_page(
    store: InfluxStore, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(read_bytes=0, html_errors=True))
    answer = query(client, influx_bucket)
    assert (answer.status_code, answer.headers["Content-Type"]) == (429, "text/html")
    assert "nginx" in answer.text
    with pytest.raises(StoreBusy) as busy:
        read(store, influx_bucket, DAY)
    assert "429 Too Many Requests" in busy.value.upstream


def test_writes_have_a_quota_of_their_own_in_bytes_before_packing(
    influx: InfluxServer, store: InfluxStore, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    text = "\n".join(lines(1_000)).encode()
    cloud.become(CloudRules(write_bytes=len(text)))
    assert put(client, influx_bucket, gzip.compress(text), **{"Content-Encoding": "gzip"}).status_code == 204
    refused = put(client, influx_bucket, "m f=1 1")
    assert refused.status_code == 429
    assert refused.json()["message"] == "org 1234 has exceeded limited_write plan limit"
    with pytest.raises(StoreBusy, match="0 of 1 lines are known to be stored") as busy:
        write(store, influx_bucket, f"m f=1 {NOON - 1}")
    assert 1 <= busy.value.retry_after_s <= int(refused.headers["Retry-After"])
    assert query(client, influx_bucket).status_code == 200
    assert stored(influx, influx_bucket) == set(lines(1_000))
    assert cloud.lines_seen == 1_000


def test_rules_change_at_any_time(client: httpx.Client, influx_bucket: str, cloud: Cloud) -> None:
    seen = []
    for rules in (EVERYTHING, NO_READS, EVERYTHING):
        cloud.become(rules)
        seen.append(query(client, influx_bucket).status_code)
    assert seen == [200, 429, 200]


@pytest.mark.parametrize("packed", [False, True])
def test_the_store_meters_what_the_cloud_counts_also_of_answers_read_to_their_end(
    influx: InfluxServer, cloud: Cloud, packed: bool
) -> None:
    bucket, lines_sent = influx.new_bucket(), "\n".join(lines(5_000))
    influx.write(bucket, lines_sent)
    store = InfluxStore(cloud.url, influx.token, influx.org, packed=packed)
    assert len(read(store, bucket, DAY)) == 5_000
    read_bytes = store.moved_bytes()
    assert cloud.read_bytes_sent <= read_bytes <= cloud.read_bytes_sent + 10_000
    store_all(store, bucket, lines_sent)
    sent_bytes = store.moved_bytes() - read_bytes
    assert len(lines_sent) <= sent_bytes * (10 if packed else 1)
    store.close()


# Writes that are visible later


def test_a_write_is_answered_at_once_and_visible_later(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(visible_after_s=3))
    began_s = time.monotonic()
    store_all(store, influx_bucket, f"m f=1 {NOON}")
    early = stored(influx, influx_bucket)
    assert early == set() or time.monotonic() - began_s >= 3
    cloud.settle()
    assert time.monotonic() - began_s >= 3
    assert read(store, influx_bucket, DAY) == [row("m", {}, "f", NOON, 1.0)]


def test_later_writes_are_applied_in_order_also_when_the_delay_ends(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    for value, delay_s in ((1, 1.0), (2, 0.1), (3, 0.0)):
        cloud.become(CloudRules(visible_after_s=delay_s))
        assert put(client, influx_bucket, f"m f={value} {NOON}").status_code == 204
    cloud.settle()
    assert stored(influx, influx_bucket) == {f"m f=3 {NOON}"}


def test_a_wrong_token_or_bucket_is_said_at_once_all_the_same(
    client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(visible_after_s=0.1))
    assert put(client, "no such bucket", f"m f=1 {NOON}").status_code == 404
    assert put(client, influx_bucket, f"m f=1 {NOON}", Authorization="Token wrong").status_code == 401
    cloud.settle()
    assert (cloud.lines_seen, cloud.refused_later) == (0, [])


def test_what_the_server_refuses_later_is_lost_without_a_word(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    influx.write(influx_bucket, f"m f=1 {NOON}")
    cloud.become(CloudRules(visible_after_s=0.1))
    assert write(store, influx_bucket, f"m f=true {NOON + 1}\nm f=2 {NOON + 2}") == WriteOutcome(2)
    cloud.settle()
    assert stored(influx, influx_bucket) == {f"m f=1 {NOON}", f"m f=2 {NOON + 2}"}
    [(status, message)] = cloud.refused_later
    assert status == 422
    assert "field type conflict" in message


def test_what_is_not_visible_at_the_end_never_will_be(influx: InfluxServer, influx_bucket: str) -> None:
    with fake_cloud(influx.server.port, CloudRules(visible_after_s=60)) as cloud, http_to(influx, cloud) as client:
        assert put(client, influx_bucket, f"m f=1 {NOON}").status_code == 204
        with pytest.raises(AssertionError, match="1 writes are not applied"):
            cloud.settle(0.1)
    assert [one.name for one in threading.enumerate() if one.name == "cloud applies writes"] == []
    assert stored(influx, influx_bucket) == set()


# Lines that are rejected later


def test_a_share_of_the_lines_is_missing_the_first_time_only(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(rejects_later=0.05))
    store_all(store, influx_bucket, "\n".join(lines(1_000)))
    missing = {line.decode() for line in cloud.lines_rejected}
    assert missing == {line for line in lines(1_000) if is_of_share(line.encode(), 0.05)}
    assert 20 <= len(missing) <= 80
    assert stored(influx, influx_bucket) == set(lines(1_000)) - missing
    store_all(store, influx_bucket, "\n".join(lines(1_000)))
    assert stored(influx, influx_bucket) == set(lines(1_000))
    assert (cloud.lines_seen, len(cloud.lines_rejected)) == (2_000, len(missing))


def test_lines_may_be_rejected_for_ever_and_late(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(rejects_later=0.05, rejects_for_ever=True, visible_after_s=0.1))
    for _ in range(2):
        store_all(store, influx_bucket, "\n".join(lines(1_000)))
    cloud.settle()
    missing = {line.decode() for line in cloud.lines_rejected}
    assert stored(influx, influx_bucket) == set(lines(1_000)) - missing
    assert len(cloud.lines_rejected) == 2 * len(missing) > 0


def test_a_write_all_of_whose_lines_are_rejected_is_a_204_still(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(rejects_later=1.0))
    store_all(store, influx_bucket, f"m f=1 {NOON}")
    assert stored(influx, influx_bucket) == set()
    assert cloud.lines_rejected == [f"m f=1 {NOON}".encode()]
    with pytest.raises(UnknownBucket):
        write(store, "no such bucket", f"m f=1 {NOON}")


def test_a_write_that_is_refused_is_no_first_time(
    influx: InfluxServer, client: httpx.Client, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(write_bytes=0, rejects_later=1.0))
    assert put(client, influx_bucket, f"m f=1 {NOON}").status_code == 429
    cloud.become(CloudRules(rejects_later=1.0))
    assert put(client, influx_bucket, f"m f=1 {NOON}").status_code == 204
    assert stored(influx, influx_bucket) == set()


def test_the_smaller_share_is_part_of_the_larger_one() -> None:
    made = [line.encode() for line in lines(10_000)]
    small, large = ({line for line in made if is_of_share(line, share)} for share in (0.01, 0.1))
    assert small < large
    assert 50 <= len(small) <= 200
    assert {line for line in made if is_of_share(line, 1.0)} == set(made)
    assert {line for line in made if is_of_share(line, 0.0)} == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("m f=1\n\n# no point\nm f=2\r\n", ["m f=1", "m f=2"]),
        ('m s="a\nb",g=1 5\nm f=2', ['m s="a\nb",g=1 5', "m f=2"]),
        ('m s="a\\"\nb" 5\nm f=2', ['m s="a\\"\nb" 5', "m f=2"]),
        ('m,t=a"b f=1\nm,t="c f=2', ['m,t=a"b f=1', 'm,t="c f=2']),
        ('m\\ x,t=a\\ b f="="\nm f=2', ['m\\ x,t=a\\ b f="="', "m f=2"]),
        ('m s="never ended\nm f=2', ['m s="never ended', "m f=2"]),
        ("nonsense\nm f=2\\", ["nonsense", "m f=2\\"]),
        ("", []),
    ],
)
def test_lines_end_where_influxdb_ends_them(text: str, found: list[str]) -> None:
    assert split_lines(text.encode()) == [line.encode() for line in found]


# Large bodies


def test_a_large_body_is_refused_with_the_page_of_nginx(client: httpx.Client, influx_bucket: str, cloud: Cloud) -> None:
    cloud.become(CloudRules(largest_body_bytes=1_000))
    answer = put(client, influx_bucket, "\n".join(lines(1_000)))
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>") and "nginx" in answer.text
    assert cloud.lines_seen == 0


def test_the_store_writes_by_halves_until_the_bodies_are_small_enough(
    influx: InfluxServer, store: InfluxStore, influx_bucket: str, cloud: Cloud
) -> None:
    cloud.become(CloudRules(largest_body_bytes=10_000))
    assert write(store, influx_bucket, "\n".join(lines(1_000))) == WriteOutcome(1_000)
    assert stored(influx, influx_bucket) == set(lines(1_000))
    statuses = [status for _, path, status in cloud.requests if path == "/api/v2/write"]
    assert statuses.count(204) == 4
    assert statuses.count(413) == 3
