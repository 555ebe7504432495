"""Kept windows over HTTP: what the headers say, whose answers they are, and how they are dropped."""

from collections.abc import Callable

import httpx
import pytest

from service.domain.access import Scope
from service.domain.schema import BucketSpec
from tests.api.conftest import NOW_NS, Served, fill, write

BUCKET = "/buckets/Power%20Consumption"
WINDOWS = {"every": "1m", "field": "volts"}
LONG = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T11:45:00Z", **WINDOWS}
SHORT = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T11:30:00Z", **WINDOWS}


def cache_of(answer: httpx.Response) -> str:
    return answer.raise_for_status().headers["X-Fluxgate-Cache"]


def test_headers_say_what_was_kept(http: httpx.Client) -> None:
    assert cache_of(http.get(BUCKET, params=SHORT)) == "miss"
    partial = http.get(BUCKET, params=LONG)
    assert cache_of(partial) == "partial; fetched=2026-01-01T11:30:00Z/2026-01-01T11:45:00Z"
    inside = http.get(BUCKET, params={**SHORT, "stop": "2026-01-01T11:00:00Z", "format": "json"})
    assert cache_of(inside) == "hit"
    assert cache_of(http.get(BUCKET, params=LONG)) == "hit; age=0"
    assert cache_of(http.get(BUCKET, params={**LONG, "every": "raw"})) == "miss; reason=raw"
    assert cache_of(http.get(BUCKET, params=LONG, headers={"Cache-Control": "no-cache"})) == "bypass; reason=asked"
    for answer in (partial, inside):
        assert (answer.headers["Age"], answer.headers["X-Fluxgate-As-Of"]) == ("0", "2026-01-01T12:00:00Z")


def test_kept_windows_give_the_bytes_of_the_store(http: httpx.Client) -> None:
    http.get(BUCKET, params=SHORT)
    for shape in ("long", "wide", "table"):
        for form in ("csv", "json", "ndjson"):
            question = {**LONG, "shape": shape, "format": form}
            kept, plain = (
                http.get(BUCKET, params=question, headers=head) for head in ({}, {"Cache-Control": "no-cache"})
            )
            assert cache_of(kept).partition(";")[0] in ("partial", "hit")
            assert kept.content == plain.content


def test_an_answer_that_the_client_has_is_not_sent_again(http: httpx.Client) -> None:
    tags = [http.get(BUCKET, params=LONG).headers.get("ETag") for _ in range(2)]
    assert tags[0] is None
    assert tags[1] is not None
    assert tags[1].startswith('W/"')
    again = http.get(BUCKET, params=LONG, headers={"If-None-Match": f'"other", {tags[1]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tags[1])
    assert http.get(BUCKET, params=LONG, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_flush_drops_the_windows_of_its_range(http: httpx.Client) -> None:
    http.get(BUCKET, params=LONG)
    span = {"start": "2026-01-01T11:00:00Z", "stop": "2026-01-01T11:10:00Z"}
    flushed = http.post("/cache/flush", params={"bucket": "Power Consumption", **span})
    assert flushed.json() == {"buckets": ["Power Consumption"], **span}
    assert cache_of(http.get(BUCKET, params=LONG)) == "partial; fetched=2026-01-01T11:00:00Z/2026-01-01T11:10:00Z"
    assert http.post("/cache/flush").json() == {"buckets": ["Power Consumption"], "start": None, "stop": None}
    assert cache_of(http.get(BUCKET, params=LONG)) == "miss"


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"bucket": "nowhere"}, 404, "unknown_bucket"),
        ({"start": "yesterday"}, 422, "invalid_parameter"),
        ({"start": "2026-01-02T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}, 422, "invalid_parameter"),
        ({"buckets": "Power"}, 422, "invalid_parameter"),
    ],
)
def test_a_flush_that_means_nothing_is_refused(
    http: httpx.Client, parameters: dict[str, str], status: int, code: str
) -> None:
    refused = http.post("/cache/flush", params=parameters)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_the_cache_says_what_it_holds_and_how_well_it_does(http: httpx.Client) -> None:
    for question in (SHORT, LONG, LONG):
        http.get(BUCKET, params=question)
    report = http.get("/cache").json()
    assert report["kind"] == "memory"
    assert 0 < report["memory"]["size_bytes"] <= report["memory"]["most_bytes"]
    assert report["answers"]["hit"] == 1
    windows = report["windows"]
    assert (windows["reads"]["miss"], windows["reads"]["partial"]) == (1, 1)
    assert (windows["served"], windows["asked"]) == (90 + 105, 90 + 15)
    assert "fluxgate_cache_windows_asked_total 105.0" in http.get("/metrics").text


def test_the_cache_says_how_old_windows_are_before_they_are_kept(serve: Callable[..., Served]) -> None:
    client, _ = serve(cache_settle="15m", cache_settle_buckets='{"Meters": "2h"}')
    windows = client.get("/cache").json()["windows"]
    assert windows["settle_s"] == 900
    assert windows["settle_times"] == [
        {"bucket": "Meters", "settle_s": 7200, "measured_late_s": None, "is_set": True},
    ]


def test_a_hot_answer_is_for_keys_that_may_see_its_bucket(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    fill(client, parts)
    parts.store.create_bucket(BucketSpec("other"))
    mine, _ = parts.keys.create("mine", [Scope.READ], ["Power Consumption"])
    others, _ = parts.keys.create("others", [Scope.READ], ["other"])
    for question in (SHORT, LONG, LONG):
        assert client.get(BUCKET, params=question, headers={"X-API-Key": mine}).status_code == 200
    for question in (SHORT, LONG):
        refused = client.get(BUCKET, params=question, headers={"X-API-Key": others})
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_bucket")
        assert client.get("/buckets/other", params=question, headers={"X-API-Key": others}).text.count("\n") <= 1


def test_switched_off_nothing_is_kept_in_windows(serve: Callable[..., Served]) -> None:
    client, parts = serve(cache_windows=False)
    fill(client, parts)
    assert [cache_of(client.get(BUCKET, params=question)) for question in (SHORT, LONG)] == ["miss", "miss"]
    assert client.get("/cache").json()["windows"]["enabled"] is False


def test_a_late_point_shows_at_once(http: httpx.Client) -> None:
    http.get(BUCKET, params=LONG)
    late_s = NOW_NS // 10**9 - 5_000
    write(http, "Power%20Consumption", f"power,meter=a volts=999 {late_s}", precision="s").raise_for_status()
    assert ",999," in http.get(BUCKET, params={**LONG, "fn": "max"}).text
    after = http.get(BUCKET, params=LONG)
    assert cache_of(after) == "partial; fetched=2026-01-01T10:36:00Z/2026-01-01T10:37:00Z"
