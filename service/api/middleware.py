"""Gives every request an id, a log line and metrics. It is plain ASGI, so that streamed answers stay streamed."""

import re
import secrets
import time

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.metrics import Metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
_log = structlog.get_logger(__name__)


class RequestObserver:
    """Gives each request an id, sends it back as X-Request-Id, and logs and counts the request.

    An id that the caller sent is kept when it has at most 128 harmless characters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        begun, status, size, complete = time.perf_counter(), 0, 0, False

        async def observe(message: Message) -> None:
            nonlocal status, size, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
                complete = not message.get("more_body", False)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, observe)
            finally:
                seconds = time.perf_counter() - begun
                self._count(scope, status, size, seconds)
                _log.info(
                    "request", method=scope["method"], path=scope["path"][:500], status=status or 500,
                    bytes=size, ms=round(seconds * 1000, 1), complete=complete, client=_client(scope),
                )  # fmt: skip

    def _children(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """The metrics under these labels, which are looked up once: methods, routes and statuses are few."""
        labels = method, route, status
        if labels not in self._known:
            requests = self._metrics.requests.labels(method, route, str(status))
            self._known[labels] = requests, self._metrics.seconds.labels(method, route)
        return self._known[labels]

    def _count(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        requests, durations = self._children(method, route, status or 500)
        requests.inc()
        durations.observe(seconds)
        self._metrics.bytes_out.inc(size)


def _client(scope: Scope) -> str:
    """The client's address: of the connection, or what one of TRUSTED_PROXIES says."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _request_id(scope: Scope) -> str:
    received = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
    return received if _REQUEST_ID.fullmatch(received) else secrets.token_hex(8)
