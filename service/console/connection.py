"""The gateway that a subcommand talks to, and the key it shows.

The key of the first start may do everything here: it is shown to gateways on this machine alone.
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
from service.settings import load_settings

FIRST_KEY = "first-key.txt"
DEFAULT_URL = "http://127.0.0.1:8000"
Url = Annotated[str | None, typer.Option(help=f"The gateway; else FLUXGATE_URL, else {DEFAULT_URL}.")]
Key = Annotated[str | None, typer.Option(help="The key; else API_KEY, else, on this machine, the one that the first start made in DATA_DIR.")]


def open_gateway(url: str | None, key: str | None) -> Gateway:
    """The gateway at `url`, with `key`. Raises InvalidParameter when one of them cannot be sent."""
    return Gateway(open_transport(url, key))


def open_transport(url: str | None, key: str | None, timeout_s: float = 120.0) -> Transport:
    """The same, for what has no method there."""
    return Transport(*address_and_key(url, key), timeout_s)


def address_and_key(url: str | None, key: str | None) -> tuple[str, str | None]:
    """The address of the gateway, and the key that it is shown. Raises InvalidParameter when one cannot be sent."""
    address = url or os.environ.get("FLUXGATE_URL") or DEFAULT_URL
    try:
        host = httpx.URL(address).host
    except httpx.InvalidURL as broken:
        raise InvalidParameter("url", f"{address!r} is no address of a gateway ({broken}). Write it like {DEFAULT_URL}.") from None
    shown = key or _own_key(is_loopback(host))
    if shown is not None and not (shown.isascii() and shown.isprintable()):
        raise InvalidParameter("key", "The key holds characters that no key has. Copy it again.")
    return address, shown


def get(transport: Transport, path: str, parameters: Parameters = ()) -> dict[str, Any]:
    """What the gateway answers to a question."""
    request = Request("GET", path, parameters)
    return as_object(request, transport.fetch(request))


def post(transport: Transport, path: str, parameters: Parameters = (), body: object = None) -> dict[str, Any]:
    """What the gateway answers to an order; `body` goes as JSON."""
    request = posted(path, parameters, body)
    return as_object(request, transport.fetch(request))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; names other than localhost may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_key(here: bool) -> str | None:
    settings = load_settings()
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    return stored_key(settings.data_dir) if here else None


def stored_key(directory: Path) -> str | None:
    """The key that a first start kept in `directory`."""
    kept = directory / FIRST_KEY
    return kept.read_text(encoding="ascii", errors="replace").strip() if kept.exists() else None
