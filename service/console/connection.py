"""Connects a subcommand to a gateway: its address, the key, and plain requests.

The key of the first start has every scope, so it is sent only to gateways on this machine.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from fluxgate_client import Gateway
from fluxgate_client.answers import as_object
from fluxgate_client.requests import Parameters, Request, posted
from fluxgate_client.transport import Transport
from service.errors import InvalidParameter
from service.settings import CLIENT_KEY, load_settings

FIRST_KEY = "first-key.txt"
DEFAULT_URL = "http://127.0.0.1:8000"
Url = Annotated[str | None, typer.Option(help=f"The gateway's address. Default: FLUXGATE_URL, else {DEFAULT_URL}.")]
_KEY = (
    "The key. Default: FLUXGATE_API_KEY, else API_KEY, else, for a gateway on this machine, "
    "the key of its first start in DATA_DIR."
)
Key = Annotated[str | None, typer.Option(help=_KEY)]


def open_gateway(url: str | None, key: str | None) -> Gateway:
    """The client of the gateway at `url`, with `key`. Raises InvalidParameter when one of them cannot be sent."""
    return Gateway(open_transport(url, key))


def open_transport(url: str | None, key: str | None, timeout_s: float = 120.0) -> Transport:
    """A transport to the gateway, for requests that have no client method. Raises InvalidParameter."""
    return Transport(*address_and_key(url, key), timeout_s)


def address_and_key(url: str | None, key: str | None) -> tuple[str, str | None]:
    """The address of the gateway and the key to send. Raises InvalidParameter when one cannot be sent."""
    address = url or os.environ.get("FLUXGATE_URL") or DEFAULT_URL
    try:
        host = httpx.URL(address).host
    except httpx.InvalidURL as broken:
        reason = f"{address!r} is no address of a gateway ({broken}). Write it like {DEFAULT_URL}."
        raise InvalidParameter("url", reason) from None
    sent_key = key or os.environ.get(CLIENT_KEY) or _default_key(is_loopback(host))
    if sent_key is not None and not (sent_key.isascii() and sent_key.isprintable()):
        raise InvalidParameter("key", "The key holds characters that no key has. Copy it again.")
    return address, sent_key


def get(transport: Transport, path: str, parameters: Parameters = ()) -> dict[str, Any]:
    """The JSON answer of the gateway to a GET."""
    request = Request("GET", path, parameters)
    return as_object(request, transport.fetch(request))


def post(transport: Transport, path: str, parameters: Parameters = (), body: object = None) -> dict[str, Any]:
    """The JSON answer of the gateway to a POST. `body` is sent as JSON."""
    request = posted(path, parameters, body)
    return as_object(request, transport.fetch(request))


def delete(transport: Transport, path: str, parameters: Parameters = ()) -> dict[str, Any]:
    """The JSON answer of the gateway to a DELETE. It is not repeated when the connection breaks."""
    request = Request("DELETE", path, parameters, repeatable=False)
    return as_object(request, transport.fetch(request))


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine for certain. Names other than localhost may resolve to any address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _default_key(on_this_machine: bool) -> str | None:
    settings = load_settings()
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    return stored_key(settings.data_dir) if on_this_machine else None


def stored_key(directory: Path) -> str | None:
    """The key that the first start wrote into `directory`; None when there is none."""
    file = directory / FIRST_KEY
    return file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else None
