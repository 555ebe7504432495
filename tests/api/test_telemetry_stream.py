"""GET /telemetry/stream over HTTP, as a page or a control room follows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.deps import Parts
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.errors import StoreUnavailable
from service.reads.slots import Slots
from service.reads.telemetry import TelemetryReads
from service.reads.telemetry_document import Place
from service.wiring import assemble
from service.wiring.reads import read_limits, telemetry_topics
from tests.api.conftest import NOW_NS, Served, settings, write
from tests.support.stores import Through
from tests.support.telemetry_client import Event, events_of
from tests.support.waiting import until

AGO = NOW_NS // 10**9
STREAM = "/telemetry/stream"
QUICK = {"telemetry_stream_s": 0.1, "cache_telemetry_s": 0}


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    client, parts = serve(**QUICK)
    for bucket in ("a", "b"):
        parts.store.create_bucket(BucketSpec(bucket))
    return client, parts


@contextmanager
def following(client: httpx.Client, query: str = "", **headers: str) -> Iterator[Iterator[Event]]:
    """The events of a stream, while it is open."""
    with client.stream("GET", STREAM + query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield events_of(answer.iter_lines())


def values(event: Event) -> tuple[str, Any]:
    return event.name, event.data["values"]


def test_first_everything_and_then_what_changes(served: Served) -> None:
    client, _ = served
    write(client, "a", f"real_x p=1,q=2 {AGO - 9}\nreal_y r=3 {AGO - 9}", precision="s")
    with following(client) as events:
        first = next(events)
        assert first.data == client.get("/telemetry/latest").json()
        assert values(first) == ("state", {"real_x": {"p": 1.0, "q": 2.0}, "real_y": {"r": 3.0}})
        write(client, "a", f"real_x p=5 {AGO - 8}", precision="s")
        assert values(next(events)) == ("change", {"real_x": {"p": 5.0}})
        client.put("/config/coordinates", json={"latitude": 1.5})
        assert values(next(events)) == ("change", {"latitude": 1.5})


def test_the_head_says_that_nobody_may_keep_or_hold_back_events(served: Served) -> None:
    client, _ = served
    with client.stream("GET", STREAM, headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert "Content-Encoding" not in answer.headers
        assert next(answer.iter_lines()) == "retry: 3000"


def test_who_comes_back_with_the_last_id_is_told_what_changed_meanwhile(served: Served) -> None:
    client, _ = served
    write(client, "a", f"real_x p=1,q=2 {AGO - 9}", precision="s")
    with following(client) as events:
        last = next(events)
    write(client, "a", f"real_x q=7 {AGO - 8}", precision="s")
    with following(client, **{"Last-Event-ID": last.id}) as events:
        change = next(events)
        assert values(change) == ("change", {"real_x": {"q": 7.0}})
    with following(client, **{"Last-Event-ID": "too-old"}) as events:
        assert values(next(events)) == ("state", {"real_x": {"p": 1.0, "q": 7.0}})


def test_each_form_of_the_latest_telemetry_can_be_followed(served: Served) -> None:
    client, _ = served
    write(client, "a", f"real_x,m=1 p=1 {AGO - 9}\nreal_x,m=2 p=2 {AGO - 9}", precision="s")
    for query in ("?format=flat", "?format=rows", "?by=m", "?measurement=real_x&missing=omit", "?bucket=a&lookback=1m"):
        with following(client, query) as events:
            assert next(events).data == client.get(f"/telemetry/latest{query}").json(), query
    with following(client, "?by=m") as events:
        next(events)
        write(client, "a", f"real_x,m=2 p=3 {AGO - 8}", precision="s")
        assert next(events).data == {"2": [{"ts": NOW_NS // 10**6, "values": {"real_x": {"p": 3.0}}}]}
    with following(client, "?format=rows") as events:
        next(events)
        write(client, "a", f"real_x,m=1 p=1 {AGO - 7}", precision="s")
        [row] = next(events).data["rows"]
        assert (row["tags"], row["value"], row["time"]) == ({"m": "1"}, 1.0, "2026-01-01T11:59:53Z")


def test_what_headers_of_an_answer_name_is_an_event(served: Served) -> None:
    client, _ = served
    write(client, "a", f'real_x p=1,s="ok" {AGO - 9}', precision="s")
    with following(client) as events:
        next(events)
        notes = next(events)
        assert (notes.name, notes.data) == ("notes", {"text": {"count": 1, "names": [["real_x", "s"]]}})
        write(client, "a", f'real_x t="ok" {AGO - 9}', precision="s")
        assert next(events).data == {"text": {"count": 2, "names": [["real_x", "s"], ["real_x", "t"]]}}


def test_a_key_of_some_buckets_never_sees_others(served: Served) -> None:
    client, parts = served
    key, _ = parts.keys.create("limited", [Scope.READ], ["a"])
    write(client, "a", f"real_x p=1 {AGO - 9}", precision="s")
    write(client, "b", f"real_x p=2 {AGO - 9}\nreal_z p=2 {AGO - 9}", precision="s")
    with following(client) as all_events, following(client, **{"X-API-Key": key}) as events:
        whole = next(all_events)
        assert set(whole.data["values"]) == {"a/real_x", "b/real_x", "real_z"}
        assert values(next(events)) == ("state", {"real_x": {"p": 1.0}})
        write(client, "b", f"real_z p=3 {AGO - 8}", precision="s")
        assert values(next(event for event in all_events if event.name == "change")) == ("change", {"real_z": {"p": 3}})
        write(client, "a", f"real_x p=4 {AGO - 8}", precision="s")
        assert values(next(events)) == ("change", {"real_x": {"p": 4.0}})
    with following(client, **{"X-API-Key": key, "Last-Event-ID": whole.id}) as events:
        assert values(next(events)) == ("state", {"real_x": {"p": 4.0}}), "an id of other rights opens nothing"
    refused = client.get(f"{STREAM}?bucket=b", headers={"X-API-Key": key})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_bucket")


def test_a_revoked_key_is_sent_nothing_more(served: Served) -> None:
    client, parts = served
    key, record = parts.keys.create("short", [Scope.READ])
    write(client, "a", f"real_x p=1 {AGO - 9}", precision="s")
    with following(client, **{"X-API-Key": key}) as events:
        next(events)
        parts.keys.revoke(record.id)
        write(client, "a", f"real_x p=2 {AGO - 8}", precision="s")
        last = list(events)
    assert [(event.name, event.data["code"]) for event in last] == [("end", "unauthorized")]
    until(lambda: parts.telemetry_topics.listeners == 0)


def test_what_is_asked_wrongly_has_its_status(served: Served) -> None:
    client, _ = served
    unknown = client.get(f"{STREAM}?bucket=nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_bucket")
    for query in ("?format=xml", "?lookback=0s", "?lookbak=1m", "?by=", "?format=rows&by=m"):
        assert client.get(STREAM + query).status_code == 422, query
    assert httpx.get(f"{client.base_url}{STREAM}").status_code == 401


def test_head_opens_no_stream(served: Served) -> None:
    client, parts = served
    answer = client.head(STREAM)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert parts.telemetry_topics.listeners == 0


def test_too_many_streams_are_refused_with_what_to_do(serve: Callable[..., Served]) -> None:
    client, parts = serve(**QUICK, telemetry_stream_listeners=2, telemetry_stream_listeners_per_key=1)
    key, _ = parts.keys.create("other", [Scope.READ])
    with following(client), following(client, **{"X-API-Key": key}):
        for headers, finding in (({"X-API-Key": key}, "All 2 streams"), ({}, "All 2 streams")):
            refused = client.get(STREAM, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_listeners")
            assert refused.json()["detail"].startswith(finding)
            assert refused.headers["Retry-After"] == "10"
    until(lambda: parts.telemetry_topics.listeners == 0)


def test_an_answer_that_is_too_large_is_refused_with_what_to_do(serve: Callable[..., Served]) -> None:
    client, parts = serve(**QUICK, telemetry_stream_kb=1)
    parts.store.create_bucket(BucketSpec("a"))
    fields = ",".join(f"field_number_{number}=1" for number in range(100))
    write(client, "a", f"real_x {fields} {AGO - 9}", precision="s").raise_for_status()
    refused = client.get(STREAM)
    assert refused.status_code == 422
    assert "TELEMETRY_STREAM_KB" in refused.json()["detail"]


def looks(parts: Parts, outcome: str = "answered") -> float:
    return parts.metrics.value("fluxgate_telemetry_stream_looks_total", outcome=outcome)


def test_fifty_listeners_cost_one_round_a_second(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("a"))
    write(client, "a", f"real_x p=1 {AGO - 9}", precision="s")
    streams = httpx.Client(base_url=client.base_url, headers=client.headers, limits=httpx.Limits(max_connections=60))
    with streams:
        answers = [streams.send(streams.build_request("GET", STREAM), stream=True) for _ in range(50)]
        opened = [events_of(answer.iter_lines()) for answer in answers]
        assert [values(next(events)) for events in opened] == [("state", {"real_x": {"p": 1.0}})] * 50
        assert parts.metrics.value("fluxgate_telemetry_stream_listeners") == 50
        before, rows = looks(parts), parts.metrics.value("fluxgate_upstream_rows_total")
        write(client, "a", f"real_x p=2 {AGO - 8}", precision="s")
        assert [values(next(events)) for events in opened] == [("change", {"real_x": {"p": 2.0}})] * 50
        until(lambda: looks(parts) > before)
        assert looks(parts) - before < 50, "one look a second for all of them, however long this took"
        assert parts.metrics.value("fluxgate_upstream_rows_total") - rows <= looks(parts) - before + 1
        for answer in answers:
            answer.close()
    until(lambda: parts.telemetry_topics.listeners == 0)


class Interrupted(Through):
    """A store that is away while `is_away`."""

    is_away = False

    def buckets(self) -> Any:
        if self.is_away:
            raise StoreUnavailable("The store is away.")
        return self.store.buckets()


def test_a_failing_store_is_told_and_the_stream_goes_on(
    tmp_path: Path, serve_parts: Callable[[Parts], httpx.Client]
) -> None:
    chosen = settings(tmp_path / "data", **QUICK)
    parts = assemble(chosen, clock_ns=lambda: NOW_NS)
    store, services = Interrupted(parts.store), (parts.answers, Slots(4), read_limits(chosen))
    telemetry = TelemetryReads(store, *services, Place, lambda: NOW_NS)
    topics = telemetry_topics(chosen, telemetry, parts.pools, parts.metrics, lambda: NOW_NS)
    client = serve_parts(replace(parts, telemetry_topics=topics))
    parts.store.create_bucket(BucketSpec("a"))
    write(client, "a", f"real_x p=1 {AGO - 9}", precision="s")
    with following(client) as events:
        next(events)
        store.is_away = True
        problem = next(events)
        assert (problem.name, problem.data["code"], problem.id) == ("problem", "store_unavailable", "")
        assert problem.data["retry_in_s"] >= 1
        store.is_away = False
        after = next(event for event in events if event.name != "problem")
        assert values(after) == ("change", {})
    assert looks(parts, "failed") >= 1
