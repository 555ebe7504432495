"""What the OpenAPI document promises to generators of clients: names that stay, and one type for every error."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from tests.api.conftest import Served

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text())
PATHS = DOCUMENT["paths"].items()
OPERATIONS = {f"{method.upper()} {path}": each for path, methods in PATHS for method, each in methods.items()}
READING = {"check", "diff", "follow", "list", "read", "show"}
VERBS = {
    *READING,
    "adopt",
    "cancel",
    "create",
    "drill",
    "flush",
    "prune",
    "raise",
    "remove",
    "replace",
    "replay",
    "request",
    "restore",
    "resume",
    "retry",
    "revoke",
    "run",
    "set",
    "update",
    "upload",
    "verify",
    "write",
}


def test_operation_ids_are_unique_and_begin_with_a_verb() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert {name.partition("_")[0] for name in ids} - VERBS == set(), "a new verb: add it to VERBS if it is one"


def test_operation_ids_that_clients_were_generated_with_stay() -> None:
    known = {
        "GET /buckets": "list_buckets",
        "POST /buckets": "create_buckets",
        "GET /buckets/{name}": "read_bucket",
        "GET /buckets/{name}/schema": "read_bucket_schema",
        "POST /buckets/{name}/points": "write_points",
        "GET /telemetry/latest": "read_latest_telemetry",
        "GET /jobs": "list_jobs",
        "GET /jobs/{job_id}": "show_job",
        "GET /jobs/{job_id}/events": "follow_job",
        "POST /jobs/{job_id}/cancel": "cancel_job",
        "POST /jobs/{job_id}/retry": "retry_job",
        "GET /schedules": "list_schedules",
        "GET /mirror": "list_mirrors",
        "GET /mirror/{name}": "show_mirror",
        "GET /mirror/{name}/diff": "diff_mirror",
        "POST /mirror/{name}/verify": "verify_mirror",
        "POST /mirror/trigger": "run_mirrors",
        "GET /config/{section}": "read_config_section",
        "PUT /config/{section}": "replace_config_section",
        "GET /health/live": "check_live",
        "GET /health/ready": "check_ready",
        "GET /metrics": "read_metrics",
    }
    assert {route: OPERATIONS[route]["operationId"] for route in known} == known


def test_every_operation_answers_errors_with_the_one_type() -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    for route, operation in OPERATIONS.items():
        errors = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
        contents = {status: answer["content"] for status, answer in errors.items()}
        assert contents.pop("default")["application/problem+json"]["schema"] == problem, route
        assert route == "GET /health/ready" or contents == {}, route


def test_problems_are_as_the_type_says(serve: Callable[..., Served]) -> None:
    http, _ = serve()
    whole = {"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]}
    check = jsonschema_rs.validator_for(whole).validate
    http.post("/buckets", json={"name": "Lab 1"})
    problems = {
        "unknown_bucket": http.get("/buckets/Lab%202"),
        "invalid_parameter": http.get("/buckets/Lab%201?fn=avg"),
        "not_found": http.get("/nothing"),
        "points_refused": http.post("/buckets/Lab%201/points", content="m f=", headers={"Content-Type": "text/plain"}),
        "unauthorized": httpx.get(f"{http.base_url}/buckets"),
        "version_conflict": http.put("/config/coordinates", json={}, headers={"If-Match": '"9"'}),
        "method_not_allowed": http.delete("/buckets"),
    }
    with pytest.raises(jsonschema_rs.ValidationError):
        check({"code": "unknown_bucket"})
    for code, answer in problems.items():
        assert answer.json()["code"] == code
        check(answer.json())
    assert http.post("/buckets", json={"name": 3}).json()["errors"][0].keys() == {"where", "problem"}
