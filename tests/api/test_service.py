"""What the service says of itself: health, metrics, pages, errors, the OpenAPI document."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service import errors
from service.api.openapi_document import openapi_text
from service.api.openapi_parameters import PARAMETERS
from service.api.problems import STATUSES, status_of
from service.api.read_parameters import REPEATED, SIMPLE
from service.api.schemas import Life
from service.app import create_app
from tests.api.conftest import Served

ROOT = Path(__file__).parents[2]
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.FluxgateError)]


def test_alive_asks_nothing_of_anybody(http: httpx.Client) -> None:
    assert httpx.get(f"{http.base_url}/health/live").json() == {"status": "alive"}


def test_ready_names_each_dependency(http: httpx.Client) -> None:
    answer = httpx.get(f"{http.base_url}/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert {name: (one["name"], one["state"]) for name, one in answer.json()["dependencies"].items()} == {
        "store": ("embedded", "up"),
        "state": ("sqlite", "up"),
        "cache": ("memory", "up"),
    }


def test_metrics_count_by_route_and_not_by_path(http: httpx.Client) -> None:
    http.get("/buckets/Power%20Consumption?window=1h")
    http.get("/buckets/nothing")
    page = http.get("/metrics").text
    assert 'fluxgate_requests_total{method="GET",route="/buckets/{name}",status="200"} 1.0' in page
    assert 'fluxgate_requests_total{method="GET",route="/buckets/{name}",status="404"} 1.0' in page
    assert 'fluxgate_cache_outcomes_total{outcome="miss"} 1.0' in page
    assert "nothing" not in page and "Power" not in page


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_every_error_has_a_status_of_its_own_and_a_page(kind: type[errors.FluxgateError]) -> None:
    assert kind in STATUSES
    assert f"`{kind.code}`" in (ROOT / "docs" / "errors.md").read_text()


def test_the_nearest_class_decides_the_status() -> None:
    class Special(errors.StoreTimeout):
        pass

    assert status_of(Special("x")) == 504


def test_unknown_paths_and_methods_are_problems_too(http: httpx.Client) -> None:
    for answer, status in ((http.get("/nothing"), 404), (http.delete("/buckets"), 405), (http.get("/buckets/"), 404)):
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_the_early_answer_of_a_probe_is_that_of_the_route(http: httpx.Client) -> None:
    early, head = http.get("/health/live"), http.head("/health/live")  # HEAD goes through the route
    assert (early.status_code, early.json()) == (200, Life(status="alive").model_dump())
    names = ("content-type", "content-length")
    assert [early.headers[name] for name in names] == [head.headers[name] for name in names]
    assert early.headers["X-Request-Id"]
    assert http.request("GET", "/health/live", content=b"{}").status_code == 200
    assert 'route="/health/live",status="200"} 2.0' in http.get("/metrics").text


def test_a_sane_request_id_of_the_caller_is_kept(http: httpx.Client) -> None:
    assert http.get("/health/live", headers={"X-Request-Id": "abc-123"}).headers["X-Request-Id"] == "abc-123"
    assert http.get("/health/live", headers={"X-Request-Id": 'a"b<script>'}).headers["X-Request-Id"] != 'a"b<script>'


def test_configuration_is_versioned(http: httpx.Client) -> None:
    first = http.get("/config/coordinates")
    assert (first.json()["version"], first.headers["ETag"]) == (0, '"0"')
    assert (
        http.put("/config/coordinates", json={"latitude": 1, "longitude": 2}, headers={"If-Match": '"0"'}).status_code
        == 200
    )
    late = http.put("/config/coordinates", json={"latitude": 3}, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    for value in ({"latitude": 91}, {"latitude": "x"}, {"lat": 1}):
        assert http.put("/config/coordinates", json=value).status_code == 422, value
    assert http.get("/config/nothing").status_code == 404


def test_the_committed_document_is_that_of_the_app(serve: Callable[..., Served]) -> None:
    _, parts = serve()
    assert (ROOT / "openapi" / "openapi.json").read_text() == openapi_text(create_app(parts)), "make openapi"


def test_every_operation_has_an_example_and_a_summary(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            text = json.dumps({**operation, **document["components"]["schemas"]})
            assert operation["summary"], (method, path)
            assert '"example"' in text or '"examples"' in text, (method, path)


def test_the_document_names_the_parameters_that_are_understood() -> None:
    assert {str(one["name"]) for one in PARAMETERS} - {"tags"} == {*SIMPLE, *REPEATED}


def test_the_pages_load_nothing_from_outside(http: httpx.Client) -> None:
    for page in ("/docs", "/redoc"):
        text = http.get(page).text
        assert "http://" not in text and "https://" not in text, page


def test_the_pages_can_be_turned_off(serve: Callable[..., Served]) -> None:
    client, _ = serve(docs_enabled=False)
    assert [client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")] == [404, 404, 404]


def test_the_sections_of_the_configuration_are_listed_with_an_example_that_is_accepted(http: httpx.Client) -> None:
    http.put("/config/coordinates", json={"latitude": 52.5, "longitude": 13.4}).raise_for_status()
    sections = {section["section"]: section for section in http.get("/config").json()["sections"]}
    assert {"coordinates", "schedules", "mirrors", "connectors", "weather"} <= set(sections)
    assert (sections["coordinates"]["version"], sections["schedules"]["version"]) == (1, 0)
    assert http.put("/config/coordinates", json=sections["coordinates"]["example"]).json()["version"] == 2
