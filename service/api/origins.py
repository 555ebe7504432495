"""OPTIONS for every path, and answers that scripts of other origins may read (CORS_ORIGINS).

Neither needs a key: both tell what the API's document tells. Keys travel in headers that a script sets itself, so
`Access-Control-Allow-Credentials` is never sent.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY_ORIGIN = "*"
_REQUEST_HEADERS = (
    "Accept, Authorization, Cache-Control, Content-Encoding, Content-Type, Last-Event-ID, X-API-Key, X-Request-Id"
)
_EXPOSED = ("content-disposition", "location", "retry-after", "www-authenticate", "x-request-id")
_EXPOSED_PREFIX = "x-fluxgate-"
_PREFLIGHT_KEPT_S = 600
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Origins:
    """Answers OPTIONS, and marks every other answer to a script of an allowed origin. No origins: no marks."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (not self._origins and scope["method"] != "OPTIONS"):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(asked, MutableHeaders(scope=message))
            await send(message)

        methods = _methods(scope["app"].routes, scope) if scope["method"] == "OPTIONS" else ()
        if methods:
            await self._options(asked, methods)(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)

    def _options(self, asked: Headers, methods: Collection[str]) -> Response:
        allowed = ", ".join(methods)
        headers = {"Allow": allowed}
        if "Access-Control-Request-Method" in asked and self._allows(asked.get("Origin")):
            headers["Access-Control-Allow-Methods"] = allowed
            headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = str(_PREFLIGHT_KEPT_S)
        return Response(status_code=204, headers=headers)

    def _mark(self, asked: Headers, answered: MutableHeaders) -> None:
        if self._origins and ANY_ORIGIN not in self._origins:
            answered.add_vary_header("Origin")
        origin = asked.get("Origin")
        if origin is None or not self._allows(origin):
            return
        answered["Access-Control-Allow-Origin"] = ANY_ORIGIN if ANY_ORIGIN in self._origins else origin
        exposed = [name for name in answered if name in _EXPOSED or name.startswith(_EXPOSED_PREFIX)]
        if exposed:
            answered["Access-Control-Expose-Headers"] = ", ".join(dict.fromkeys(exposed))

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and (ANY_ORIGIN in self._origins or origin in self._origins)


def _methods(routes: Collection[BaseRoute], scope: Scope) -> list[str]:
    """What may be asked of the path; nothing when there is no such path."""
    methods = {method for method in _METHODS if any(_takes(route, scope, method) for route in routes)}
    if not methods:
        return []
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


def _takes(route: BaseRoute, scope: Scope, method: str) -> bool:
    if isinstance(route, Mount) and method != "GET":
        return False  # files, which match every method and refuse most of them later
    return route.matches({**scope, "method": method})[0] is Match.FULL
