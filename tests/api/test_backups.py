"""Backups over HTTP: ordered, listed, shown, test-restored and restored; and what a key may not do with them."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.errors import ConfigurationError
from service.features.backup.commands import cli
from tests.api.conftest import KEY, Served, write
from tests.support.waiting import until

TARGET = {"url": "http://127.0.0.1:9", "org": "plant", "token_env": "FLUXGATE_TOKEN_OTHER"}


@pytest.fixture
def gateway(serve: Callable[..., Served]) -> Served:
    """A gateway with three points in one bucket."""
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Plant", "", 0))
    write(client, "Plant", "m f=1 1700000000000000000\nm f=2 1700000000000000001\nm g=7i 1700000000000000002")
    return client, parts


def ended(client: httpx.Client, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
    """The job that `path` orders, once it has ended."""
    return end_of(client, client.post(path, json=order or {}))


def end_of(client: httpx.Client, job: httpx.Response) -> dict[str, Any]:
    """The job that was ordered, once it has ended."""
    assert job.status_code == 202, job.text
    path = job.headers["Location"]
    until(lambda: client.get(path).json()["state"] in ("succeeded", "failed", "cancelled"), 60)
    answer: dict[str, Any] = client.get(path).json()
    return answer


def test_a_backup_is_taken_listed_shown_proven_and_restored(gateway: Served) -> None:
    client, _ = gateway
    result = ended(client, "/backup/trigger", {"comment": "first"})["result"]
    assert (result["state"], result["points"]) == ("complete", 3)
    assert ended(client, "/backups/drill")["result"]["outcome"] == "proven"
    listing = client.get("/backups").json()
    [backup] = listing["backups"]
    assert (backup["id"], backup["state"], backup["proven"], backup["comment"]) == (
        result["backup"],
        "complete",
        True,
        "first",
    )
    assert [(age["bucket"], age["last_proven"]) for age in listing["buckets"]] == [("Plant", result["backup"])]
    shown = client.get("/backups/latest").json()
    assert [(held["name"], held["points"], held["values"]) for held in shown["held"]] == [("Plant", 3, 3)]
    restored = ended(client, "/backups/latest/restore", {"buckets": {"Plant": "Plant 2"}})["result"]
    assert restored["state"] == "equal"
    read = {"start": "2023-11-14T00:00:00Z", "stop": "2023-11-15T00:00:00Z", "every": "raw"}
    rows = [client.get(f"/buckets/{name}", params=read).text for name in ("Plant", "Plant 2")]
    assert rows[0] == rows[1] != ""


def test_a_dry_run_is_a_job_that_leaves_no_backup(gateway: Served) -> None:
    client, _ = gateway
    job = ended(client, "/backup/trigger", {"dry_run": True, "buckets": ["Plant"]})
    assert (job["kind"], job["state"], job["parameters"]) == (
        "backup_plan",
        "succeeded",
        {"kind": "logical", "buckets": ["Plant"]},
    )
    assert job["result"] == {
        "dry_run": True,
        "values": 3,
        "buckets": [
            {"name": "Plant", "values": 3, "slices": {"take_over": 0, "compare": 0, "write": 1, "sealed": 0}},
        ],
        "missing": [],
    }
    assert client.get("/backups").json()["backups"] == []
    refused = client.post("/backup/trigger", json={"dry_run": True, "kind": "physical"})
    assert (refused.status_code, refused.json()["parameter"]) == (422, "dry_run")


def test_the_command_shows_the_plan_of_each_bucket(gateway: Served) -> None:
    client, _ = gateway
    order = ["create", "--dry-run", "--bucket", "Plant", "--bucket", "Nothing"]
    done = CliRunner().invoke(cli, [*order, "--url", str(client.base_url), "--key", KEY])
    assert done.exit_code == 0, done.output
    assert re.search(r"Plant +│ +3 │ +0 │ +0 │ +1 │ +0 ", done.output)
    assert "missing: Nothing: there is no bucket of this name" in done.output
    assert client.get("/backups").json()["backups"] == []


def test_what_is_ordered_wrongly_is_refused_before_a_job_is_made(gateway: Served) -> None:
    client, _ = gateway
    assert client.get("/backups/00000009-20260101T000000Z").status_code == 404
    assert client.post("/backup/trigger", json={"bucket": "Plant"}).status_code == 422
    assert (
        client.post(
            "/backup/trigger", json={"start": "2026-01-02T00:00:00Z", "stop": "2026-01-01T00:00:00Z"}
        ).status_code
        == 422
    )
    physical = client.post("/backup/trigger", json={"kind": "physical"})
    assert physical.status_code == 422
    assert "embedded store" in physical.json()["detail"]
    assert client.get("/jobs").json()["jobs"] == []


def test_a_backup_is_removed_by_its_id(gateway: Served) -> None:
    client, _ = gateway
    first, second = (ended(client, "/backup/trigger")["result"]["backup"] for _ in range(2))

    def remove(backup_id: str, **switches: bool) -> dict[str, Any]:
        return end_of(client, client.delete(f"/backups/{backup_id}", params=switches))

    assert [entry["backup"] for entry in remove(first, dry_run=True)["result"]["removed"]] == [first]
    assert remove(first)["state"] == "succeeded"
    refused = remove(second)
    assert (refused["state"], refused["error"]["code"]) == ("failed", "invalid_parameter")
    assert "--last" in refused["error"]["message"]
    assert remove(second, last=True)["state"] == "succeeded"
    assert client.get("/backups").json()["backups"] == []
    unknown = client.delete(f"/backups/{second}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_an_order_about_an_unknown_backup_makes_no_job(gateway: Served) -> None:
    client, _ = gateway
    for path in ("verify", "restore"):
        assert client.post(f"/backups/00000009-20260101T000000Z/{path}").status_code == 404
    assert client.get("/jobs").json()["jobs"] == []


def test_a_key_for_restores_names_no_other_server(gateway: Served) -> None:
    client, parts = gateway
    key = parts.keys.create("restorer", [Scope.RESTORE])[0]
    for order in ({"target": TARGET}, {"replace_server": "influx.example:8086"}):
        answer = client.post("/backups/latest/restore", json=order, headers={"X-API-Key": key})
        assert answer.status_code == 403
        assert "admin" in answer.json()["detail"]


def test_metrics_name_the_last_good_backup_of_the_buckets_that_a_key_may_see(gateway: Served) -> None:
    client, parts = gateway
    ended(client, "/backup/trigger")
    parts.status_board.refresh()
    assert 'fluxgate_backup_last_complete_timestamp_seconds{bucket="Plant"}' in client.get("/metrics").text
    limited = parts.keys.create("other", [Scope.READ], buckets=["Other"])[0]
    assert "Plant" not in client.get("/metrics", headers={"X-API-Key": limited}).text


@pytest.mark.parametrize(
    ("drill", "schedules"),
    [
        ("30 3 * * 0", ["backup nightly", "backup_drill by schedule"]),
        ("never", ["backup nightly"]),
        ("Never", ["backup nightly"]),
    ],
)
def test_the_nightly_schedules_are_those_of_the_settings(
    serve: Callable[..., Served], drill: str, schedules: list[str]
) -> None:
    client, _ = serve(backup_nightly=True, backup_drill=drill)
    assert [schedule["name"] for schedule in client.get("/schedules").json()["schedules"]] == schedules


@pytest.mark.parametrize("nightly", [True, False])
def test_a_wrong_time_of_the_drill_stops_the_start(serve: Callable[..., Served], nightly: bool) -> None:
    with pytest.raises(ConfigurationError, match=r"BACKUP_DRILL: .*sometimes"):
        serve(backup_nightly=nightly, backup_drill="sometimes")
