"""Connectors over HTTP: ordered, seen, steered, and refused before anything is sent."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.access import Scope
from service.domain.timerange import TimeRange
from service.errors import ConfigurationError
from service.jobs.forward.bookmarks import Acceptance
from service.jobs.forward.counts import Counts
from service.jobs.forward.definitions import KIND
from service.jobs.forward.runnable import ForwardRunnable
from tests.api.conftest import Served, fill
from tests.support.forwarding import NOON_NS, dead_letter
from tests.support.recording_upstream import Faults, recording_upstream
from tests.support.waiting import until

Serve = Callable[..., Served]
HISTORIAN = Path(__file__).parents[2] / "docs" / "examples" / "historian" / "historian_source.py"
RANGE = {"start_time": "2026-01-01T10:00:00Z", "end_time": "2026-01-01T11:00:00Z"}
SENSOR = "{measurement}.{field}.{tag.meter}"
VALUES = 2 * 60 * 2
"""Of two meters in an hour: volts and count. The third field is text."""


def by_hand(url: str, **members: Any) -> dict[str, Any]:
    """A connector that runs only when it is asked to."""
    source = {"store": {"bucket": "Power Consumption", "field": ["volts", "count"]}}
    upstream = {"url": url, "sensor": SENSOR}
    return {"source": source, "upstream": upstream, "every": None, **members}


def configured(serve: Serve, url: str, **members: Any) -> Served:
    client, parts = serve()
    fill(client, parts)
    client.put("/config/connectors", json={"cloud": by_hand(url, **members)}).raise_for_status()
    return client, parts


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    until(lambda: client.get(f"/jobs/{job_id}").json()["state"] in ("succeeded", "failed", "cancelled"))
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def connectors_of(served: Served) -> ForwardRunnable:
    return served[1].kinds.runnable(KIND, ForwardRunnable)


def test_a_range_on_request_arrives_whole(serve: Serve) -> None:
    with recording_upstream() as upstream:
        client, _ = configured(serve, upstream.url)
        ordered = client.post("/connector/requests", json={"connector": "cloud", **RANGE})
        assert (ordered.status_code, ordered.json()["kind"]) == (202, "forward")
        assert ordered.headers["Location"] == f"/jobs/{ordered.json()['id']}"
        job = ended(client, ordered.json()["id"])
        assert (job["state"], job["result"]["accepted"], job["result"]["windows"]) == ("succeeded", VALUES, 12), job
        assert len(upstream.values) == VALUES
        assert client.get("/connector/cloud").json()["bookmark"] is None


def test_a_python_source_is_stored_and_read_back_under_the_names_of_the_page(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored `class` came back as `class_name`, which nothing could read: every route of connectors answered 500."""
    package = tmp_path / "packages" / "historian_source-1.0.dist-info"
    package.mkdir(parents=True)
    shutil.copy(HISTORIAN, package.parent)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: historian-source\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[fluxgate.sources]\nhistorian = historian_source:Historian\n")
    monkeypatch.syspath_prepend(str(package.parent))
    client, _ = serve()
    source = {"python": {"class": "historian_source:Historian", "options": {"folder": str(tmp_path)}}}
    with recording_upstream() as upstream:
        (tmp_path / "2026-01-01.csv").write_text("time,sensor,value\n2026-01-01T10:00:01Z,boiler,71.5\n")
        sink = {"url": upstream.url, "sensor": "{tag.sensor}"}
        put = client.put("/config/connectors", json={"h": {"source": source, "upstream": sink, "every": None}})
        assert put.json()["value"]["h"]["source"]["python"]["class"] == "historian_source:Historian"
        assert client.put("/config/connectors", json=put.json()["value"]).status_code == 200
        assert client.get("/connector/h").json()["source"] == "python"
        job = ended(client, client.post("/connector/requests", json=RANGE).json()["id"])
        assert (job["state"], job["result"]["accepted"]) == ("succeeded", 1), job


def test_a_sql_source_is_shown_under_the_names_of_the_page(serve: Serve) -> None:
    client, _ = serve(database_url="sqlite:////srv/plant.db")
    source = {"sql": {"table": "readings", "schema": "plant"}}
    put = client.put("/config/connectors", json={"q": {**by_hand("http://127.0.0.1:9/post"), "source": source}})
    assert put.json()["value"]["q"]["source"]["sql"]["schema"] == "plant"


def test_a_dry_run_counts_and_posts_nothing(serve: Serve) -> None:
    with recording_upstream() as upstream:
        client, _ = configured(serve, upstream.url)
        job = ended(client, client.post("/connector/requests", json={**RANGE, "dry_run": True}).json()["id"])
        assert (job["result"]["values"], job["result"]["windows"]) == (VALUES, 12)
        assert upstream.requests == []


def test_connectors_are_shown_after_a_request_that_a_smaller_limit_would_refuse(serve: Serve) -> None:
    """Every job of the listing was held against CONNECTOR_MAX_REQUEST_DAYS of now, and the listing answered 422."""
    client, parts = configured(serve, "http://127.0.0.1:9/post")
    days = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-03T00:00:00Z"}
    parts.jobs.job_store.enqueue(KIND, {"connector": "cloud", **days}, None)
    connectors = connectors_of((client, parts))
    connectors.limits = replace(connectors.limits, max_request_days=1)
    assert client.post("/connector/requests", json=days).json()["parameter"] == "end_time"
    assert client.get("/connector").status_code == 200
    assert client.get("/connector/cloud").json()["last_job"] is None


def test_existing_callers_use_their_own_words(serve: Serve) -> None:
    with recording_upstream() as upstream:
        client, _ = configured(serve, upstream.url)
        bearer = {"Authorization": f"Bearer {client.headers['X-API-Key']}"}
        with httpx.Client(base_url=client.base_url, headers=bearer) as caller:
            naive = {name: text.removesuffix("Z") for name, text in RANGE.items()}
            ticket = caller.post("/api/v1/raise-request", json=naive)
            assert (ticket.status_code, ticket.json()["status"]) == (200, "PENDING")
            path = f"/api/v1/tasks/{ticket.json()['task_id']}"
            until(lambda: caller.get(path).json()["state"] == "SUCCESS")
            task = caller.get(path).json()
        assert set(task) == {"state", "current", "total", "status", "result"}
        assert (task["current"], task["total"], task["result"]["accepted"]) == (12, 12, VALUES)
        assert len(upstream.values) == VALUES
        assert client.get("/api/v1/tasks/nothing").status_code == 404
        assert client.get("/api/v1/tasks/%00").status_code == 404


def test_the_connector_of_the_settings_posts_with_its_key(serve: Serve) -> None:
    with recording_upstream(faults=Faults(authorization="Bearer the-vendors-key")) as upstream:
        settings = {"post_data_endpoint": upstream.url, "post_data_api_key": "the-vendors-key"}
        client, parts = serve(connector_bucket="Power Consumption", connector_sensor=SENSOR, batch_size=30, **settings)
        fill(client, parts)
        order = client.post("/api/v1/raise-request", json=RANGE).json()
        until(lambda: client.get(f"/api/v1/tasks/{order['task_id']}").json()["state"] == "SUCCESS")
        assert len(upstream.values) == VALUES + 120
        assert client.get("/connector").json()["connectors"][0]["name"] == "default"


def test_a_refused_key_stops_the_connector_until_a_human_resumes_it(serve: Serve) -> None:
    with recording_upstream(faults=Faults(status=401)) as upstream:
        client, parts = configured(serve, upstream.url)
        job = ended(client, client.post("/connector/requests", json=RANGE).json()["id"])
        assert (job["state"], job["error"]["code"]) == ("failed", "upstream_stopped"), job
        shown = client.get("/connector/cloud").json()
        assert (shown["state"], shown["stopped"]["code"]) == ("stopped", "upstream_stopped")
        refused = client.post("/connector/requests", json=RANGE)
        assert (refused.status_code, "Then resume it with POST" in refused.json()["detail"]) == (422, True)
        parts.status_board.refresh()
        assert client.get("/health/ready").json()["warnings"][0].startswith("1 connector is stopped")
        assert 'fluxgate_connector_stopped{connector="cloud"} 1.0' in client.get("/metrics").text
        upstream.faults = Faults()
        assert client.post("/connector/cloud/resume").json()["state"] == "running"
        job = ended(client, client.post("/connector/requests", json=RANGE).json()["id"])
        assert (job["state"], len(upstream.values)) == ("succeeded", VALUES)


def test_refused_values_are_listed_and_replayed(serve: Serve) -> None:
    def poison(value: Any) -> bool:
        return value.time_ns % (600 * 10**9) == 0 and "volts" in value.sensor

    with recording_upstream(faults=Faults(poison=poison)) as upstream:
        client, _ = configured(serve, upstream.url)
        job = ended(client, client.post("/connector/requests", json=RANGE).json()["id"])
        assert (job["result"]["refused"], job["result"]["accepted"]) == (12, VALUES - 12), job
        answer = client.get("/connector/cloud/dead-letters", params={"limit": 5})
        assert answer.headers["Content-Type"].startswith("application/x-ndjson")
        assert len(answer.text.splitlines()) == 5
        assert client.get("/connector/cloud").json()["dead_letters"] == 12
        upstream.faults = Faults()
        job = ended(client, client.post("/connector/cloud/dead-letters/replay").json()["id"])
        assert (job["result"]["removed"], job["result"]["left"]) == (12, 0), job
        assert len(upstream.values) == VALUES


def test_a_bookmark_is_shown_set_and_reset(serve: Serve) -> None:
    client, _ = configured(serve, "http://127.0.0.1:9/post")
    assert client.get("/connector/cloud").json()["bookmark"] is None
    body = {"bookmark": "2026-01-01T10:00:00Z"}
    shown = client.put("/connector/cloud/bookmark", json=body).json()
    assert (shown["bookmark"], shown["lag_s"] > 0) == ("2026-01-01T10:00:00Z", True)
    assert client.put("/connector/cloud/bookmark", json={"bookmark": "now"}).json()["bookmark"] > body["bookmark"]
    assert client.put("/connector/cloud/bookmark", json={"bookmark": None}).json()["bookmark"] is None
    wrong = client.put("/connector/cloud/bookmark", json={"bookmark": "yesterday"})
    assert (wrong.status_code, wrong.json()["parameter"]) == (422, "bookmark")


def test_a_run_that_fails_is_shown_with_its_reason(serve: Serve) -> None:
    source = {"store": {"bucket": "nothing"}}
    client, _ = configured(serve, "http://127.0.0.1:9/post", source=source, start="2026-01-01T10:00:00Z")
    job = ended(client, client.post("/connector/cloud/run").json()["id"])
    assert job["state"] == "failed", job
    shown = client.get("/connector/cloud").json()
    assert (shown["last_job"], shown["last_job_state"]) == (job["id"], "failed")
    assert "nothing" in shown["last_error"]


def test_a_connector_that_there_is_not_is_not_found(serve: Serve) -> None:
    client, _ = configured(serve, "http://127.0.0.1:9/post")
    orders = [
        ("GET", "", None),
        ("POST", "/run", None),
        ("POST", "/resume", None),
        ("PUT", "/bookmark", {"bookmark": None}),
        ("GET", "/dead-letters", None),
        ("DELETE", "/dead-letters", None),
        ("POST", "/dead-letters/replay", None),
    ]
    for method, path, body in orders:
        answer = client.request(method, f"/connector/other{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert client.post("/connector/requests", json={"connector": "other", **RANGE}).status_code == 422


@pytest.mark.parametrize(
    ("order", "parameter"),
    [
        ({"start_time": RANGE["end_time"], "end_time": RANGE["start_time"]}, "end_time"),
        ({"start_time": "2016-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}, "end_time"),
        ({"start_time": "2026-01-01", "end_time": RANGE["end_time"]}, "start_time"),
    ],
)
def test_a_wrong_range_is_refused(serve: Serve, order: dict[str, str], parameter: str) -> None:
    client, _ = configured(serve, "http://127.0.0.1:9/post")
    answer = client.post("/connector/requests", json=order)
    assert (answer.status_code, answer.json()["parameter"]) == (422, parameter)
    assert client.get("/jobs").json()["jobs"] == []


def test_without_an_endpoint_a_request_says_what_to_set(serve: Serve) -> None:
    client, _ = serve()
    for path in ("/connector/requests", "/api/v1/raise-request"):
        answer = client.post(path, json=RANGE)
        assert (answer.status_code, answer.json()["parameter"]) == (422, "connector")
        assert "Set POST_DATA_ENDPOINT" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("members", "parameter", "words"),
    [
        ({"upstream": {"url": "http://169.254.169.254/x"}}, "cloud.upstream.url", "cannot be an upstream"),
        ({"upstream": {"url": "ftp://x"}}, "cloud.upstream.url", "no address"),
        ({"window": "0m"}, "cloud.window", "empty"),
        ({"window": "2d"}, "cloud.window", "longer than a day"),
        ({"start": "soon"}, "cloud.start", "RFC 3339"),
        ({"every": "5"}, "cloud.every", "HH:MM:SS"),
        ({"look_back": "1d"}, "cloud.look_back", "declared to replace"),
        ({"source": {"sql": {"query": "SELECT 1"}}}, "cloud.source.sql", ""),
        ({"source": {}}, "cloud.source", "exactly one"),
        ({"colour": "red"}, "cloud.colour", "no such member"),
    ],
)
def test_a_connector_that_cannot_work_is_refused(
    serve: Serve, members: dict[str, Any], parameter: str, words: str
) -> None:
    client, _ = serve()
    answer = client.put("/config/connectors", json={"cloud": by_hand("http://127.0.0.1:9/post", **members)})
    assert answer.status_code == 422, answer.text
    assert answer.json()["parameter"].startswith(parameter)
    assert words in answer.json()["detail"]


def test_a_wrong_name_is_refused(serve: Serve) -> None:
    client, _ = serve()
    answer = client.put("/config/connectors", json={"a b": by_hand("http://127.0.0.1:9/post")})
    assert (answer.status_code, "is no name of a connector" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"post_data_endpoint": "http://127.0.0.1:9/"}, "Set CONNECTOR_BUCKET, or DATABASE_URL"),
        (
            {"post_data_endpoint": "http://169.254.169.254/", "connector_bucket": "b"},
            "POST_DATA_ENDPOINT: The connector 'default'",
        ),
        (
            {"post_data_endpoint": "http://127.0.0.1:9/", "connector_bucket": "b", "connector_start": "soon"},
            "CONNECTOR_START",
        ),
        (
            {"database_url": "oracle://plant:secret@db/orders"},
            "DATABASE_URL: There is no support for 'oracle' databases; there is for postgresql, mysql, mariadb, mssql",
        ),
        ({"database_url": "no address"}, "DATABASE_URL: This is no address of a database"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(serve: Serve, settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        serve(**settings)
    assert words in refused.value.message
    assert "secret" not in refused.value.message


def test_what_a_connector_did_is_in_the_metrics_and_an_old_bookmark_warns(serve: Serve) -> None:
    client, parts = serve(connector_max_lag_minutes=10)
    client.put("/config/connectors", json={"cloud": by_hand("http://127.0.0.1:9/post")}).raise_for_status()
    connectors = connectors_of((client, parts))
    connectors.bookmarks.begin("cloud", NOON_NS - 3600 * 10**9)
    window = TimeRange(NOON_NS - 3600 * 10**9, NOON_NS - 3000 * 10**9)
    letters = (dead_letter(("s", NOON_NS - 3500 * 10**9, 1.0)),)
    connectors.bookmarks.accept("cloud", 0, [Acceptance(window, Counts(10, 9, 1, 3, 1), letters)], 1.0)
    parts.status_board.refresh()
    page = client.get("/metrics").text
    for name, value in (
        ("points_read", 10.0),
        ("points_sent", 10.0),
        ("points_accepted", 9.0),
        ("points_refused", 1.0),
        ("posts", 3.0),
        ("posts_unknown", 1.0),
        ("dead_letters", 1.0),
        ("stopped", 0.0),
    ):
        assert f'fluxgate_connector_{name}{{connector="cloud"}} {value}' in page
    assert "fluxgate_connector_lag_seconds" in page
    assert "fluxgate_connector_oldest_dead_letter_timestamp_seconds" in page
    limited, _ = parts.keys.create("limited", [Scope.READ], ["mine"])
    assert "fluxgate_connector" not in client.get("/metrics", headers={"X-API-Key": limited}).text
    ready = client.get("/health/ready").json()
    assert ready["warnings"] == ["1 connector is further behind than CONNECTOR_MAX_LAG_MINUTES: see GET /connector."]
    assert client.delete("/connector/cloud/dead-letters").json() == {"removed": 1}


def test_a_bookmark_in_the_future_warns(serve: Serve) -> None:
    client, parts = configured(serve, "http://127.0.0.1:9/post")
    assert client.get("/connector/cloud").json()["warning"] is None
    connectors_of((client, parts)).bookmarks.begin("cloud", int((time.time() + 3600) * 1e9))
    parts.status_board.refresh()
    assert "that is in the future" in client.get("/connector").json()["connectors"][0]["warning"]
    warning = "1 connector is bookmarked in the future, so values may never be sent: see GET /connector."
    assert client.get("/health/ready").json()["warnings"] == [warning]


def test_a_key_for_other_things_neither_sees_nor_orders(serve: Serve) -> None:
    client, parts = configured(serve, "http://127.0.0.1:9/post")
    reader, _ = parts.keys.create("reader", [Scope.READ, Scope.WRITE, Scope.MIRROR])
    headers = {"X-API-Key": reader}
    assert client.get("/connector", headers=headers).status_code == 403
    assert client.post("/connector/requests", json=RANGE, headers=headers).status_code == 403


def test_a_shown_configuration_hides_the_key_of_the_upstream(serve: Serve) -> None:
    client, _ = serve()
    upstream = {"url": "http://127.0.0.1:9/post", "auth": {"kind": "bearer", "token": "the-vendors-key"}}
    connector = {**by_hand("http://127.0.0.1:9/post"), "upstream": upstream}
    client.put("/config/connectors", json={"cloud": connector}).raise_for_status()
    shown = client.get("/config/connectors")
    assert "the-vendors-key" not in shown.text
    assert client.put("/config/connectors", json=shown.json()["value"]).status_code == 200
    assert "the-vendors-key" not in client.get("/connector/cloud").text
