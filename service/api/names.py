"""Names on the wire, which may hold anything: in paths, and in headers.

A bucket may hold slashes, so a segment of a path is decoded here, after the route was found. A server
decodes %2F before routing; the middleware below keeps it (and %25) encoded within a segment.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_LONGEST_HEADER = 4000


def header_names(names: Iterable[tuple[str, ...]]) -> str:
    """Names with commas between them; the parts of a name are percent-encoded, with dots between them.

    Cut with `...` when too long for a header.
    """
    return _cut(",".join(".".join(quote(part, safe="") for part in parts) for parts in names))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_HEADER else text[:_LONGEST_HEADER].rpartition(",")[0] + ",..."


def encode_segment(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def decode_segment(segment: str) -> str:
    return segment.replace("%2F", "/").replace("%25", "%")


class PathSegments:
    """Hands routes a path whose segments still tell an encoded slash from one that separates."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in (raw := scope.get("raw_path") or b""):
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            scope["path"] = "/".join(encode_segment(unquote(segment)) for segment in segments)
        await self._app(scope, receive, send)
