"""Keys at the door: every route has a scope or says that it is open; a key sees its buckets alone."""

import base64
from collections.abc import Callable

import httpx
import pytest
import structlog
from fastapi.routing import APIRoute

from service.app import create_app
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from service.jobs.kind import JOB_SCOPES
from tests.api.conftest import KEY, Served, write
from tests.support.old_keys import old_key
from tests.support.waiting import until

ROUTES = {
    ("GET", "/buckets"): Scope.READ,
    ("POST", "/buckets"): Scope.ADMIN,
    ("GET", "/buckets/{name}"): Scope.READ,
    ("PATCH", "/buckets/{name}"): Scope.ADMIN,
    ("GET", "/buckets/{name}/schema"): Scope.READ,
    ("GET", "/buckets/{name}/gaps"): Scope.READ,
    ("GET", "/buckets/{name}/tags/{key}"): Scope.READ,
    ("POST", "/buckets/{name}/points"): Scope.WRITE,
    ("GET", "/telemetry/latest"): Scope.READ,
    ("GET", "/telemetry/stream"): Scope.READ,
    ("GET", "/cache"): Scope.ADMIN,
    ("POST", "/cache/flush"): Scope.ADMIN,
    ("GET", "/config"): Scope.ADMIN,
    ("GET", "/config/{section}"): Scope.ADMIN,
    ("PUT", "/config/{section}"): Scope.ADMIN,
    ("POST", "/mirror/trigger"): Scope.MIRROR,
    ("GET", "/mirror"): Scope.MIRROR,
    ("GET", "/mirror/{name}"): Scope.MIRROR,
    ("GET", "/mirror/{name}/diff"): Scope.MIRROR,
    ("GET", "/mirror/{name}/slices"): Scope.MIRROR,
    ("POST", "/mirror/{name}/verify"): Scope.MIRROR,
    ("POST", "/backup/trigger"): Scope.BACKUP,
    ("GET", "/backups"): Scope.BACKUP,
    ("GET", "/backups/{backup_id}"): Scope.BACKUP,
    ("POST", "/backups/{backup_id}/verify"): Scope.BACKUP,
    ("POST", "/backups/{backup_id}/restore"): Scope.RESTORE,
    ("POST", "/backups/drill"): Scope.BACKUP,
    ("POST", "/backups/prune"): Scope.ADMIN,
    ("DELETE", "/backups/{backup_id}"): Scope.ADMIN,
    ("POST", "/backups/adopt"): Scope.BACKUP,
    ("GET", "/backups/{backup_id}/download"): Scope.RESTORE,
    ("POST", "/backups/upload"): Scope.ADMIN,
    ("POST", "/connector/requests"): Scope.CONNECTOR,
    ("GET", "/connector"): Scope.CONNECTOR,
    ("GET", "/connector/{name}"): Scope.CONNECTOR,
    ("POST", "/connector/{name}/run"): Scope.CONNECTOR,
    ("PUT", "/connector/{name}/bookmark"): Scope.CONNECTOR,
    ("POST", "/connector/{name}/resume"): Scope.CONNECTOR,
    ("GET", "/connector/{name}/dead-letters"): Scope.CONNECTOR,
    ("DELETE", "/connector/{name}/dead-letters"): Scope.CONNECTOR,
    ("POST", "/connector/{name}/dead-letters/replay"): Scope.CONNECTOR,
    ("POST", "/api/v1/raise-request"): Scope.CONNECTOR,
    ("GET", "/api/v1/tasks/{task_id}"): Scope.CONNECTOR,
    ("POST", "/weather/trigger"): Scope.CONNECTOR,
    ("GET", "/weather"): Scope.CONNECTOR,
    ("GET", "/watches"): Scope.CONNECTOR,
    ("POST", "/watches/{name}/run"): Scope.CONNECTOR,
    ("GET", "/jobs"): JOB_SCOPES,
    ("GET", "/jobs/{job_id}"): JOB_SCOPES,
    ("GET", "/jobs/{job_id}/events"): JOB_SCOPES,
    ("POST", "/jobs/{job_id}/cancel"): JOB_SCOPES,
    ("POST", "/jobs/{job_id}/retry"): JOB_SCOPES,
    ("GET", "/schedules"): JOB_SCOPES,
    ("GET", "/keys"): Scope.ADMIN,
    ("POST", "/keys"): Scope.ADMIN,
    ("DELETE", "/keys/{key_id}"): Scope.ADMIN,
    ("GET", "/keys/self"): tuple(Scope),
    ("GET", "/metrics"): Scope.READ,
    ("GET", "/health/live"): None,
    ("GET", "/health/ready"): None,
}
"""Every route and the scope it needs (several: one of them); None: open."""
LIMITABLE = {Scope.READ, Scope.WRITE}
"""What a key that is limited to buckets may do at all."""


def test_every_route_needs_its_scope_and_no_other(serve: Callable[..., Served]) -> None:
    client, parts = serve(max_failed_tries=1000)
    document = create_app(parts).openapi()
    found = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert found == set(ROUTES), "a route without a line in ROUTES"
    keys = {scope: parts.keys.create(scope.value, [scope])[0] for scope in Scope}
    limited = {scope: old_key(parts.keys, parts.state, [scope], ["mine"]) for scope in Scope}
    limited_all = old_key(parts.keys, parts.state, Scope, ["mine"])
    for (method, path), needed in ROUTES.items():
        address = path.replace("{name}", "nothing").replace("{section}", "coordinates")
        allowed = needed if isinstance(needed, tuple) else (needed,)

        def refused(key: str, method: str = method, address: str = address) -> bool:
            with client.stream(method, address, headers={"X-API-Key": key}) as answer:  # one of them has no end
                return answer.status_code == 403

        assert (client.request(method, address, headers={"X-API-Key": "wrong"}).status_code == 401) == (
            needed is not None
        ), path
        for scope in Scope:
            assert refused(keys[scope]) == (needed is not None and scope not in allowed), (method, path, scope)
            assert refused(limited[scope]) == (
                needed is not None and (scope not in allowed or scope not in LIMITABLE)
            ), (method, path, scope)
        assert refused(limited_all) == (needed is not None and not LIMITABLE & set(allowed)), (method, path)


def test_open_routes_say_so(serve: Callable[..., Served]) -> None:
    _, parts = serve()
    app = create_app(parts)
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    unmarked = [
        route.path
        for route in routes
        if route.path not in {path for _, path in ROUTES} and not (route.openapi_extra or {}).get("x-open")
    ]
    assert unmarked == []


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": ""}, {"Authorization": "Bearer"}, {"Authorization": "Negotiate x"}, basic("ann", "")],
)
def test_a_401_says_that_no_key_was_sent(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{http.base_url}/buckets", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.json()["detail"].startswith("No key was sent, and this needs one. Send it as X-API-Key")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="fluxgate", charset="UTF-8", Bearer realm="fluxgate"'


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
        {"Authorization": "Basic ???"},
        {"X-API-Key": "fg_x_y_z"},
    ],
)
def test_every_key_that_is_refused_gets_the_same_401(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{http.base_url}/buckets", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.json()["detail"].startswith("This needs a valid API key, and the one that was sent is refused.")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("user", ["", "ann", "ann@plant", "fluxgate"])
def test_the_key_is_the_password_of_any_user(http: httpx.Client, user: str) -> None:
    """Excel and Power BI know Basic authentication and no headers."""
    assert httpx.get(f"{http.base_url}/buckets", headers=basic(user, KEY)).status_code == 200
    assert httpx.get(f"{http.base_url}/buckets", auth=(user, KEY)).status_code == 200


def test_with_basic_a_browser_may_only_read(http: httpx.Client) -> None:
    """A browser keeps the password, and sends it along with what a page of another site orders."""
    headers = {**basic("ann", KEY), "Content-Type": "text/plain"}
    points = f"{http.base_url}/buckets/Power%20Consumption/points"
    page = httpx.post(points, content="m f=1", headers={**headers, "Origin": "https://elsewhere.example.org"})
    assert (page.status_code, page.json()["code"]) == (403, "forbidden")
    assert httpx.post(points, content="m f=1", headers=headers).status_code == 200


def test_a_script_of_a_page_is_not_offered_basic(http: httpx.Client) -> None:
    """The browser would open a window over the API's page."""
    answer = httpx.get(f"{http.base_url}/buckets", headers={"Sec-Fetch-Mode": "cors"})
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="fluxgate"'


def test_a_bearer_token_is_as_good_as_the_header(http: httpx.Client) -> None:
    assert httpx.get(f"{http.base_url}/buckets", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_a_revoked_and_an_expired_key_are_401(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    revoked, record = parts.keys.create("r", [Scope.READ])
    expired, _ = parts.keys.create("e", [Scope.READ], expires_at=1.0)
    assert client.get("/buckets", headers={"X-API-Key": revoked}).status_code == 200
    parts.keys.revoke(record.id)
    assert [client.get("/buckets", headers={"X-API-Key": key}).status_code for key in (revoked, expired)] == [401, 401]


def test_a_key_with_a_list_sees_its_buckets_alone(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    for name in ("mine", "mint"):
        parts.store.create_bucket(BucketSpec(name))
        write(client, name, "real_x f=1 1767268795", precision="s")
    key, _ = parts.keys.create("one", [Scope.READ, Scope.WRITE], ["mine"])
    headers = {"X-API-Key": key}
    assert [one["name"] for one in client.get("/buckets", headers=headers).json()["buckets"]] == ["mine"]
    assert client.get("/buckets/mine", headers=headers).status_code == 200
    for answer in (
        client.get("/buckets/mint", headers=headers),
        client.get("/buckets/mint/schema", headers=headers),
        client.post("/buckets/mint/points", content="m f=1", headers={**headers, "Content-Type": "text/plain"}),
        client.get("/telemetry/latest?bucket=mint", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_bucket")
    assert client.get("/buckets/min", headers=headers).json()["near"] in ([], ["mine"])
    assert client.get("/telemetry/latest", headers=headers).json()["values"] == {"real_x": {"f": 1.0}}
    assert set(client.get("/telemetry/latest").json()["values"]) == {"mine/real_x", "mint/real_x"}


def test_too_many_wrong_keys_from_one_address_have_to_wait(serve: Callable[..., Served]) -> None:
    client, _ = serve(max_failed_tries=3)
    statuses = [client.get("/buckets", headers={"X-API-Key": f"wrong-{number}"}).status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = client.get("/buckets", headers={"X-API-Key": "again"})
    assert (answer.json()["code"], answer.headers["Retry-After"]) == ("too_many_failed_tries", "60")


def test_no_key_at_all_is_no_try(serve: Callable[..., Served]) -> None:
    client, _ = serve(max_failed_tries=1)
    assert [httpx.get(f"{client.base_url}/buckets").status_code for _ in range(3)] == [401, 401, 401]
    assert [client.get("/buckets", headers={"X-API-Key": "wrong"}).status_code for _ in range(2)] == [401, 429]


def test_what_is_logged_of_a_request_names_the_key_by_its_id(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    key, record = parts.keys.create("one", [Scope.READ])

    def requests() -> list[tuple[int, str]]:
        return [(line["status"], line.get("key", "")) for line in list(lines) if line["event"] == "request"]

    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        client.get("/buckets", headers={"X-API-Key": key})
        client.get("/buckets", headers={"X-API-Key": "wrong-key-0123456789"})
        httpx.get(f"{client.base_url}/buckets")
        until(lambda: len(requests()) == 3)  # a line is written once the answer has been sent
    assert sorted(requests()) == [(200, record.id), (401, ""), (401, "")]
    assert [line["address"] for line in lines if line["event"] == "wrong key"] == ["127.0.0.1"]
    assert key not in str(lines)
    assert "wrong-key-0123456789" not in str(lines)
