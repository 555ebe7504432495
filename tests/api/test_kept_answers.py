"""A repeated read is answered before the framework sees it: with the same bytes, and no right more."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from service.api.body_gate import BodyGate
from service.api.deps import Parts
from service.api.kept_answers import QUESTION, KeptAnswers
from service.api.read_parameters import parse_question
from service.domain import access
from service.domain.schema import BucketSpec
from tests.api.conftest import KEY, NOW_NS, Served, fill, write

PATH = "/buckets/Power%20Consumption"
CLOSED = {"start": "2026-01-01T10:00:00Z", "stop": "2026-01-01T11:00:00Z", "every": "10m"}
CHANGING = {"x-request-id", "date", "x-fluxgate-cache"}


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    client, parts = serve()
    fill(client, parts)
    return client, parts


def same(left: httpx.Response, right: httpx.Response) -> bool:
    heads = [
        {name: value for name, value in answer.headers.items() if name not in CHANGING} for answer in (left, right)
    ]
    for head in heads:  # the first answer of a read has no length and no tag yet
        head.pop("etag", None)
        head.pop("content-length", None)
        head.pop("transfer-encoding", None)
    return (left.status_code, heads[0], left.content) == (right.status_code, heads[1], right.content)


@pytest.mark.parametrize("parameters", [CLOSED, {"window": "2h", "every": "1h"}, {**CLOSED, "format": "parquet"}])
def test_the_second_answer_is_the_first(served: Served, parameters: dict[str, str]) -> None:
    client, _ = served
    answers = [client.get(PATH, params=parameters) for _ in range(3)]
    assert [answer.headers["X-Fluxgate-Cache"].partition(";")[0] for answer in answers] == ["miss", "hit", "hit"]
    assert same(answers[0], answers[1]) and same(answers[1], answers[2])
    assert answers[1].headers["ETag"] == answers[2].headers["ETag"]


def test_a_gzipped_hit_has_a_length_and_the_same_bytes(served: Served) -> None:
    client, _ = served
    plain = client.get(PATH, params=CLOSED)
    client.get(PATH, params=CLOSED)
    packed = client.get(PATH, params=CLOSED, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["Content-Encoding"], packed.content) == ("gzip", plain.content)
    assert int(packed.headers["Content-Length"]) < len(plain.content)


def test_a_write_ends_the_kept_answer(served: Served) -> None:
    client, _ = served
    for _ in range(2):
        client.get(PATH, params=CLOSED)
    write(client, "Power%20Consumption", f"power,meter=c volts=1 {NOW_NS - 5400 * 10**9}").raise_for_status()
    answer = client.get(PATH, params=CLOSED)
    written = "2026-01-01T10:30:00Z/2026-01-01T10:40:00Z"
    assert answer.headers["X-Fluxgate-Cache"] == f"partial; fetched={written}"
    assert ",c\n" in answer.text


def test_no_cache_asks_the_store(served: Served) -> None:
    client, _ = served
    for _ in range(2):
        client.get(PATH, params=CLOSED)
    answer = client.get(PATH, params=CLOSED, headers={"Cache-Control": "no-cache"})
    assert answer.headers["X-Fluxgate-Cache"].startswith("bypass")


def test_a_key_sees_no_more_than_before(served: Served) -> None:
    client, parts = served
    parts.store.create_bucket(BucketSpec("Roof", "", 0))
    keys = {
        "roof": parts.keys.create("roof", [access.Scope.READ], buckets=["Roof"])[0],
        "writer": parts.keys.create("writer", [access.Scope.WRITE])[0],
        "reader": parts.keys.create("reader", [access.Scope.READ])[0],
    }
    revoked, record = parts.keys.create("gone", [access.Scope.READ])

    def ask(key: str | None) -> int:
        headers = {} if key is None else {"X-API-Key": key}
        return httpx.get(f"{client.base_url}{PATH}", params=CLOSED, headers=headers).status_code

    for _ in range(3):
        assert [ask(keys[name]) for name in ("reader", "roof", "writer")] == [200, 404, 403]
        assert (ask(None), ask("wrong-key-0123456789")) == (401, 401)
    assert ask(revoked) == ask(revoked) == 200
    parts.keys.revoke(record.id)
    assert ask(revoked) == 401


def test_a_head_a_body_and_another_accept_are_the_routes_own(served: Served) -> None:
    client, _ = served
    for _ in range(2):
        client.get(PATH, params=CLOSED)
    head = client.head(PATH, params=CLOSED)
    assert (head.status_code, head.content) == (200, b"")
    assert client.get(PATH, params=CLOSED, headers={"Accept": "application/json"}).json()["bucket"]
    assert client.request("GET", PATH, params=CLOSED, content=b"{}").status_code == 200


def test_requests_are_counted_under_the_route(served: Served) -> None:
    client, _ = served
    for _ in range(5):
        client.get(PATH, params=CLOSED)
    counted = 'fluxgate_requests_total{method="GET",route="/buckets/{name}",status="200"} 5.0'
    assert counted in client.get("/metrics").text


class _App:
    """An application that leaves a question, as the route does, and says how often it was asked."""

    def __init__(self, question: object) -> None:
        self.question = question
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        scope[QUESTION] = self.question


async def ask(middleware: KeptAnswers, path: str, query: str, **headers: str) -> list[Message]:
    """What the middleware itself sends."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": raw,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope["body_gate"] = BodyGate(scope, receive)
    await middleware(scope, receive, send)
    return sent


def questions(parts: Parts, client: httpx.Client) -> object:
    """The question of the read in CLOSED, whose answer is kept."""
    client.get(PATH, params=CLOSED)
    return parse_question("Power Consumption", list(CLOSED.items()), None, NOW_NS, "30m", 1000)


@pytest.mark.anyio
async def test_the_framework_is_not_asked_again(served: Served) -> None:
    client, parts = served
    app = _App(questions(parts, client))
    middleware = KeptAnswers(app, parts)
    query = "&".join(f"{name}={value}" for name, value in CLOSED.items())
    assert await ask(middleware, PATH, query, x_api_key=KEY) == []
    first = await ask(middleware, PATH, query, x_api_key=KEY)
    assert (app.calls, first[0]["status"], len(first)) == (1, 200, 2)
    for headers in ({}, {"x_api_key": "wrong"}, {"x_api_key": KEY, "content_length": "2"}):
        assert await ask(middleware, PATH, query, **headers) == []
    assert await ask(middleware, PATH, query + "&limit=1", x_api_key=KEY) == []
    assert await ask(middleware, f"{PATH}/schema", query, x_api_key=KEY) == []
    assert app.calls == 6


@pytest.mark.anyio
async def test_a_bounded_number_of_questions_is_known(served: Served) -> None:
    client, parts = served
    app = _App(questions(parts, client))
    middleware = KeptAnswers(app, parts)
    for number in range(1001):
        await ask(middleware, PATH, f"limit={number}", x_api_key=KEY)
    assert await ask(middleware, PATH, "limit=0", x_api_key=KEY) == []
    assert len(await ask(middleware, PATH, "limit=1000", x_api_key=KEY)) == 2
    long = f"limit=1&measurement={'x' * 3000}"
    for _ in range(2):
        assert await ask(middleware, PATH, long, x_api_key=KEY) == []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
