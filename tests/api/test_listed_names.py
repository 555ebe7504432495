"""Lists of names for builders of reads: what a key may do, and the values of a tag."""

from collections.abc import Callable

import httpx
import pytest

from service.domain.access import Scope
from tests.api.conftest import KEY, Served, fill, write
from tests.support.old_keys import old_key

TAGS = "/buckets/Power%20Consumption/tags"


def test_the_values_of_a_tag_are_listed_up_to_the_limit(http: httpx.Client) -> None:
    whole = {"bucket": "Power Consumption", "tag": "meter", "values": ["a", "b"], "complete": True}
    assert http.get(f"{TAGS}/meter").json() == whole
    assert http.get(f"{TAGS}/meter?limit=2").json() == whole
    assert http.get(f"{TAGS}/meter?limit=1").json() == {**whole, "values": ["a"], "complete": False}
    assert http.get(f"{TAGS}/nothing").json() == {**whole, "tag": "nothing", "values": []}


def test_a_tag_of_any_name_is_asked_for(http: httpx.Client) -> None:
    write(http, "Power%20Consumption", "m,a/b=1,%2F=2,ü\\ <b>=3 f=1").raise_for_status()
    answers = [http.get(f"{TAGS}/{key}").json() for key in ("a%2Fb", "%252F", "%C3%BC%20%3Cb%3E")]
    assert [(answer["tag"], answer["values"]) for answer in answers] == [
        ("a/b", ["1"]), ("%2F", ["2"]), ("ü <b>", ["3"])
    ]  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "-1", "100001", "all"])
def test_a_limit_that_is_no_number_of_values_is_refused(http: httpx.Client, limit: str) -> None:
    answer = http.get(f"{TAGS}/meter", params={"limit": limit})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def test_a_key_learns_what_it_may_do(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    fill(client, parts)
    answer = client.get("/keys/self")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"id": "static", "name": "API_KEY", "scopes": list(Scope), "buckets": None}
    key, record = parts.keys.create("lab", [Scope.WRITE, Scope.READ], ["z", "a"])
    own = {"id": record.id, "name": "lab", "scopes": ["read", "write"], "buckets": ["a", "z"]}
    assert client.get("/keys/self", headers={"X-API-Key": key}).json() == own
    hidden = client.get(f"{TAGS}/meter", headers={"X-API-Key": key})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown_bucket")


def test_scopes_that_do_not_count_are_not_told(serve: Callable[..., Served]) -> None:
    client, parts = serve()
    mixed = old_key(parts.keys, parts.state, [Scope.READ, Scope.ADMIN], ["a"])
    assert client.get("/keys/self", headers={"X-API-Key": mixed}).json()["scopes"] == ["read"]
    nothing = old_key(parts.keys, parts.state, [Scope.ADMIN], ["a"])
    refused = client.get("/keys/self", headers={"X-API-Key": nothing})
    assert (refused.status_code, KEY in refused.text) == (403, False)
    assert "limited to some buckets" in refused.json()["detail"]
