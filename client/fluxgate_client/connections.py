"""What both transports share of httpx: how a client is set up, and what its errors mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from fluxgate_client.errors import AnswerBroken, GatewayUnreachable, InvalidRequest
from fluxgate_client.requests import Request
from fluxgate_client.version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def from_environment(url: str | None, key: str | None) -> tuple[str, str | None]:
    """`url` and `key`; what is None is FLUXGATE_URL (else this machine) and FLUXGATE_API_KEY (else no key)."""
    address = os.environ.get("FLUXGATE_URL") or DEFAULT_URL if url is None else url
    return address, os.environ.get("FLUXGATE_API_KEY") if key is None else key


def http_options(url: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Options of an httpx client. Raises InvalidRequest for an address or key that cannot be sent."""
    try:
        address = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL as broken:
        raise InvalidRequest(f"{url!r} is no address of a gateway ({broken}). {_EXAMPLE}") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise InvalidRequest(f"{url!r} is no address of a gateway. {_EXAMPLE}")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise InvalidRequest("The key holds characters that no key has. Copy it again.")
    headers = {"User-Agent": f"fluxgate-client/{__version__}", **({"X-API-Key": key} if key else {})}
    return {"base_url": address, "headers": headers, "timeout": timeout_s}


_EXAMPLE = "Write it like http://127.0.0.1:8000."


@contextmanager
def translated(request: Request, base_url: httpx.URL, *, begun: bool) -> Iterator[None]:
    """Errors of httpx as the client's own. `begun`: the answer's head has arrived, and its body is read."""
    try:
        yield
    except httpx.RequestError as broken:
        reason = str(broken) or type(broken).__name__
        if begun and not isinstance(broken, httpx.TimeoutException):
            sentence = f"The answer to {request.method} {request.path} stopped before its end ({reason}). Ask again."
            raise AnswerBroken(sentence) from broken
        raise GatewayUnreachable(
            f"No answer from {base_url}: {reason}. Is the gateway running there?",
            may_have_arrived=not isinstance(broken, _NOTHING_SENT),
        ) from broken
