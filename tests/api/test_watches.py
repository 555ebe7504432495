"""Watches over HTTP: a series that goes silent is noticed once, and so is that it is back.

Jobs go by the clock of the machine, so points here are written minutes before now, which no delay of a test reaches.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service.cli import cli
from service.domain.access import Scope
from service.domain.schema import BucketSpec
from tests.api.conftest import KEY, Served, write
from tests.support.servers import free_port
from tests.support.waiting import until
from tests.support.webhook import Webhook, webhook

SECRET = "a-token-of-the-webhook-0123456789"
WATCH = {"bucket": "Plant", "measurements": ["power"], "expect": "1h", "every": "9999:00:00"}
"""It looks only when a test orders it."""
LONG_AGO_S, NOW_S = 7_200, 60


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as received:
        yield received


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    client, parts = serve()
    parts.store.create_bucket(BucketSpec("Plant"))
    return client, parts


@pytest.fixture
def client(served: Served) -> httpx.Client:
    return served[0]


def put(client: httpx.Client, name: str = "meters", **members: Any) -> httpx.Response:
    return client.put("/config/watches", json={name: {**WATCH, **members}})


def look(client: httpx.Client, name: str = "meters") -> dict[str, Any]:
    """Order a look, and wait until its job has ended."""
    job_id = client.post(f"/watches/{name}/run").raise_for_status().json()["id"]
    until(lambda: client.get(f"/jobs/{job_id}").json()["state"] in ("succeeded", "failed"), 30)
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def points(client: httpx.Client, ago_s: float, *meters: str) -> int:
    time_ns = time.time_ns() - int(ago_s * 1e9)
    lines = "\n".join(f"power,meter={meter},site=A watts=1 {time_ns}\nother,meter={meter} x=1 1" for meter in meters)
    write(client, "Plant", lines).raise_for_status()
    return time_ns


def watch_of(client: httpx.Client) -> dict[str, Any]:
    watch: dict[str, Any] = client.get("/watches").json()["watches"][0]
    return watch


def test_what_went_silent_and_what_is_back_is_posted_once(client: httpx.Client, hook: Webhook) -> None:
    put(client, webhook={"url": f"{hook.url}/alerts"}).raise_for_status()
    points(client, LONG_AGO_S, "M1", "M2")
    points(client, NOW_S, "M2", "M3")
    assert look(client)["result"] == {"series": 3, "silent": 1, "changes": 1, "posted": 1}
    assert look(client)["result"] == {"series": 3, "silent": 1, "changes": 0, "posted": 0}
    [notice] = hook.taken
    assert (notice["watch"], notice["bucket"], notice["state"]) == ("meters", "Plant", "silent")
    assert notice["series"] == {"measurement": "power", "tags": {"meter": "M1", "site": "A"}}
    assert watch_of(client)["silent_series"] == [{**notice["series"], "since": notice["since"]}]
    points(client, NOW_S, "M1")
    assert look(client)["result"] == {"series": 3, "silent": 0, "changes": 1, "posted": 1}
    assert [(each["state"], each["series"]) for each in hook.taken] == [
        ("silent", notice["series"]),
        ("back", notice["series"]),
    ]
    path, headers = hook.posts[0]
    assert (path, headers["content-type"], headers["idempotency-key"]) == ("/alerts", "application/json", notice["id"])


def test_a_webhook_that_is_away_gets_every_notice_later_and_in_order(client: httpx.Client, hook: Webhook) -> None:
    put(client, webhook={"url": hook.url}).raise_for_status()
    points(client, LONG_AGO_S, "M1", "M2")
    hook.statuses = [204, 500, 401]
    failed = look(client)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "upstream_stopped")
    assert "401" in failed["error"]["message"]
    waiting = watch_of(client)
    assert (waiting["silent"], waiting["notices_waiting"]) == (2, 1)
    assert "answered 401" in waiting["last_error"]
    points(client, NOW_S, "M1")
    assert look(client)["result"] == {"series": 2, "silent": 1, "changes": 1, "posted": 2}
    told = [(notice["series"]["tags"]["meter"], notice["state"]) for notice in hook.taken]
    assert told == [("M1", "silent"), ("M2", "silent"), ("M1", "back")]
    assert watch_of(client)["last_error"] is None


def test_only_what_is_selected_is_watched(client: httpx.Client) -> None:
    put(client, tags={"meter": ["M1", "M9"]}).raise_for_status()
    points(client, LONG_AGO_S, "M1", "M2")
    assert look(client)["result"] == {"series": 1, "silent": 1, "changes": 1, "posted": 0}
    put(client, measurements=[]).raise_for_status()
    assert look(client)["result"]["series"] == 2, "points of 1970 are older than `known`"


def test_a_restart_neither_repeats_nor_loses_a_notice(
    serve: Callable[..., Served], tmp_path: Any, hook: Webhook
) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    first, parts = serve(state_database_url=url)
    parts.store.create_bucket(BucketSpec("Plant"))
    put(first, webhook={"url": hook.url}).raise_for_status()
    points(first, LONG_AGO_S, "M1", "M2")
    hook.statuses = [204, 403]
    assert look(first)["state"] == "failed"
    second, others = serve(state_database_url=url)
    others.store.create_bucket(BucketSpec("Plant"))
    points(second, LONG_AGO_S, "M1", "M2")
    assert look(second)["result"] == {"series": 2, "silent": 2, "changes": 0, "posted": 1}
    assert [notice["series"]["tags"]["meter"] for notice in hook.taken] == ["M1", "M2"]


def test_secrets_reach_the_webhook_and_nothing_else(
    client: httpx.Client, hook: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    points(client, LONG_AGO_S, "M1")
    put(client, webhook={"url": hook.url, "auth": {"kind": "bearer", "token": SECRET}}).raise_for_status()
    look(client)
    assert hook.posts[0][1]["authorization"] == f"Bearer {SECRET}"
    address = f"{hook.url}/hooks/{{token}}"
    put(client, webhook={"url": address, "auth": {"kind": "url", "token": SECRET}}).raise_for_status()
    points(client, NOW_S, "M1")
    hook.statuses = [404]
    job = look(client)
    assert hook.posts[1][0] == f"/hooks/{SECRET}"
    shown = [client.get(path).text for path in ("/config/watches", "/watches", "/metrics", f"/jobs/{job['id']}")]
    assert SECRET not in "".join(shown)
    assert SECRET not in "".join(capsys.readouterr())


def test_metrics_count_and_name_no_series(served: Served) -> None:
    client, parts = served
    put(client).raise_for_status()
    points(client, LONG_AGO_S, "M1", "M2")
    points(client, NOW_S, "M3")
    look(client)
    parts.status_board.refresh()
    page = client.get("/metrics").text
    assert 'fluxgate_silent_series{bucket="Plant",watch="meters"} 2.0' in page
    assert 'fluxgate_watch_series{bucket="Plant",watch="meters"} 3.0' in page
    assert "fluxgate_watch_last_look_timestamp_seconds" in page
    assert "M1" not in page
    other, _ = parts.keys.create("other", [Scope.READ], ["Else"])
    assert "fluxgate_silent_series{" not in client.get("/metrics", headers={"X-API-Key": other}).text
    put(client, bucket="Else").raise_for_status()
    parts.status_board.refresh()
    moved = client.get("/metrics", headers={"X-API-Key": other}).text
    assert 'fluxgate_silent_series{bucket="Else",watch="meters"} 0.0' in moved, "the numbers are of another bucket"


def test_a_look_that_fails_is_shown_and_keeps_what_was_known(served: Served) -> None:
    client, parts = served
    put(client).raise_for_status()
    points(client, LONG_AGO_S, "M1")
    look(client)
    put(client, bucket="Nowhere").raise_for_status()
    assert look(client)["error"]["code"] == "unknown_bucket"
    assert "Nowhere" in watch_of(client)["last_error"]
    parts.status_board.refresh()
    assert (
        "1 watch could not look, or not post a change. GET /watches and `fluxgate watches list` say why."
        in client.get("/health/ready").json()["warnings"]
    )
    put(client).raise_for_status()
    assert look(client)["result"]["changes"] == 0, "it is not noticed again"


@pytest.mark.parametrize(
    ("members", "finding"),
    [
        ({"expect": "soon"}, "meters.expect in section 'watches': expect='soon' is not a duration"),
        ({"every": ""}, "meters.every in section"),
        ({"webhook": {"url": "x"}}, "meters.webhook.url in section"),
        ({"expects": "5m"}, "there is no such member (did you mean expect?)"),
        ({"expect": "8d"}, "meters in section 'watches': known='7d' must be longer than expect='8d'"),
        ({"every": "1m"}, "HH:MM:SS"),
        ({"webhook": {"url": "ftp://x"}}, "only http and https"),
        ({"webhook": {"url": "http://169.254.169.254/"}}, "metadata"),
        ({"webhook": {"url": "http://a/{token}"}}, "{token}"),
        ({"measurement": ["power"]}, "measurements"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(
    client: httpx.Client, members: dict[str, Any], finding: str
) -> None:
    refused = put(client, **members)
    assert refused.status_code == 422
    assert finding in refused.text


def test_a_private_address_can_be_forbidden(serve: Callable[..., Served], hook: Webhook) -> None:
    client, parts = serve(connector_private_addresses=False)
    parts.store.create_bucket(BucketSpec("Plant"))
    put(client, webhook={"url": hook.url}).raise_for_status()
    points(client, LONG_AGO_S, "M1")
    refused = look(client)
    assert refused["state"] == "failed"
    assert "CONNECTOR_PRIVATE_ADDRESSES" in refused["error"]["message"]
    assert (hook.posts, watch_of(client)["notices_waiting"]) == ([], 1)


def test_a_webhook_that_cannot_work_fails_a_look_before_a_series_is_silent(client: httpx.Client, hook: Webhook) -> None:
    auth = {"kind": "bearer", "token_env": "FLUXGATE_TOKEN_OF_NO_WATCH"}
    put(client, webhook={"url": hook.url, "auth": auth}).raise_for_status()
    points(client, NOW_S, "M1")
    failed = look(client)
    assert (failed["state"], hook.posts) == ("failed", [])
    assert "FLUXGATE_TOKEN_OF_NO_WATCH" in failed["error"]["message"]
    assert (watch_of(client)["last_error"], watch_of(client)["series"]) == (failed["error"]["message"], 1)


def test_a_watch_that_does_not_exist_is_404(client: httpx.Client) -> None:
    assert client.post("/watches/none/run").status_code == 404


def test_the_command_line_looks_and_lists(client: httpx.Client, hook: Webhook) -> None:
    where = ["--url", str(client.base_url), "--key", KEY]
    assert "PUT /config/watches" in CliRunner().invoke(cli, ["watches", "list", *where]).output
    put(client, webhook={"url": f"http://127.0.0.1:{free_port()}"}).raise_for_status()
    points(client, NOW_S, "M1")
    done = CliRunner().invoke(cli, ["watches", "run", "meters", *where])
    assert done.exit_code == 0, done.output
    put(client, webhook={"url": hook.url}).raise_for_status()
    points(client, LONG_AGO_S, "M2")
    assert CliRunner().invoke(cli, ["watches", "run", "meters", *where]).exit_code == 0
    listed = CliRunner().invoke(cli, ["watches", "list", *where]).output
    assert "meters: power,meter=M2,site=A is silent since" in listed
