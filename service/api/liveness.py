"""Answers `GET /health/live` before the framework sees it: a probe costs nothing, however many ask."""

from types import SimpleNamespace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/health/live"
BODY = b'{"status":"alive"}'
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", str(len(BODY)).encode()), (b"content-type", b"application/json")],
}
_ROUTE = SimpleNamespace(path=PATH)
"""What the request is counted as."""


class Liveness:
    """Plain ASGI middleware. Every other request, HEAD and OPTIONS too, goes on to the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        await send({**_START})
        await send({"type": "http.response.body", "body": BODY})
