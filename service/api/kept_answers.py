"""Answers a repeated read out of the cache of this process, before the framework looks at the request.

Routing, dependencies and parsing cost several times what a kept answer costs. So the route leaves its question with
the request, and the next request with the same address and Accept header asks that question again: with its own key,
its own rights, and of the cache alone. Whatever is not plainly a kept answer goes on to the route.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.deps import Parts
from service.api.head_requests import HEAD_ONLY
from service.api.presented_key import presented_key
from service.api.read_headers import cache_headers, facts_headers, is_unchanged
from service.api.streaming import AnswerResponse, wants_gzip
from service.cache.answers import Served
from service.domain import access
from service.reads.facts import ReadFacts
from service.reads.question import Question

QUESTION = "fluxgate.question"
"""The member of the scope in which the route leaves its question."""
_MOST_QUESTIONS = 1000
_LONGEST_ADDRESS = 2000
_Address = tuple[bytes, bytes, bytes]


@dataclass
class _Known:
    """A question that was answered, and the route that did; and the headers that go with the facts of an answer."""

    question: Question
    route: object
    facts: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def headers_of(self, served: Served, now_ns: int) -> dict[str, str]:
        """The headers of an answer: those of the last one, where it says the same of itself."""
        if served.headers != self.facts:
            self.headers = facts_headers(self.question, ReadFacts.from_texts(served.headers))
            self.facts = served.headers
        return {**self.headers, **cache_headers(served, now_ns)}


class KeptAnswers:
    """Plain ASGI middleware. It stands within those that give ids, count, and check bodies and origins."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts
        self._known: OrderedDict[_Address, _Known] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _address(scope)
        if address is None:
            await self._app(scope, receive, send)
            return
        response = self._kept(scope, address)
        if response is not None:
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)
        if QUESTION in scope:
            self._remember(address, _Known(scope[QUESTION], scope.get("route")))

    def _kept(self, scope: Scope, address: _Address) -> Response | None:
        known = self._known.get(address)
        if known is None or scope["body_gate"].present:
            return None
        request = Request(scope)
        principal = self._parts.keys.known_without_query(presented_key(request))
        selection = known.question.selection
        if principal is None or not principal.may(access.Scope.READ) or not principal.may_see(selection.bucket):
            return None
        served = self._parts.reads.kept(known.question, bypasses_cache(request))
        if served is None:
            return None
        structlog.contextvars.bind_contextvars(key=principal.id)
        scope["route"] = known.route
        return response_of(
            request, self._parts, known.question, served, known.headers_of(served, self._parts.clock_ns())
        )

    def _remember(self, address: _Address, known: _Known) -> None:
        self._known[address] = known
        self._known.move_to_end(address)
        if len(self._known) > _MOST_QUESTIONS:
            self._known.popitem(last=False)


def bypasses_cache(request: Request) -> bool:
    """Whether the client wants an answer that no cache had."""
    return "no-cache" in request.headers.get("Cache-Control", "").lower()


def response_of(
    request: Request, parts: Parts, question: Question, served: Served, headers: Mapping[str, str]
) -> Response:
    """The response that sends an answer as this client takes it; without a body when the client has it already."""
    if is_unchanged(served.etag, request.headers.get("If-None-Match")):
        served.close()
        return Response(status_code=304, headers=headers)
    gzip = not question.is_packed and wants_gzip(request.headers.get("Accept-Encoding"))
    return AnswerResponse(served, headers, gzip, parts.reads.limits.timeout_s)


def _address(scope: Scope) -> _Address | None:
    """What makes the question of a read of a bucket; None for other requests, and for one that is too long to keep."""
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/buckets/"):
        return None
    if HEAD_ONLY in scope:
        return None
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    address = (scope.get("raw_path") or b"", scope["query_string"], accept)
    return address if sum(map(len, address)) <= _LONGEST_ADDRESS else None
