"""Rights: a key for one bucket stays in it, secrets go to no other host, and wrong keys lock out the guess alone."""

import binascii
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from service.domain.access import Scope
from service.state.database import StateDatabase
from service.state.keys import KeyRing
from tests.support.attacks import measured
from tests.support.gateways import KEY, Gateway
from tests.support.old_keys import old_key

StartGateway = Callable[..., Gateway]
_LISTENED_S = 3.0
"""A mirror that was taken runs at once; so long it is waited for."""


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A host of the attacker: its address, and what came there, each connection's first bytes."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    link, _ = server.accept()
                except TimeoutError:
                    continue
                with link:
                    link.settimeout(2)
                    came.append(link.recv(4096))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}", came
        finally:
            ended.set()
            thread.join(5)


@contextmanager
def key_ring(gateway: Gateway) -> Iterator[tuple[KeyRing, StateDatabase]]:
    """The keys of a gateway that runs, as `fluxgate keys` reaches them."""
    state = StateDatabase.in_directory(gateway.log.parent)
    try:
        yield KeyRing(state, None, time.time), state
    finally:
        state.close()


def mirror_to(url: str, **token: str) -> dict[str, Any]:
    return {"source": "store", "target": {"url": url, "org": "o", **token}, "buckets": ["hidden"]}


def connector_to(url: str) -> dict[str, Any]:
    return {"source": {"store": {"bucket": "hidden"}}, "upstream": {"url": url}, "every": "00:00:01", "start": "oldest"}


DAY = {"start_time": "2026-01-30T00:00:00Z", "end_time": "2026-01-31T00:00:00Z"}


def test_an_admin_key_for_one_bucket_does_not_own_the_gateway(start_gateway: StartGateway) -> None:
    """It sent the key with every scope to a host of its choice, and a bucket that it could not see along with it."""
    gateway = start_gateway()
    with listener() as (url, came), key_ring(gateway) as (keys, state), gateway.http() as owner:
        owner.post("/buckets", json=[{"name": "hidden"}, {"name": "mine"}]).raise_for_status()
        owner.post(
            "/buckets/hidden/points", content=b"m f=1", headers={"Content-Type": "text/plain"}
        ).raise_for_status()
        headers = {"X-API-Key": old_key(keys, state, Scope, ["mine"])}
        forward = {"kind": "forward", "parameters": {"connector": "e"}}
        orders: list[tuple[str, str, Any]] = [
            ("PUT", "/config/mirrors", {"e": mirror_to(url, token_env="API_KEY")}),
            ("PUT", "/config/mirrors", {"e": mirror_to(url, token="any")}),
            ("PUT", "/config/schedules", {"s": {"kind": "mirror", "parameters": {"mirror": "e"}, "every": "00:00:01"}}),
            ("PUT", "/config/coordinates", {"latitude": 1.0}),
            ("GET", "/config/mirrors", None),
            ("POST", "/mirror/trigger", {"mirror": "e"}),
            ("GET", "/mirror", None),
            ("PUT", "/config/connectors", {"e": connector_to(url)}),
            ("PUT", "/config/schedules", {"s": {**forward, "every": "00:01:00"}}),
            ("GET", "/config/connectors", None),
            ("POST", "/connector/requests", {"connector": "e", **DAY}),
            ("POST", "/api/v1/raise-request", DAY),
            ("POST", "/connector/e/run", None),
            ("PUT", "/connector/e/bookmark", {"bookmark": DAY["start_time"]}),
            ("GET", "/connector", None),
            ("GET", "/connector/e/dead-letters", None),
            ("GET", "/jobs", None),
            ("GET", "/schedules", None),
            ("POST", "/buckets", [{"name": "mine"}]),
        ]
        with httpx.Client(base_url=gateway.url, headers=headers) as thief:
            answers = [thief.request(method, path, json=body) for method, path, body in orders]
            assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "forbidden")] * len(
                orders
            )
            assert "is limited to some buckets, and the scope 'admin' reaches past them" in answers[0].json()["detail"]
            assert thief.get("/buckets").json()["buckets"][0]["name"] == "mine"
            assert "hidden" not in thief.get("/metrics").text
            assert thief.get("/buckets/hidden").status_code == 404
        time.sleep(_LISTENED_S)
        for section in ("mirrors", "connectors"):
            assert owner.get(f"/config/{section}").json() == {"section": section, "version": 0, "value": {}}
        assert owner.get("/jobs").json()["jobs"] == []
    assert came == []


def test_an_admin_sends_no_variable_that_was_not_made_for_it(start_gateway: StartGateway) -> None:
    """Set or not, all are refused with the same words."""
    gateway = start_gateway(LAB_TOKEN="a-token-of-something-else")
    with listener() as (url, came), gateway.http() as admin:
        for name in ("API_KEY", "INFLUXDB_TOKEN", "PATH", "LAB_TOKEN", "STATE_DATABASE_URL", "api_key", "NOT_SET"):
            answer = admin.put("/config/mirrors", json={"e": mirror_to(url, token_env=name)})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
            assert answer.json()["detail"] == (
                f"The mirror 'e': {name} is no variable for tokens of mirrors. "
                "Name one that begins with FLUXGATE_TOKEN_, "
                "or have the operator list it in MIRROR_TOKEN_VARIABLES."
            )
    assert came == []


def test_a_variable_that_was_made_for_it_is_sent_to_the_host_of_the_mirror(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        LAB_TOKEN="token-of-the-lab-0123",
        FLUXGATE_TOKEN_LAB="token-by-its-prefix-0123",
        MIRROR_TOKEN_VARIABLES="LAB_TOKEN",
    )
    for name, token in (("LAB_TOKEN", b"token-of-the-lab-0123"), ("FLUXGATE_TOKEN_LAB", b"token-by-its-prefix-0123")):
        with listener() as (url, came), gateway.http() as admin:
            admin.put("/config/mirrors", json={name: mirror_to(url, token_env=name)}).raise_for_status()
            deadline = time.monotonic() + 15
            while not any(token in text for text in came) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert any(token in text for text in came)
    assert token not in gateway.log.read_bytes()


def test_a_gateway_whose_list_of_variables_names_its_own_does_not_start(start_gateway: StartGateway) -> None:
    with pytest.raises(AssertionError, match="MIRROR_TOKEN_VARIABLES: API_KEY is the gateway's own") as refused:
        start_gateway(MIRROR_TOKEN_VARIABLES="LAB_TOKEN,API_KEY")
    assert KEY not in str(refused.value)


def test_a_stored_token_goes_to_no_other_host(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    token, by_hand = "a-stored-token-0123456789", {"schedule": None}
    home = "http://127.0.0.1:9"
    with listener() as (url, came), gateway.http() as admin:
        admin.put("/config/mirrors", json={"m": {**mirror_to(home, token=token), **by_hand}}).raise_for_status()
        shown = admin.get("/config/mirrors").json()["value"]
        assert shown["m"]["target"]["token"] == "***"
        assert admin.put("/config/mirrors", json=shown).json()["version"] == 2
        stars = {"org": "o", "token": "***"}
        attacks = [
            {"m": mirror_to(url, token="***")},
            {"m": {"source": {"url": home, **stars}, "target": {"url": url, **stars}}},
            {"m": {"source": {"url": url, **stars}, "target": {"url": home, **stars}}},
            {"other": mirror_to(home, token="***")},
            {"m": {**mirror_to(home, token="***"), "target": {"url": home, "org": "another", "token": "***"}}},
            {"m": mirror_to(home.upper(), token="***")},
        ]
        for attack in attacks:
            answer = admin.put("/config/mirrors", json=attack)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), attack
            assert token not in answer.text
        assert admin.get("/config/mirrors").json()["version"] == 2
        time.sleep(1)
    assert came == []
    assert token.encode() not in gateway.log.read_bytes()


def guess() -> str:
    """A key that nobody made, with a check that is right."""
    body = f"fg_{secrets.token_hex(4)}_{secrets.token_hex(32)}"
    return f"{body}_{binascii.crc32(body.encode()):08x}"


@pytest.mark.parametrize("wrong", ["wrong", "guess"])
def test_sixty_wrong_keys_at_one_time_get_five_401_and_the_owner_goes_on(
    start_gateway: StartGateway, wrong: str
) -> None:
    gateway = start_gateway(MAX_FAILED_TRIES="5")
    with (
        key_ring(gateway) as (keys, _),
        httpx.Client(base_url=gateway.url, timeout=30) as http,
        ThreadPoolExecutor(60) as pool,
    ):
        owners = [KEY, keys.create("owner", [Scope.READ])[0]]

        def status(key: str) -> int:
            return http.get("/buckets", headers={"X-API-Key": key}).status_code

        told = list(pool.map(status, [guess() if wrong == "guess" else wrong for _ in range(60)]))
        assert (told.count(401), told.count(429)) == (5, 55)
        assert [status(key) for key in owners] == [200, 200]
        time.sleep(6)  # now none of them is remembered as good
        mixed = list(pool.map(status, [*owners, *[guess() for _ in range(40)], *owners]))
        assert mixed == [200, 200, *[429] * 40, 200, 200]
        assert http.get("/buckets").status_code == 401


def test_a_thousand_well_made_guesses_cost_little_and_hold_nobody_up(start_gateway: StartGateway) -> None:
    gateway = start_gateway(MAX_FAILED_TRIES="5")
    with (
        httpx.Client(base_url=gateway.url, timeout=30) as http,
        ThreadPoolExecutor(16) as pool,
        measured(gateway) as cost,
    ):
        told = list(
            pool.map(
                lambda key: http.get("/buckets", headers={"X-API-Key": key}).status_code, [guess() for _ in range(1000)]
            )
        )
    assert (told.count(401), told.count(429)) == (5, 995)
    assert cost.longest_health_wait_s < 5
    assert cost.cpu_s < 60
    assert cost.rss_growth_mb < 100


def test_a_key_for_connectors_sends_to_no_host_of_its_own(start_gateway: StartGateway) -> None:
    """It may order what an admin has configured, and configures nothing itself."""
    gateway = start_gateway()
    with listener() as (url, came), gateway.http() as owner, key_ring(gateway) as (keys, _):
        owner.post("/buckets", json=[{"name": "hidden"}]).raise_for_status()
        key, _ = keys.create("connectors", [Scope.CONNECTOR])
        with httpx.Client(base_url=gateway.url, headers={"X-API-Key": key}) as thief:
            assert thief.put("/config/connectors", json={"e": connector_to(url)}).status_code == 403
            assert thief.get("/config/connectors").status_code == 403
            assert thief.post("/connector/requests", json={"upstream": {"url": url}, **DAY}).status_code == 422
            assert thief.post("/connector/requests", json={"connector": "e", **DAY}).status_code == 422
            assert thief.get("/buckets/hidden").status_code == 403
    assert came == []


def test_an_admin_sends_with_a_connector_no_variable_that_was_not_made_for_it(start_gateway: StartGateway) -> None:
    gateway = start_gateway(LAB_TOKEN="a-token-of-something-else")
    with listener() as (url, came), gateway.http() as admin:
        for name in ("API_KEY", "INFLUXDB_TOKEN", "PATH", "LAB_TOKEN", "NOT_SET"):
            connector = connector_to(url)
            connector["upstream"]["auth"] = {"kind": "bearer", "token_env": name}
            answer = admin.put("/config/connectors", json={"e": connector})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
            assert f"{name} is no variable for" in answer.json()["detail"]
            sql = {**connector_to(url), "source": {"sql": {"url_env": name, "table": "t"}}}
            answer = admin.put("/config/connectors", json={"e": sql})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
            assert f"{name} is no variable for" in answer.json()["detail"]
    assert came == []


def test_a_stored_secret_of_a_connector_goes_to_no_other_host(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    with listener() as (url, came), gateway.http() as admin:
        connector = {**connector_to("http://127.0.0.1:9/post"), "every": None}
        connector["upstream"]["auth"] = {"kind": "bearer", "token": "a-stored-token-0123456789"}
        admin.put("/config/connectors", json={"e": connector}).raise_for_status()
        shown = admin.get("/config/connectors").json()["value"]
        assert shown["e"]["upstream"]["auth"]["token"] == "***"
        assert admin.put("/config/connectors", json=shown).status_code == 200
        shown["e"]["upstream"]["url"] = url
        answer = admin.put("/config/connectors", json=shown)
        assert (answer.status_code, "a-stored-token" in answer.text) == (422, False)
        renamed = {"f": {**connector_to(url), "upstream": {**shown["e"]["upstream"], "url": url}}}
        assert admin.put("/config/connectors", json=renamed).status_code == 422
    assert came == []
