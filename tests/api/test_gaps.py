"""Gaps over HTTP and on the command line."""

from collections.abc import Callable

import pytest

from service.commands.gaps import length_text
from service.domain.access import Scope
from service.lineprotocol.parser import parse_lines
from tests.api.conftest import NOW_NS, Served, fill, write

RANGE = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T12:00:00Z"}


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """`Power Consumption` of two meters, once a minute from 10:00 to 11:59; and one more that stopped at 10:01."""
    client, parts = serve()
    fill(client, parts)
    lost_ns = NOW_NS - 119 * 60 * 1_000_000_000
    write(
        client,
        "Power Consumption",
        f"site,meter=lost power=1 {lost_ns - 60_000_000_000}\nsite,meter=lost power=2 {lost_ns}",
    )
    return client, parts


def test_gaps_are_told_for_each_series(served: Served) -> None:
    client, _ = served
    answer = client.get("/buckets/Power%20Consumption/gaps", params={"expect": "1m", **RANGE})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Fluxgate-Start"] == "2026-01-01T10:00:00Z"
    silent = [series for series in answer.json()["series"] if series["silent"]]
    assert [(series["tags"], series["last"]) for series in silent] == [({"meter": "lost"}, "2026-01-01T10:01:00Z")]
    assert answer.json()["silent"] == 1
    recent = client.get("/buckets/Power%20Consumption/gaps?window=1h&expect=1m&known=2h&tag.meter=lost").json()
    assert [series["gaps"][0]["start"] for series in recent["series"]] == ["2026-01-01T10:01:00Z"]


def test_a_write_is_seen_at_once(served: Served) -> None:
    client, _ = served
    address = "/buckets/Power%20Consumption/gaps?window=2h&expect=1m&tag.meter=lost"
    assert client.get(address).json()["silent"] == 1
    write(client, "Power Consumption", f"site,meter=lost power=3 {NOW_NS - 1_000_000_000}")
    assert client.get(address).json()["silent"] == 0


def test_gaps_of_a_request_without_cache_are_those_of_the_store(served: Served) -> None:
    """A point that reached the store around the gateway shows with no-cache, and what is kept is left alone."""
    client, parts = served
    address = "/buckets/Power%20Consumption/gaps?window=2h&expect=1m&tag.meter=lost"
    assert client.get(address).json()["silent"] == 1
    around = parse_lines(f"site,meter=lost power=3 {NOW_NS - 1_000_000_000}".encode(), "ns", 0).points
    parts.store._store.write("Power Consumption", around)
    kept, fresh, again = (client.get(address, headers=head) for head in ({}, {"Cache-Control": "no-cache"}, {}))
    assert [answer.json()["silent"] for answer in (kept, fresh, again)] == [1, 0, 1]
    assert [answer.headers["X-Fluxgate-Cache"] for answer in (kept, fresh, again)] == [
        "hit; age=0",
        "bypass; reason=asked",
        "hit; age=0",
    ]
    assert (fresh.headers["Age"], fresh.headers["X-Fluxgate-As-Of"]) == ("0", "2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"expct": "1m"}, "Did you mean 'expect'"),
        ({"expect": "1 minute"}, "expect"),
        ({"every": "1m"}, "There is no parameter 'every'"),
        ({"known": "0d"}, "known"),
        ({"gaps": "0"}, "from 1 to 10000"),
        ({"window": "1h", "start": "2026-01-01T10:00:00Z"}, "Give either window or start"),
    ],
)
def test_what_cannot_be_asked_says_what_can(served: Served, parameters: dict[str, str], words: str) -> None:
    answer = served[0].get("/buckets/Power%20Consumption/gaps", params=parameters)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_names_that_the_bucket_lacks_are_named(served: Served) -> None:
    answer = served[0].get("/buckets/Power%20Consumption/gaps?window=2h&field=powr")
    assert answer.json()["series"] == []
    assert "power" in answer.headers["X-Fluxgate-Warning"]


def test_a_key_sees_the_gaps_of_its_buckets_alone(served: Served) -> None:
    client, parts = served
    key, _ = parts.keys.create("roof", [Scope.READ], buckets=["Roof"])
    answer = client.get("/buckets/Power%20Consumption/gaps", headers={"X-API-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_bucket")


def test_more_series_than_an_answer_holds_are_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.reads.gaps.MOST_SERIES", 1)
    answer = served[0].get("/buckets/Power%20Consumption/gaps", params=RANGE)
    assert answer.status_code == 422
    assert "more than 1 series" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25s"), (45, "45s"), (60, "1m"), (7140, "1h 59m"), (183_600, "2d 3h"), (86_401, "1d 1s")],
)
def test_lengths_are_told_in_two_units(seconds: float, text: str) -> None:
    assert length_text(seconds) == text
