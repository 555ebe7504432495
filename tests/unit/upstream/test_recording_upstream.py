"""The recording upstream of the tests: what it keeps, the faults it is told to have, and that its checks can fail."""

import gzip
import http.client
import json

import pytest

from tests.support.recording_upstream import Faults, RecordingUpstream, recording_upstream
from tests.support.upstream_payloads import READERS, value_of

BODY = b"""{"start_time":"2026-01-01T00:00:00Z","end_time":"2026-01-01T01:00:00Z","data":{
    "a":[{"timestamp":"2026-01-01T00:00:00Z","value":1},{"timestamp":"2026-01-01T00:00:00.000000001Z","value":1.0}],
    "b":[{"timestamp":"1969-12-31T23:59:59.999999999Z","value":"1"}]}}"""
NEW_YEAR_NS = 1_767_225_600_000_000_000
VALUES = {value_of("a", NEW_YEAR_NS, 1), value_of("a", NEW_YEAR_NS + 1, 1.0), value_of("b", -1, "1")}


def post(upstream: RecordingUpstream, key: str = "k", body: bytes = BODY, **headers: str) -> tuple[int, bytes]:
    link = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    try:
        link.request("POST", "/points", body, {"Idempotency-Key": key, **headers})
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def test_it_keeps_what_it_accepts_with_type_and_nanoseconds() -> None:
    with recording_upstream() as upstream:
        assert post(upstream)[0] == 200
        assert upstream.values == VALUES
        assert len(VALUES) == 3, "1, 1.0 and the text 1 are three values"
        assert [request.key for request in upstream.requests] == ["k"]


def test_it_reads_packed_bodies() -> None:
    with recording_upstream() as upstream:
        post(upstream, body=gzip.compress(BODY), **{"Content-Encoding": "gzip"})
        assert upstream.values == VALUES


def test_a_missing_and_an_unexpected_value_are_seen() -> None:
    with recording_upstream() as upstream:
        post(upstream)
        lost, other = value_of("a", 5, 5), value_of("b", -1, "1")
        assert upstream.missing({*VALUES, lost}) == {lost}
        assert upstream.unexpected(VALUES - {other}) == {other}


def test_a_repeat_under_another_key_is_told_from_one_under_the_same() -> None:
    with recording_upstream() as upstream:
        post(upstream, "one")
        post(upstream, "one")
        assert set(upstream.repeats()) == VALUES
        assert upstream.repeats_under_other_keys() == {}
        post(upstream, "two")
        assert upstream.repeats_under_other_keys() == {value: {"one", "two"} for value in VALUES}


def test_one_that_remembers_keys_stores_a_repeat_once() -> None:
    with recording_upstream(remembers_keys=True) as upstream:
        assert [post(upstream)[0] for _ in range(3)] == [200, 200, 200]
        assert upstream.repeats() == {}
        assert upstream.known_keys["k"] == 3


def test_a_lost_reply_stores_and_a_reset_does_not() -> None:
    for faults, stored in ((Faults(lost_replies=1), VALUES), (Faults(resets=1), set())):
        with recording_upstream(faults=faults) as upstream:
            with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
                post(upstream)
            assert upstream.values == stored
            assert upstream.requests[0].status is None


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        (Faults(errors=1), 503),
        (Faults(busy=1), 429),
        (Faults(status=302), 302),
        (Faults(most_bytes=100), 413),
        (Faults(authorization="Bearer x"), 401),
        (Faults(poison=lambda value: value.sensor == "b"), 422),
    ],
)
def test_what_it_does_not_accept_it_does_not_store(faults: Faults, status: int) -> None:
    with recording_upstream(faults=faults) as upstream:
        assert post(upstream)[0] == status
        assert not upstream.values


def test_single_errors_are_named_and_all_others_stored() -> None:
    with recording_upstream(faults=Faults(poison=lambda value: value.sensor == "b", item_errors=True)) as upstream:
        status, text = post(upstream)
        error = {"index": 2, "sensor": "b", "timestamp": "1969-12-31T23:59:59.999999999Z", "message": "wrong"}
        assert (status, json.loads(text)) == (200, {"errors": [error]})
        assert upstream.values == {value for value in VALUES if value.sensor == "a"}


def test_the_same_seed_gives_the_same_faults() -> None:
    statuses = []
    for _ in range(2):
        with recording_upstream(faults=Faults(errors=0.5), seed=4) as upstream:
            statuses.append([post(upstream)[0] for _ in range(20)])
    assert statuses[0] == statuses[1]
    assert set(statuses[0]) == {200, 503}


@pytest.mark.parametrize("text", [b'{"data":{"a":[{"timestamp":"x","value":NaN}]}}', b"{"])
def test_a_body_that_is_no_strict_json_is_not_read(text: bytes) -> None:
    with pytest.raises((ValueError, AssertionError)):
        READERS["sensors"](text)


def test_lines_are_read_with_their_escapes() -> None:
    text = b'm\\ 1,t=a\\ b f\\ x="a \\"b\\" c\n,d",g=1i 5\nm,t=c f=2.5 -6\n'
    assert [(value.sensor, value.time_ns, value.text) for value in READERS["lineprotocol"](text)] == [
        ("m\\ 1,t=a\\ b.f\\ x", 5, '"a \\"b\\" c\n,d"'),
        ("m\\ 1,t=a\\ b.g", 5, "1i"),
        ("m,t=c.f", -6, "2.5"),
    ]
