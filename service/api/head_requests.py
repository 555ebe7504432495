"""HEAD wherever GET works: the route is asked as for GET, and its body stays here.

A route whose body would cost much, or has no end, asks `wants_head` and answers without making one.
"""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD_ONLY = "head_only"
"""The member of the scope of a request whose body is not sent."""


class HeadRequests:
    """Hands routes GET for HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        asked = {**scope, "method": "GET", HEAD_ONLY: True}
        try:
            await self._app(asked, receive, without_body)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]


def head_answer(headers: Mapping[str, str]) -> Response:
    """The head of an answer whose length nobody knows yet."""
    answer = Response(headers=headers)
    del answer.headers["Content-Length"]
    return answer


def wants_head(request: Request) -> bool:
    """Whether the client gets the headers alone."""
    return bool(request.scope.get(HEAD_ONLY))
