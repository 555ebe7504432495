"""Keys over HTTP: made, shown once, listed and revoked, and never with more rights than the key that asks."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.api.key_administration import MOST_KEYS
from service.domain.access import Scope
from tests.api.conftest import Served

Json = dict[str, Any]
DAY_S = 86_400.0


def made(http: httpx.Client, **order: Any) -> httpx.Response:
    return http.post("/keys", json={"name": "analyst", "scopes": ["read"], **order})


def as_key(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


def test_a_key_is_shown_once_works_and_is_listed_without_its_secret(serve: Callable[..., Served]) -> None:
    http, _ = serve()
    answer = made(http, buckets=["mine"], expires="30d")
    key = answer.json().pop("key")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert http.get("/buckets", headers=as_key(key)).status_code == 200
    listed = http.get("/keys").json()["keys"]
    assert [(entry["name"], entry["scopes"], entry["buckets"], entry["state"]) for entry in listed] == [
        ("analyst", ["read"], ["mine"], "valid")
    ]
    created_at, expires_at = (dt.datetime.fromisoformat(listed[0][name]) for name in ("created_at", "expires_at"))
    assert dt.timedelta(days=30) - dt.timedelta(minutes=1) < expires_at - created_at <= dt.timedelta(days=30)
    assert key not in http.get("/keys").text


def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(serve: Callable[..., Served]) -> None:
    http, _ = serve()
    created = made(http).json()
    assert http.get("/buckets", headers=as_key(created["key"])).status_code == 200
    revoked = http.delete(f"/keys/{created['id']}")
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert http.get("/buckets", headers=as_key(created["key"])).status_code == 401
    assert [entry["state"] for entry in http.get("/keys").json()["keys"]] == ["revoked"]


def test_a_stolen_key_leaves_no_keys_behind(serve: Callable[..., Served]) -> None:
    http, parts = serve()
    stolen, record = parts.keys.create("operator", [Scope.ADMIN, Scope.READ])
    answer = http.post("/keys", json={"name": "left behind", "scopes": ["admin", "read"]}, headers=as_key(stolen))
    left = answer.json()
    assert left["made_by"] == record.id
    assert http.get("/buckets", headers=as_key(left["key"])).status_code == 200
    assert http.delete(f"/keys/{record.id}").json()["with_keys"] == [left["id"]]
    assert http.get("/buckets", headers=as_key(left["key"])).status_code == 401
    assert made(http).json()["made_by"] is None


def test_an_unknown_key_is_404(http: httpx.Client) -> None:
    answer = http.delete("/keys/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_key_hands_on_no_scope_that_it_lacks(serve: Callable[..., Served]) -> None:
    http, parts = serve()
    admin, _ = parts.keys.create("operator", [Scope.ADMIN, Scope.READ])
    answer = http.post(
        "/keys", json={"name": "x", "scopes": ["read", "restore", "write"], "expires": None}, headers=as_key(admin)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "lacks restore, write" in answer.json()["detail"]
    assert len(http.get("/keys").json()["keys"]) == 1
    assert http.post("/keys", json={"name": "x", "scopes": ["read"]}, headers=as_key(admin)).status_code == 201


@pytest.mark.parametrize(("expires", "status"), [(None, 422), ("2d", 422), ("23h", 201), ("1h", 201)])
def test_a_key_makes_none_that_outlives_it(serve: Callable[..., Served], expires: str | None, status: int) -> None:
    http, parts = serve()
    admin, _ = parts.keys.create("for a day", [Scope.ADMIN], expires_at=parts.keys.now() + DAY_S)
    order = {"name": "x", "scopes": ["admin"], "expires": expires}
    answer = http.post("/keys", json=order, headers=as_key(admin))
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["parameter"] == "expires"
        assert "and a key that it makes ends no later" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("order", "where"),
    [
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"surprise": 1}, "surprise"),
        ({"buckets": []}, "buckets"),  # it is no way to write "every bucket"
        ({"name": 3}, "name"),
    ],
)
def test_a_wrong_order_names_the_member(http: httpx.Client, order: Json, where: str) -> None:
    answer = made(http, **order)
    assert answer.status_code == 422
    assert where in answer.json()["errors"][0]["where"]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (
            '{"name": "n", "scopes": ["read"], "bucket": ["a"]}',
            "application/json",
            "body.bucket: there is no such member",
        ),
        ('{"scopes": ["read"]}', "application/json", "body.name: it is missing"),
        ("[1]", "application/json", "body: members are wanted here, as in {…}"),
        ('{"name": "n",\n x', "application/json", "this is no JSON from line 2, column 2 on"),
        ("", "application/json", "body: it is missing; JSON is wanted"),
        ('{"name": "n"}', "application/x-www-form-urlencoded", "with the header Content-Type: application/json"),
    ],
)
def test_a_wrong_body_is_refused_in_plain_words(http: httpx.Client, body: str, kind: str, reason: str) -> None:
    answer = http.post("/keys", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ([{"name": "a"}, {"nam": "b"}], ["body.1.name", "body.1.nam"]),
        ({"nam": "b"}, ["body.name", "body.nam"]),
        (7, ["body"]),
    ],
)
def test_a_body_that_may_be_a_list_is_judged_by_the_form_that_it_has(
    http: httpx.Client, body: Any, places: list[str]
) -> None:
    answer = http.post("/buckets", json=body)
    assert answer.status_code == 422
    assert [error["where"] for error in answer.json()["errors"]] == places


@pytest.mark.parametrize(
    ("order", "parameter"),
    [
        ({"name": " "}, "name"),
        ({"expires": "soon"}, "expires"),
        ({"expires": "2020-01-01"}, "expires"),
        ({"scopes": ["admin"], "buckets": ["mine"]}, "scope"),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_the_command(http: httpx.Client, order: Json, parameter: str) -> None:
    answer = made(http, **order)
    assert (answer.status_code, answer.json()["parameter"]) == (422, parameter)


def test_no_more_keys_than_a_list_can_hold(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_KEYS == 10_000
    monkeypatch.setattr("service.api.key_administration.MOST_KEYS", 2)
    http, _ = serve()
    assert [made(http).status_code for _ in range(3)] == [201, 201, 422]
    assert "fluxgate keys create" in made(http).json()["detail"]


def test_keys_name_no_more_buckets_than_a_list_can_hold(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.key_administration.MOST_BUCKET_LETTERS", 200)
    http, parts = serve()
    _, record = parts.keys.create("analyst", [Scope.READ], ["b" * 50])
    assert made(http, buckets=["c" * 50]).status_code == 201
    parts.keys.revoke(record.id)
    refused = made(http, buckets=["d"])
    assert (refused.status_code, refused.json()["parameter"]) == (422, "buckets")
    assert "Name fewer; `fluxgate keys create`" in refused.json()["detail"]
    assert made(http).status_code == 201
