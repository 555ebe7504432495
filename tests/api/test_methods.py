"""HEAD wherever GET works, OPTIONS for every path, and answers for scripts of other origins."""

from collections.abc import Callable

import httpx
import pytest

from service.domain.access import Scope
from tests.api.conftest import KEY, Served, fill
from tests.api.test_access import ROUTES

PAGE = "https://plant.example.org"
BUCKET = "/buckets/Power%20Consumption"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}


def alone(client: httpx.Client, method: str, path: str, **headers: str) -> httpx.Response:
    """An answer of the same gateway to a request without a key."""
    return httpx.request(method, f"{client.base_url}{path}", headers=headers)


@pytest.mark.parametrize("path", sorted(path for method, path in ROUTES if method == "GET"))
def test_head_answers_what_get_does_and_sends_no_body(http: httpx.Client, path: str) -> None:
    address = (
        path.replace("{name}", "Power%20Consumption").replace("{section}", "coordinates").replace("{job_id}", "none")
    )
    asked = http.head(address)
    with http.stream("GET", address) as given:  # one of them has no end
        assert (asked.status_code, asked.content) == (given.status_code, b"")
    assert asked.headers["Content-Type"] == given.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/static/swagger-ui.css"])
def test_head_works_on_pages(http: httpx.Client, path: str) -> None:
    assert (http.head(path).status_code, http.head(path).content) == (http.get(path).status_code, b"")


def test_head_needs_the_key_that_get_needs(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    key, _ = parts.keys.create("w", [Scope.WRITE])
    assert alone(client, "HEAD", "/health/live").status_code == 200
    assert alone(client, "HEAD", "/buckets").status_code == 401
    assert client.head("/buckets", headers={"X-API-Key": key}).status_code == 403


def test_head_of_a_read_has_its_headers_and_reads_no_point(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    fill(client, parts)
    asked = client.head(BUCKET, params={"window": "2h", "every": "30m"})
    assert "fluxgate_upstream_rows_total 0.0" in client.get("/metrics").text
    given = client.get(BUCKET, params={"window": "2h", "every": "30m"})
    names = (
        "Content-Type",
        "Content-Disposition",
        "X-Fluxgate-Start",
        "X-Fluxgate-Stop",
        "X-Fluxgate-Every",
        "X-Fluxgate-Fn",
    )
    assert [asked.headers[name] for name in names] == [given.headers[name] for name in names]
    assert asked.headers["X-Fluxgate-Skipped-Fields"] == given.headers["X-Fluxgate-Skipped-Fields"] == "power.mode"
    assert "Content-Length" not in asked.headers


def test_head_of_a_kept_answer_tells_its_length(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    fill(client, parts)
    given = client.get(BUCKET, params={"window": "2h"})
    asked = client.head(BUCKET, params={"window": "2h"})
    assert (int(asked.headers["Content-Length"]), asked.headers["X-Fluxgate-Cache"]) == (
        len(given.content),
        "hit; age=0",
    )


def test_head_of_a_read_that_cannot_be_has_the_status_of_its_error(http: httpx.Client) -> None:
    assert [http.head(path).status_code for path in ("/buckets/nothing", f"{BUCKET}?every=x", "/nothing")] == [
        404,
        422,
        404,
    ]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/buckets", "GET, HEAD, OPTIONS, POST"),
        (f"{BUCKET}/points", "OPTIONS, POST"),
        ("/config/coordinates", "GET, HEAD, OPTIONS, PUT"),
        ("/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_names_the_methods_of_a_path_without_a_key(http: httpx.Client, path: str, methods: str) -> None:
    answer = alone(http, "OPTIONS", path)
    assert (answer.status_code, answer.content, answer.headers["Allow"]) == (204, b"", methods)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_options_of_what_is_not_there_is_404(http: httpx.Client) -> None:
    answer = alone(http, "OPTIONS", "/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_without_the_setting_no_page_of_another_origin_reads_anything(http: httpx.Client) -> None:
    for answer in (http.get(BUCKET, headers={"Origin": PAGE}), http.options(BUCKET, headers=PREFLIGHT)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_of_an_allowed_origin_asks_first_without_a_key(serve: Callable[..., Served]) -> None:
    client, _ = serve(cors_origins=(PAGE,))
    answer = alone(client, "OPTIONS", BUCKET, **PREFLIGHT)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS, PATCH"
    assert "X-API-Key" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_a_page_of_an_allowed_origin_reads_rows_errors_and_what_headers_say(serve: Callable[..., Served]) -> None:
    client, parts = serve(cors_origins=(PAGE,))
    fill(client, parts)
    answer = client.get(BUCKET, params={"window": "2h"}, headers={"Origin": PAGE})
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {name for name in answer.headers if name.startswith("x-fluxgate-")} < set(exposed)
    assert {"content-disposition", "x-fluxgate-start", "x-fluxgate-skipped-fields"} <= set(exposed)
    refused = alone(client, "GET", "/buckets", Origin=PAGE)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, PAGE)
    assert "Accept-Encoding" in answer.headers["Vary"] and "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example.org", f"{PAGE}.example.org", "http://plant.example.org", "null"]
)
def test_a_page_of_another_origin_reads_nothing(serve: Callable[..., Served], origin: str) -> None:
    client, _ = serve(cors_origins=(PAGE,))
    for answer in (
        client.get("/buckets", headers={"Origin": origin}),
        client.options("/buckets", headers={**PREFLIGHT, "Origin": origin}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_every_origin_may_read_but_never_with_what_a_browser_keeps(serve: Callable[..., Served]) -> None:
    client, _ = serve(cors_origins=("*",))
    for answer in (client.get("/buckets", headers={"Origin": PAGE}), client.options("/buckets", headers=PREFLIGHT)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_the_key_is_still_needed(serve: Callable[..., Served]) -> None:
    client, _ = serve(cors_origins=("*",))
    assert alone(client, "GET", "/buckets", Origin=PAGE).status_code == 401
    assert alone(client, "GET", "/buckets", **{"Origin": PAGE, "X-API-Key": KEY}).status_code == 200
