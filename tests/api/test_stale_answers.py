"""Answers past their life over HTTP: served at once and made anew, and never of before a write, or for another key."""

from collections.abc import Callable

import httpx
import pytest

from service.api.deps import Parts
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.domain.series import SeriesKey
from service.domain.timerange import TimeRange
from service.lineprotocol.parser import parse_lines
from tests.api.conftest import NOW_NS, Served, fill, write
from tests.support.waiting import until

NAME, PATH = "Power Consumption", "/buckets/Power%20Consumption"
CLOSED = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T11:00:00Z", "every": "raw", "field": "volts"}
BETWEEN_NS = NOW_NS - 5_400 * 10**9
LIFE_S = 1e-6


def outcome(answer: httpx.Response) -> str:
    return answer.raise_for_status().headers["X-Fluxgate-Cache"].partition(";")[0]


def around(parts: Parts, line: str) -> None:
    """Store a point as somebody else does."""
    parts.store._store.write(NAME, parse_lines(line.encode(), "ns", 0).points)


@pytest.fixture
def stale(serve: Callable[..., Served]) -> Served:
    """A gateway that has an answer whose life is over, and whose store got a point around it since."""
    client, parts = serve(cache_closed_s=LIFE_S, cache_stale_s=600)
    fill(client, parts)
    assert outcome(client.get(PATH, params=CLOSED)) == "miss"
    around(parts, f"power,meter=around volts=1 {BETWEEN_NS}")
    return client, parts


def test_an_old_answer_is_served_and_made_anew(stale: Served) -> None:
    client, _ = stale
    first = client.get(PATH, params=CLOSED)
    assert first.headers["X-Fluxgate-Cache"].startswith("stale; age=")
    assert ("around" in first.text, "ETag" in first.headers) == (False, True)
    until(lambda: "around" in client.get(PATH, params=CLOSED).text)
    assert client.get("/cache").json()["answers"]["stale"] > 0


@pytest.mark.parametrize("change", ["write", "delete", "flush"])
def test_a_change_of_our_own_ends_it(stale: Served, change: str) -> None:
    client, parts = stale
    if change == "write":
        write(client, "Power%20Consumption", f"power,meter=own volts=2 {BETWEEN_NS}").raise_for_status()
    elif change == "delete":
        parts.store.delete_points(NAME, SeriesKey("power", (("meter", "a"),)), TimeRange(BETWEEN_NS, BETWEEN_NS + 1))
    else:
        client.post("/cache/flush", params={"bucket": NAME}).raise_for_status()
    answer = client.get(PATH, params=CLOSED)
    assert outcome(answer) == "miss"
    assert "around" in answer.text


def test_a_key_without_the_bucket_gets_none(stale: Served) -> None:
    client, parts = stale
    parts.store.create_bucket(BucketSpec("Roof"))
    key, _ = parts.keys.create("roof", [Scope.READ], buckets=["Roof"])
    refused = client.get(PATH, params=CLOSED, headers={"X-API-Key": key})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_bucket")


def test_no_cache_is_answered_by_the_store(stale: Served) -> None:
    client, _ = stale
    answer = client.get(PATH, params=CLOSED, headers={"Cache-Control": "no-cache"})
    assert (outcome(answer), "around" in answer.text) == ("bypass", True)


def test_without_the_setting_an_old_answer_is_none(serve: Callable[..., Served]) -> None:
    client, parts = serve(cache_closed_s=LIFE_S)
    fill(client, parts)
    for _ in range(2):
        assert outcome(client.get(PATH, params=CLOSED)) == "miss"
