"""`fluxgate serve`: the service itself, with what a newcomer needs printed once it can be reached."""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from service.app import configure_logs
from service.commands.connection import FIRST_KEY
from service.domain.access import Scope
from service.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.wiring import open_keys

_GRACE_S = 10


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes; more than one needs InfluxDB as the store.", min=1)] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Fill an empty embedded store with demo data and keep a simulated sensor writing.")] = False,
) -> None:
    """Serve, with settings from the environment and .env."""
    settings = load_settings()
    configure_logs(settings)
    if settings.influxdb_url is None and workers > 1:
        raise ConfigurationError("The embedded store belongs to one process. Use --workers 1, or set INFLUXDB_URL.")
    if demo and settings.influxdb_url is not None:
        raise ConfigurationError("--demo fills the embedded store, but INFLUXDB_URL is set. Leave one of them out.")
    key = ensure_key(settings, host)
    if demo:
        os.environ["FLUXGATE_DEMO"] = "1"
    _greet(host, port, key, demo)
    uvicorn.run(
        "service.app:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        forwarded_allow_ips=list(settings.trusted_proxies),
        proxy_headers=bool(settings.trusted_proxies),
    )


def ensure_key(settings: Settings, host: str) -> str | None:
    """A key to show: the one that a first start made. On other addresses than loopback there must be one already.

    Raises:
        ConfigurationError: nobody could be told apart on a public address.
    """
    if settings.api_key is not None:
        return None
    keys = open_keys(settings)
    kept = settings.data_dir / FIRST_KEY
    if keys.is_empty():
        if not is_loopback(host):
            raise ConfigurationError(f"{host} can be reached from outside and there is no key. Set API_KEY, or make one: fluxgate keys create.")
        key, _ = keys.create("first", list(Scope))
        _keep(kept, key)
    return kept.read_text().strip() if kept.exists() else None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _keep(path: Path, key: str) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    part.touch(mode=0o600)
    part.write_text(f"{key}\n")
    part.replace(path)


def _greet(host: str, port: int, key: str | None, demo: bool) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    shown = key or "$API_KEY"
    lines = [
        f"Pages     {url}/docs   {url}/redoc   {url}/health/ready",
        f"Key       {key}" if key else "Key       the one you set or made",
        "",
        "Try       (in another terminal)" if demo else "Ask       (in another terminal)",
        f'  curl -sS --fail -H "X-API-Key: {shown}" "{url}/buckets"',
    ]
    if demo:
        lines += [
            f'  curl -sS --fail -H "X-API-Key: {shown}" "{url}/buckets/Power%20Consumption?window=30d&every=1h" -o power.csv',
            f'  curl -sS --fail -H "X-API-Key: {shown}" "{url}/telemetry/latest"',
        ]
    else:
        lines.append(f'  curl -sS --fail -H "X-API-Key: {shown}" "{url}/telemetry/latest"')
    Console(stderr=True, soft_wrap=True, highlight=False).print("\n".join(["", *lines, ""]), markup=False)
