"""A second kind of job needs one line in the list of features: then it is configured, ordered, scheduled and served."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service.app import create_app
from service.cli import build, feature_entries
from service.commands.lazy import Entry
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.wiring.features import FEATURES
from tests.api.conftest import KEY, Served
from tests.support.census import CENSUS
from tests.support.waiting import until

BOTH = (*FEATURES, CENSUS)
PLANTS = {"plants": {"prefix": "Plant "}}


@pytest.fixture
def gateway(serve: Callable[..., Served]) -> Served:
    """A gateway with two plants and an office, over the real list of features and one more line."""
    client, parts = serve(features=BOTH)
    for name in ("Plant 1", "Plant 2", "Office"):
        parts.store.create_bucket(BucketSpec(name, ""))
    return client, parts


def job_of(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it has ended."""
    until(lambda: client.get(f"/jobs/{job_id}").json()["state"] in ("succeeded", "failed", "cancelled"))
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def test_its_job_is_ordered_by_its_route_and_runs(gateway: Served) -> None:
    client, _ = gateway
    client.put("/config/censuses", json=PLANTS).raise_for_status()
    assert client.get("/census").json() == ["plants"]
    ordered = client.post("/census/trigger", json={"census": "plants"})
    assert ordered.status_code == 202, ordered.text
    job = job_of(client, ordered.json()["id"])
    assert (job["kind"], job["state"], job["result"]) == ("census", "succeeded", {"buckets": ["Plant 1", "Plant 2"]})
    assert "2 buckets begin with 'Plant '" in [line["message"] for line in job["log"]]
    assert [entry["id"] for entry in client.get("/jobs?kind=census").json()["jobs"]] == [job["id"]]
    refused = client.post("/census/trigger", json={"census": "ships"})
    assert (refused.status_code, refused.json()["parameter"]) == (422, "census")


def test_its_section_is_put_with_a_version_and_checked(gateway: Served) -> None:
    client, _ = gateway
    assert client.get("/config/censuses").json() == {"section": "censuses", "version": 0, "value": {}}
    assert client.put("/config/censuses", json=PLANTS, headers={"If-Match": '"0"'}).json()["version"] == 1
    assert client.put("/config/censuses", json={}, headers={"If-Match": '"0"'}).status_code == 409
    wrong = client.put("/config/censuses", json={"plants": {"colour": "red"}})
    assert (wrong.status_code, wrong.json()["parameter"]) == (422, "plants.colour")
    assert client.get("/config/censuses").json()["value"] == {"plants": {"prefix": "Plant ", "every": None}}
    assert "censuses" in client.get("/config/nothing").json()["detail"]


def test_a_schedule_that_its_section_makes_fires(gateway: Served) -> None:
    client, _ = gateway
    client.put("/config/censuses", json={"plants": {"prefix": "Plant ", "every": "00:00:01"}}).raise_for_status()
    until(lambda: client.get("/jobs?kind=census&state=succeeded").json()["jobs"])
    (schedule,) = client.get("/schedules").json()["schedules"]
    assert (schedule["name"], schedule["kind"], schedule["parameters"]) == (
        "census plants",
        "census",
        {"census": "plants"},
    )
    job = client.get(f"/jobs/{schedule['last_job']}").json()
    assert (job["schedule"], job["created_by"]) == ("census plants", "schedule")


def test_a_user_can_schedule_it_too_under_a_name_that_is_not_taken(gateway: Served) -> None:
    client, _ = gateway
    client.put("/config/censuses", json=PLANTS).raise_for_status()
    nightly = {"kind": "census", "parameters": {"census": "plants"}, "cron": "30 2 * * *"}
    assert client.put("/config/schedules", json={"plants at night": nightly}).status_code == 200
    taken = client.put("/config/schedules", json={"census plants": nightly})
    assert (taken.status_code, taken.json()["parameter"]) == (422, "census plants")
    wrong = client.put("/config/schedules", json={"harbour": {**nightly, "parameters": {"census": "ships"}}})
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "The schedule 'harbour': There is no census 'ships'.")


def test_a_key_without_its_scope_neither_orders_nor_sees_it(gateway: Served) -> None:
    client, parts = gateway
    client.put("/config/censuses", json=PLANTS).raise_for_status()
    job_id = client.post("/census/trigger", json={"census": "plants"}).json()["id"]
    mirrors, _ = parts.keys.create("mirrors", [Scope.MIRROR])
    counts, _ = parts.keys.create("counts", [Scope.BACKUP])
    assert client.get("/census", headers={"X-API-Key": mirrors}).status_code == 403
    assert client.get(f"/jobs/{job_id}", headers={"X-API-Key": mirrors}).status_code == 404
    assert client.get(f"/jobs/{job_id}", headers={"X-API-Key": counts}).status_code == 200


def test_its_command_is_there_and_waits_for_the_job(gateway: Served) -> None:
    client, _ = gateway
    client.put("/config/censuses", json=PLANTS).raise_for_status()
    census = Entry(CENSUS.name, "Censuses.", lambda: CENSUS.commands)
    cli, runner = build([*feature_entries(), census]), CliRunner()
    assert {"mirror", "census", "jobs"} <= set(runner.invoke(cli, ["--help"]).output.replace("│", " ").split())
    done = runner.invoke(cli, ["census", "run", "plants", "--url", str(client.base_url), "--key", KEY])
    assert (done.exit_code, done.stdout.split()[-1]) == (0, "succeeded"), done.output


def test_the_document_of_the_api_has_its_routes_and_its_section(gateway: Served) -> None:
    _, parts = gateway
    document = create_app(parts).openapi()
    assert {"/census", "/census/trigger", "/mirror"} <= set(document["paths"])
    section = document["paths"]["/config/{section}"]["put"]
    sections = "`coordinates`, `mirrors`, `connectors`, `weather`, `watches`, `censuses` or `schedules`."
    assert section["parameters"][0]["description"] == sections
    examples = section["requestBody"]["content"]["application/json"]["examples"]
    assert examples["censuses"] == {
        "summary": "censuses",
        "value": {"plants": {"prefix": "Plant ", "every": "01:00:00"}},
    }


def test_without_its_line_nothing_of_it_is_there(serve: Callable[..., Served]) -> None:
    client, _ = serve()
    assert client.get("/census").status_code == 404
    assert client.get("/config/censuses").status_code == 404
