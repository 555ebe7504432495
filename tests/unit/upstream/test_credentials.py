"""Posts carry the configured credentials; access tokens are fetched, kept, and fetched anew once when refused."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from service.errors import UpstreamStopped, UpstreamUnavailable
from service.upstream.sink import HttpSink
from tests.support.recording_upstream import Faults, recording_upstream
from tests.support.run_controls import ClockedControl
from tests.support.token_endpoint import token_endpoint
from tests.support.upstream_batches import batch_of, configured, readings

OpenSink = Callable[..., HttpSink]
ROWS = readings(3)


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"kind": "none"}, "authorization", None),
        ({"kind": "bearer", "token": "t0"}, "authorization", "Bearer t0"),
        ({"kind": "header", "name": "X-API-Key", "token": "a b"}, "x-api-key", "a b"),
        (
            {"kind": "basic", "user": "ü", "password": "p:w"},
            "authorization",
            f"Basic {base64.b64encode('ü:p:w'.encode()).decode()}",
        ),
    ],
)
def test_a_post_carries_its_credentials(sink_for: OpenSink, auth: Any, name: str, value: str | None) -> None:
    with recording_upstream() as upstream:
        sink_for(configured(upstream.url, auth=auth)).deliver(batch_of(ROWS))
        assert upstream.requests[0].headers.get(name) == value


def oauth(url: str, **members: Any) -> dict[str, Any]:
    return {"kind": "oauth2", "url": url, "client_id": "plant 7", "client_secret": "s&cret", **members}


def test_an_access_token_is_fetched_once_and_kept(sink_for: OpenSink) -> None:
    with token_endpoint() as tokens, recording_upstream(faults=Faults(authorization="Bearer t1")) as upstream:
        sink = sink_for(configured(upstream.url, auth=oauth(tokens.url, scope="a b", audience="x")))
        for _ in range(3):
            sink.deliver(batch_of(ROWS))
    (request,) = tokens.requests
    assert request.form == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["x"]}
    assert base64.b64decode(request.authorization.removeprefix("Basic ")) == b"plant+7:s%26cret"


@pytest.mark.parametrize(
    ("expires_in", "age_s", "fetched"),
    [(3_600, 3_569, 1), (3_600, 3_571, 2), ("600", 571, 2), (40, 19, 1), (40, 21, 2), (None, 269, 1), ("x", 271, 2)],
)
def test_a_token_is_fetched_anew_shortly_before_its_end(
    sink_for: OpenSink, control: ClockedControl, expires_in: Any, age_s: float, fetched: int
) -> None:
    shift = [0.0]
    with token_endpoint(expires_in=expires_in) as tokens, recording_upstream() as upstream:
        configuration = configured(upstream.url, auth=oauth(tokens.url))
        started = time.monotonic()
        sink = sink_for(configuration, monotonic=lambda: started + shift[0])
        sink.deliver(batch_of(ROWS))
        shift[0] = age_s
        sink.deliver(batch_of(ROWS))
        assert len(tokens.requests) == fetched


def test_a_refused_token_is_fetched_anew_once(sink_for: OpenSink) -> None:
    with token_endpoint() as tokens, recording_upstream(faults=Faults(authorization="Bearer t2")) as upstream:
        delivered = sink_for(configured(upstream.url, auth=oauth(tokens.url))).deliver(batch_of(ROWS))
        assert (delivered.accepted, delivered.posts) == (3, 2)
    assert len(tokens.requests) == 2


def test_credentials_that_stay_refused_stop_the_run(sink_for: OpenSink) -> None:
    faults = Faults(authorization="Bearer no")
    with (
        token_endpoint() as tokens,
        recording_upstream(faults=faults) as upstream,
        pytest.raises(UpstreamStopped, match="answered 401"),
    ):
        sink_for(configured(upstream.url, auth=oauth(tokens.url))).deliver(batch_of(ROWS))
    assert len(tokens.requests) == 2


@pytest.mark.parametrize(
    ("status", "answer", "error", "text"),
    [
        (400, '{"error": "invalid_client"}', UpstreamStopped, "answered 400. Check url, client_id, client_secret"),
        (401, "", UpstreamStopped, "answered 401"),
        (302, "", UpstreamStopped, "answered 302"),
        (503, "", UpstreamUnavailable, "answered 503"),
        (429, "", UpstreamUnavailable, "answered 429"),
        (200, "<html>", UpstreamUnavailable, "without an access token"),
        (200, '{"access_token": "a\\nb"}', UpstreamUnavailable, "without an access token"),
        (200, '{"access_token": "a", "token_type": "mac"}', UpstreamStopped, "another type than bearer"),
    ],
)
def test_without_a_token_nothing_is_posted(
    sink_for: OpenSink, status: int, answer: str, error: type[Exception], text: str
) -> None:
    with token_endpoint(status=status, answer=answer) as tokens, recording_upstream() as upstream:
        with pytest.raises(error, match=text) as failed:
            sink_for(configured(upstream.url, auth=oauth(tokens.url))).deliver(batch_of(ROWS))
        assert upstream.requests == []
    assert "s&cret" not in str(failed.value)


def test_a_server_of_tokens_that_is_away_is_unavailable(sink_for: OpenSink) -> None:
    with recording_upstream() as upstream, pytest.raises(UpstreamUnavailable, match="The server of access tokens"):
        sink_for(configured(upstream.url, auth=oauth("http://127.0.0.1:1/token"))).deliver(batch_of(ROWS))


def test_the_server_of_tokens_has_to_have_an_allowed_address(sink_for: OpenSink) -> None:
    def resolve(host: str, _port: int) -> list[str]:
        return ["169.254.169.254"] if host == "tokens.test" else ["127.0.0.1"]

    with recording_upstream() as upstream, pytest.raises(UpstreamStopped, match="a cloud's metadata service"):
        configuration = configured(upstream.url, auth=oauth("https://tokens.test/token"))
        sink_for(configuration, resolve=resolve).deliver(batch_of(ROWS))
