"""Encodes names in paths and headers, because a name may hold any character.

Servers decode %2F before routing, which would split a bucket name with slashes into segments. The middleware keeps
%2F and %25 encoded within a segment, and `decode_segment` decodes them after routing.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_LONGEST_HEADER = 4000


def header_names(names: Iterable[tuple[str, ...]]) -> str:
    """The names, separated by commas. Each part of a name is percent-encoded, and dots separate the parts.


    A list that is too long for a header is cut, and ends with `...`.
    """
    return _cut(",".join(".".join(quote(part, safe="") for part in parts) for parts in names))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_HEADER else text[:_LONGEST_HEADER].rpartition(",")[0] + ",..."


def encode_segment(name: str) -> str:
    """`name` with its slashes and percent signs encoded. `decode_segment` is the inverse."""
    return name.replace("%", "%25").replace("/", "%2F")


def decode_segment(segment: str) -> str:
    """The name that a segment of a path stands for."""
    return segment.replace("%2F", "/").replace("%25", "%")


class PathSegmentsMiddleware:
    """Gives routes a path in which slashes within a segment are still encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in (raw := scope.get("raw_path") or b""):
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            scope["path"] = "/".join(encode_segment(unquote(segment)) for segment in segments)
        await self._app(scope, receive, send)
