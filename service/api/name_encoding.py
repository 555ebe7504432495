"""Names on the wire, which may hold anything: in paths, and in headers.

A bucket may hold slashes, so a segment of a path is decoded here, after the route was found. A server
decodes %2F before routing; the middleware below keeps it (and %25) encoded within a segment.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_LONGEST_HEADER = 4000


def header_names(fields: Iterable[tuple[str, str]]) -> str:
    """`measurement.field` for each pair, percent-encoded, separated by commas; cut with `...` when too long for a header."""
    return _cut(",".join(f"{quote(measurement, safe='')}.{quote(field, safe='')}" for measurement, field in fields))


def header_buckets(names: Iterable[str]) -> str:
    """Names of buckets, printed likewise."""
    return _cut(",".join(quote(name, safe="") for name in names))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_HEADER else text[:_LONGEST_HEADER].rpartition(",")[0] + ",..."


def encode_segment(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def decode_segment(segment: str) -> str:
    return segment.replace("%2F", "/").replace("%25", "%")


class PathSegmentsMiddleware:
    """Hands routes a path whose segments still tell an encoded slash from one that separates."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in (raw := scope.get("raw_path") or b""):
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            scope["path"] = "/".join(encode_segment(unquote(segment)) for segment in segments)
        await self._app(scope, receive, send)
