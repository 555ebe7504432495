"""The gateway that a subcommand talks to, and the key it shows.

The key of the first start may do everything here: it is shown to gateways on this machine alone.
"""

import ipaddress
import json
import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from fluxgate import Gateway
from fluxgate.wire import Parameters, Wire
from service.errors import InvalidParameter
from service.settings import load_settings

FIRST_KEY = "first-key.txt"
DEFAULT_URL = "http://127.0.0.1:8000"
Url = Annotated[str | None, typer.Option(help=f"The gateway; else FLUXGATE_URL, else {DEFAULT_URL}.")]
Key = Annotated[str | None, typer.Option(help="The key; else API_KEY, else, on this machine, the one that the first start made in DATA_DIR.")]


def reach(url: str | None, key: str | None) -> Gateway:
    """The gateway at `url`, with `key`. Raises InvalidParameter when one of them cannot be sent."""
    return Gateway(wire(url, key))


def wire(url: str | None, key: str | None, timeout_s: float = 120.0) -> Wire:
    """The same, for what has no method there."""
    address = url or os.environ.get("FLUXGATE_URL") or DEFAULT_URL
    return Wire(address, key_for(address, key), timeout_s)


def key_for(address: str, key: str | None) -> str | None:
    """The key that is sent to the gateway at `address`: `key`, or one that this machine knows for it.

    Raises InvalidParameter when the address is none, or the key cannot be sent.
    """
    try:
        host = httpx.URL(address).host
    except httpx.InvalidURL as broken:
        raise InvalidParameter("url", f"{address!r} is no address of a gateway ({broken}). Write it like {DEFAULT_URL}.") from None
    shown = key or _own_key(is_loopback(host))
    if shown is not None and not (shown.isascii() and shown.isprintable()):
        raise InvalidParameter("key", "The key holds characters that no key has. Copy it again.")
    return shown


def post(link: Wire, path: str, parameters: Parameters = (), body: object = None) -> dict[str, Any]:
    """What the gateway answers to an order; `body` goes as JSON."""
    content, headers = (None, None) if body is None else (json.dumps(body).encode(), {"Content-Type": "application/json"})
    with link.stream("POST", path, parameters, content, headers) as response:
        response.read()
        found: dict[str, Any] = response.json()
        return found


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
    return kept_key(settings.data_dir) if here else None


def kept_key(directory: Path) -> str | None:
    """The key that a first start kept in `directory`."""
    kept = directory / FIRST_KEY
    return kept.read_text(encoding="ascii", errors="replace").strip() if kept.exists() else None
