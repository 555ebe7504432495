"""A batch is delivered: every value is accepted once or a dead letter, and who refuses all stops the run early."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.bisection import ENOUGH_PARTS
from service.domain.job import Cancelled
from service.errors import UpstreamStopped, UpstreamUnavailable
from service.upstream.posting import MOST_TRIES, REPEAT_HEADER
from service.upstream.sink import HttpSink
from tests.support.recording_upstream import Faults, recording_upstream
from tests.support.run_controls import ClockedControl
from tests.support.upstream_batches import batch_of, configured, expected, readings

OpenSink = Callable[..., HttpSink]
ROWS = readings(5_000)
ITEMS = {"items": {"pointer": "/errors", "index": "/index", "reason": "/message"}}


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("payload", ["sensors", "thingsboard", "ndjson"])
def test_every_value_arrives_in_one_post(sink_for: OpenSink, payload: str, gzip: bool) -> None:
    with recording_upstream(payload) as upstream:
        delivered = sink_for(configured(upstream.url, payload=payload, gzip=gzip)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS)
    assert (delivered.accepted, delivered.posts, delivered.refused) == (5_000, 1, 0)


def test_an_empty_batch_is_no_post(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream:
        delivered = sink_for(configured(upstream.url)).deliver(batch_of([]))
        assert (delivered.accepted, delivered.posts, upstream.requests) == (0, 0, [])


@pytest.mark.parametrize("index", [0, 1_234, 4_999])
def test_one_poison_value_among_5_000_is_isolated_in_at_most_27_posts(sink_for: OpenSink, index: int) -> None:
    poison = expected([ROWS[index]])
    with recording_upstream(faults=Faults(poison=poison.__contains__)) as upstream:
        delivered = sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS) - poison
        assert not upstream.repeats()
        assert delivered.posts == len(upstream.requests) <= 27
    assert delivered.accepted == 4_999
    (letter,) = delivered.dead_letters
    assert (letter["field"], letter["value"]) == (ROWS[index].field, str(ROWS[index].value))
    assert (letter["code"], letter["status"]) == ("refused", 422)
    assert letter["upstream"] == '{"message": "a value is wrong"}'


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chosen=st.sets(st.integers(0, 299), max_size=12))
def test_exactly_the_poison_values_become_dead_letters(sink_for: OpenSink, chosen: set[int]) -> None:
    rows = readings(300)
    poison = expected(rows[index] for index in chosen)
    with recording_upstream(faults=Faults(poison=poison.__contains__, poison_status=400)) as upstream:
        delivered = sink_for(configured(upstream.url)).deliver(batch_of(rows))
        assert upstream.values == expected(rows) - poison
        assert not upstream.repeats()
    assert {(letter["field"], float(letter["value"])) for letter in delivered.dead_letters} == {
        (rows[index].field, rows[index].value) for index in chosen
    }
    assert delivered.accepted + delivered.refused == 300


def test_a_sensor_that_is_refused_as_a_whole_becomes_dead_letters_in_few_posts(sink_for: OpenSink) -> None:
    faults = Faults(poison=lambda value: value.sensor == "m.s003")
    with recording_upstream(faults=faults) as upstream:
        delivered = sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert upstream.values == {value for value in expected(ROWS) if value.sensor != "m.s003"}
    assert delivered.accepted == 4_500
    assert {letter["field"] for letter in delivered.dead_letters} == {"s003"}
    assert delivered.refused == 500
    assert delivered.posts < 100
    assert "It was refused with its sensor" in delivered.dead_letters[-1]["reason"]


def test_where_everything_is_refused_the_run_stops_and_nothing_is_given_up(sink_for: OpenSink) -> None:
    with recording_upstream(faults=Faults(poison=lambda _value: True)) as upstream:
        with pytest.raises(UpstreamStopped) as stopped:
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert len(upstream.requests) == 2 * ENOUGH_PARTS - 1
        assert str(stopped.value) == (
            f"The upstream at http://127.0.0.1:{upstream.port} refuses all values of a batch in 31 posts, "
            "and answered 422 at last. Nothing is given up. Read its answer, and change payload, sensor, max_bytes or "
            "drop_on, or the data."
        )
    assert stopped.value.upstream == '{"message": "a value is wrong"}'


def test_413_halves_the_post_and_later_batches_are_halved_at_once_at_the_same_places(sink_for: OpenSink) -> None:
    with recording_upstream(faults=Faults(most_bytes=100_000)) as upstream:
        sink = sink_for(configured(upstream.url))
        first, second = (sink.deliver(batch_of(ROWS)) for _ in range(2))
        assert upstream.values == expected(ROWS)
        assert not upstream.repeats_under_other_keys(), "the keys are those of the first time"
    assert first.posts in (6, 7), "a body as large as one that was refused is not posted"
    assert second.posts == 4
    assert first.accepted == second.accepted == 5_000


def test_max_bytes_holds_for_every_post(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream:
        sink_for(configured(upstream.url, max_bytes=50_000)).deliver(batch_of(ROWS))
        assert max(len(request.body) for request in upstream.requests) <= 50_000
        assert upstream.values == expected(ROWS)


def test_a_value_that_alone_is_too_large_is_a_dead_letter(sink_for: OpenSink) -> None:
    rows = readings(3)
    with recording_upstream(faults=Faults(most_bytes=10)) as upstream:
        delivered = sink_for(configured(upstream.url)).deliver(batch_of(rows))
        assert [letter["code"] for letter in delivered.dead_letters] == ["too_large"] * 3
        assert {letter.get("status") for letter in delivered.dead_letters} <= {413, None}
        assert not upstream.values


def test_an_upstream_for_which_everything_is_too_large_stops_the_run_after_few_posts(sink_for: OpenSink) -> None:
    with recording_upstream(faults=Faults(most_bytes=10)) as upstream:
        with pytest.raises(UpstreamStopped, match=r"refuses all values of a batch .* answered 413 at last"):
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert len(upstream.requests) < 60


def test_single_errors_in_an_accepted_answer_are_dead_letters_and_no_value_is_sent_again(sink_for: OpenSink) -> None:
    poison = expected(ROWS[3:6])
    with recording_upstream(faults=Faults(poison=poison.__contains__, item_errors=True)) as upstream:
        delivered = sink_for(configured(upstream.url, accept=ITEMS)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS) - poison
    assert (delivered.accepted, delivered.posts) == (4_997, 1)
    assert [(letter["value"], letter["upstream"]) for letter in delivered.dead_letters] == [
        ("3.5", "wrong"),
        ("4.5", "wrong"),
        ("5.5", "wrong"),
    ]


def test_a_list_of_errors_that_names_no_value_of_the_post_stops_the_run(sink_for: OpenSink) -> None:
    faults = Faults(accepted_text='{"errors": [{"index": 5000}]}')
    with recording_upstream(faults=faults) as upstream, pytest.raises(UpstreamStopped, match="not in the post"):
        sink_for(configured(upstream.url, accept=ITEMS)).deliver(batch_of(ROWS))


def test_an_accepted_answer_that_names_every_value_as_wrong_stops_the_run(sink_for: OpenSink) -> None:
    with (
        recording_upstream(faults=Faults(poison=lambda _value: True, item_errors=True)) as upstream,
        pytest.raises(UpstreamStopped, match="refuses all values"),
    ):
        sink_for(configured(upstream.url, accept=ITEMS)).deliver(batch_of(ROWS))


@pytest.mark.parametrize("named_by", [{"index": "/index"}, {"sensor": "/sensor", "timestamp": "/timestamp"}])
def test_single_errors_in_a_refusing_answer_are_taken_out_and_the_rest_is_sent_again(
    sink_for: OpenSink, named_by: dict[str, str]
) -> None:
    poison = expected(ROWS[3:6])
    faults = Faults(poison=poison.__contains__, item_errors=True, item_status=422)
    with recording_upstream(faults=faults) as upstream:
        accept = {"items": {"pointer": "/errors", **named_by}}
        delivered = sink_for(configured(upstream.url, accept=accept)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS) - poison
        assert len({request.key for request in upstream.requests}) == 2
    assert (delivered.accepted, delivered.refused, delivered.posts) == (4_997, 3, 2)


def test_a_sensor_named_without_a_time_is_refused_as_a_whole(sink_for: OpenSink) -> None:
    poison = expected(row for row in ROWS if row.field == "s004")
    faults = Faults(poison=poison.__contains__, item_errors=True, item_status=422)
    with recording_upstream(faults=faults) as upstream:
        accept = {"items": {"pointer": "/errors", "sensor": "/sensor"}}
        delivered = sink_for(configured(upstream.url, accept=accept)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS) - poison
    assert (delivered.accepted, delivered.refused, delivered.posts) == (4_500, 500, 2)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "Check the credentials"),
        (403, "Check the credentials"),
        (404, "Check url"),
        (405, "takes POST"),
        (301, "Name the address that it leads to"),
        (307, "a redirect, which is never followed"),
        (418, "a status that no rule of the connector names"),
    ],
)
def test_what_only_a_human_can_mend_stops_at_the_first_answer(sink_for: OpenSink, status: int, advice: str) -> None:
    faults = Faults(status=status, headers={"Location": "http://127.0.0.1:1/elsewhere"}, error_text="No\nentry.")
    with recording_upstream(faults=faults) as upstream:
        with pytest.raises(UpstreamStopped, match=advice) as stopped:
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert len(upstream.requests) == 1
    assert stopped.value.upstream == "No entry."
    assert "No entry" not in str(stopped.value)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_bad_moment_is_tried_again_and_then_left_to_the_next_run(
    sink_for: OpenSink, control: ClockedControl, status: int
) -> None:
    with recording_upstream(faults=Faults(status=status)) as upstream:
        with pytest.raises(UpstreamUnavailable, match=f"answered {status}.*, {MOST_TRIES} times in a row") as failed:
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert len({request.key for request in upstream.requests}) == 1
        assert len(upstream.requests) == MOST_TRIES
    assert failed.value.retry_after_s is None
    assert control.sleeps == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0], "half of the doubled wait, as the chance is 0"


def test_the_wait_that_the_upstream_asks_for_is_kept(sink_for: OpenSink, control: ClockedControl) -> None:
    faults = Faults(busy=1, retry_after="7")
    with recording_upstream(faults=faults) as upstream, pytest.raises(UpstreamUnavailable) as failed:
        sink_for(configured(upstream.url), monotonic=control.clock).deliver(batch_of(ROWS))
    assert failed.value.retry_after_s == 7
    assert control.sleeps == [7.0] * (MOST_TRIES - 1)


def test_a_long_wait_is_left_to_the_next_run_and_bounded(sink_for: OpenSink, control: ClockedControl) -> None:
    with recording_upstream(faults=Faults(busy=1, retry_after="86400")) as upstream:
        with pytest.raises(UpstreamUnavailable, match="answered 429, and asks to wait 3600 s") as failed:
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
        assert len(upstream.requests) == 1
    assert failed.value.retry_after_s == 3_600
    assert control.sleeps == []


def test_a_text_can_make_a_500_mean_later(sink_for: OpenSink) -> None:
    faults = Faults(status=400, error_text='{"message": "Rate exceeded"}')
    with recording_upstream(faults=faults) as upstream, pytest.raises(UpstreamUnavailable, match="means it is busy"):
        sink_for(configured(upstream.url, busy_text="Rate exceeded")).deliver(batch_of(ROWS))


def test_a_lost_reply_is_unknown_and_sent_again_under_the_same_key(sink_for: OpenSink) -> None:
    with recording_upstream(faults=Faults(lost_replies=0.5), seed=3, remembers_keys=True) as upstream:
        delivered = sink_for(configured(upstream.url, max_bytes=30_000)).deliver(batch_of(ROWS))
        assert upstream.values == expected(ROWS)
        assert not upstream.repeats(), "an upstream that remembers keys has each value once"
        lost = sum(request.status is None for request in upstream.requests)
    assert (delivered.unknown, delivered.accepted) == (lost, 5_000)
    assert lost > 0


def test_with_many_faults_at_once_nothing_is_lost_and_repeats_have_one_key(sink_for: OpenSink) -> None:
    faults = Faults(errors=0.3, lost_replies=0.05, resets=0.05, busy=0.05, retry_after="0")
    with recording_upstream(faults=faults, seed=7) as upstream:
        sink = sink_for(configured(upstream.url, max_bytes=10_000))
        runs = 0
        delivered = None
        while delivered is None:
            runs += 1
            assert runs < 10
            with contextlib.suppress(UpstreamUnavailable):
                delivered = sink.deliver(batch_of(ROWS))
        assert not upstream.missing(expected(ROWS))
        assert not upstream.unexpected(expected(ROWS))
        assert not upstream.repeats_under_other_keys()
    assert delivered.accepted == 5_000


@pytest.mark.parametrize(
    ("idempotency", "age_s", "header"),
    [
        (None, None, None),
        (None, 5, "possible"),
        ({"by": "key", "lifetime": "24h"}, 3_600, None),
        ({"by": "key", "lifetime": "24h"}, 90_000, "possible"),
        ({"by": "key"}, 9e9, None),
        ({"by": "upsert"}, 9e9, None),
    ],
)
def test_a_repeat_that_the_upstream_may_not_notice_says_so(
    sink_for: OpenSink, control: ClockedControl, idempotency: Any, age_s: float | None, header: str | None
) -> None:
    with recording_upstream() as upstream:
        sink = sink_for(configured(upstream.url, idempotency=idempotency))
        sink.deliver(batch_of(ROWS), None if age_s is None else control.now - age_s)
        assert upstream.requests[0].headers.get(REPEAT_HEADER.lower()) == header
    assert len(control.lines) == (header is not None)


@pytest.mark.parametrize(("status", "header"), [(500, "possible"), (504, "possible"), (503, None), (429, None)])
def test_after_an_answer_that_leaves_open_what_is_stored_a_repeat_says_so_once(
    sink_for: OpenSink, control: ClockedControl, status: int, header: str | None
) -> None:
    with recording_upstream(faults=Faults(status=status)) as upstream, contextlib.suppress(UpstreamUnavailable):
        sink_for(configured(upstream.url)).deliver(batch_of(ROWS))
    headers = [request.headers.get(REPEAT_HEADER.lower()) for request in upstream.requests]
    assert headers == [None, *[header] * (MOST_TRIES - 1)]
    assert sum("twice" in line for _, line in control.lines) == (header is not None)


def test_the_header_of_the_key_is_configurable(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream:
        idempotency = {"by": "key", "header": "X-Request-Id"}
        sink_for(configured(upstream.url, idempotency=idempotency)).deliver(batch_of(ROWS))
        assert len(upstream.requests[0].headers["x-request-id"]) == 32
        assert not upstream.requests[0].key


def test_an_upstream_that_is_not_there_is_unavailable(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream:
        url = upstream.url
    sink = sink_for(configured(url))
    with pytest.raises(UpstreamUnavailable, match=f"cannot be reached, {MOST_TRIES} times in a row"):
        sink.deliver(batch_of(ROWS))


def test_a_post_that_was_never_sent_is_counted_and_not_unknown(sink_for: OpenSink) -> None:
    closed = ["127.0.0.2"]  # where nothing listens

    def resolve(_host: str, _port: int) -> list[str]:
        return [closed.pop() if closed else "127.0.0.1"]

    with recording_upstream() as upstream:
        url = f"http://upstream.test:{upstream.port}/points"
        delivered = sink_for(configured(url), resolve=resolve).deliver(batch_of(ROWS))
        assert len(upstream.requests) == 1
    assert (delivered.posts, delivered.unknown, delivered.accepted) == (2, 0, 5_000)


def test_a_post_is_not_tried_again_for_longer_than_a_run(sink_for: OpenSink, control: ClockedControl) -> None:
    with recording_upstream(faults=Faults(status=503)) as upstream:
        sink = sink_for(configured(upstream.url), monotonic=control.clock, longest_s=1.0)
        with pytest.raises(UpstreamUnavailable, match="answered 503"):
            sink.deliver(batch_of(ROWS))
        tries = len(upstream.requests)
    assert 1 < tries < MOST_TRIES
    assert control.now - 1_000_000.0 >= 1.0 > control.now - 1_000_000.0 - control.sleeps[-1]


def test_a_run_that_ends_stops_a_delivery(sink_for: OpenSink, control: ClockedControl) -> None:
    with recording_upstream(faults=Faults(status=503)) as upstream:
        control.ends_after = 10
        with pytest.raises(Cancelled):
            sink_for(configured(upstream.url)).deliver(batch_of(ROWS))


@pytest.mark.parametrize("text", ["<html>Log in</html>", '{"status": "ok"', "", "[]"])
def test_an_answer_without_the_document_that_accept_needs_accepts_nothing(sink_for: OpenSink, text: str) -> None:
    accept = {"pointer": "/status", "equals": "ok", "otherwise": "retry"}
    with recording_upstream(faults=Faults(accepted_text=text)) as upstream, pytest.raises(UpstreamUnavailable):
        sink_for(configured(upstream.url, accept=accept)).deliver(batch_of(ROWS))


def test_the_query_and_the_token_in_the_path_are_sent_and_never_shown(
    sink_for: OpenSink, control: ClockedControl
) -> None:
    with recording_upstream(faults=Faults(status=503)) as upstream:
        url = upstream.url.replace("/points", "/api/v1/{token}/telemetry")
        auth = {"kind": "url", "token": "s3cret/9"}
        with pytest.raises(UpstreamUnavailable) as failed:
            sink_for(configured(url, auth=auth, query={"a b": "ü&"})).deliver(batch_of(ROWS))
        assert upstream.requests[0].path == "/api/v1/s3cret%2F9/telemetry?a%20b=%C3%BC%26"
    assert "s3cret" not in str(failed.value) + str(control.lines)
