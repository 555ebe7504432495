"""Encodes names in paths and headers, because a name may hold any character.

Servers decode %2F before routing, which would split a bucket name with slashes into segments. The middleware keeps
%2F and %25 encoded within a segment, and `decode_segment` decodes them after routing.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import InvalidParameter

_LONGEST_HEADER = 4000


def header_names(names: Iterable[tuple[str, ...]]) -> str:
    """The names, separated by commas. Each part of a name is percent-encoded, and dots separate the parts.

    A list that is too long for a header is cut, and ends with `...`.
    """
    return _cut(",".join(".".join(quote(part, safe="") for part in parts) for parts in names))


def header_unknown(names: Iterable[tuple[str, ...]]) -> str:
    """A clause for each unknown name: kind, tag key, name, near names, as `service.reads.facts` has them.

    `unknown field Power (near: power)`, `unknown value M9 of tag meter`; names percent-encoded, clauses separated by
    semicolons.
    """
    return _cut("; ".join(_unknown(*name) for name in names), ";")


def _unknown(kind: str, tag: str, name: str, *near: str) -> str:
    of_tag = f" of tag {quote(tag, safe='')}" if tag else ""
    near_ones = f" (near: {', '.join(quote(candidate, safe='') for candidate in near)})" if near else ""
    return f"unknown {kind} {quote(name, safe='')}{of_tag}{near_ones}"


def _cut(text: str, separator: str = ",") -> str:
    if len(text) <= _LONGEST_HEADER:
        return text
    return text[:_LONGEST_HEADER].rpartition(separator)[0] + f"{separator}..."


def encode_segment(name: str) -> str:
    """`name` with its slashes and percent signs encoded. `decode_segment` is the inverse."""
    return name.replace("%", "%25").replace("/", "%2F")


def decode_segment(segment: str) -> str:
    """The name that a segment of a path stands for."""
    return segment.replace("%2F", "/").replace("%25", "%")


def check_address(scope: Scope) -> None:
    """Raises InvalidParameter: the path or a parameter is not UTF-8. What it would be taken for may be another name."""
    for what, part in (("path", scope.get("raw_path") or b""), ("parameters", scope["query_string"])):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            reason = f"Once decoded, the {what} of the address cannot be read as UTF-8."
            raise InvalidParameter("address", f"{reason} Encode names as UTF-8, like %C3%BC for ü.") from None


class PathSegmentsMiddleware:
    """Gives routes a path in which slashes within a segment are still encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in (raw := scope.get("raw_path") or b""):
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            scope["path"] = "/".join(encode_segment(unquote(segment)) for segment in segments)
        await self._app(scope, receive, send)
