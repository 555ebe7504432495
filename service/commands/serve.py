"""`fluxgate serve`: the service itself, with what a newcomer needs printed once it can be reached."""

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer
import uvicorn
from rich.console import Console
from uvicorn.supervisors import Multiprocess

from service.app import configure_logs
from service.console.connection import FIRST_KEY, is_loopback, stored_key
from service.domain.access import Scope
from service.errors import ConfigurationError, Unauthorized
from service.server.bounds import ConnectionBounds
from service.server.connections import Connections
from service.server.protocol import BoundedProtocol
from service.settings import Settings, load_settings
from service.wiring import assemble, open_keys

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
    config = uvicorn.Config(
        "service.app:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=cast(type[BoundedProtocol], partial(BoundedProtocol, bounds=_connection_bounds(settings), register=Connections())),
        ws="none",
        timeout_keep_alive=settings.keep_alive_s,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        forwarded_allow_ips=list(settings.trusted_proxies),
        proxy_headers=bool(settings.trusted_proxies),
    )
    if workers == 1:
        _run_one(config, lambda: _greet(host, port, key, demo))
    else:
        assemble(settings).close()  # what cannot work is said here, once: workers that end are started again without end
        sock = config.bind_socket()
        _greet(host, port, key, demo)
        Multiprocess(config, sockets=[sock]).run()


def _connection_bounds(settings: Settings) -> ConnectionBounds:
    return ConnectionBounds(
        request_line=settings.max_request_line_bytes,
        header=settings.max_header_bytes,
        head=settings.max_head_bytes,
        headers=settings.max_headers,
        head_timeout_s=settings.head_timeout_s,
        connections=settings.max_connections,
        connections_per_address=settings.max_connections_per_address,
        trusted_proxies=settings.trusted_proxies,
        send_timeout_s=settings.send_timeout_s,
    )


class _Announced(uvicorn.Server):
    """Says that it is there when it is."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _run_one(config: uvicorn.Config, announce: Callable[[], None]) -> None:
    config.load_app()
    server = _Announced(config, announce)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # raised anew after a stop in good order; by a port that is taken, which is logged
        server.run()
    if not server.started:
        sys.exit(1)


def ensure_key(settings: Settings, host: str) -> str | None:
    """A key to show: the one that a first start made, while it is valid. On other addresses than loopback there must be one already.

    Raises:
        ConfigurationError: nobody could be told apart on a public address, or API_KEY is weak.
    """
    keys = open_keys(settings)
    if settings.api_key is not None:
        return None
    if keys.is_empty():
        if not is_loopback(host):
            raise ConfigurationError(f"{host} can be reached from outside and there is no key. Set API_KEY, or make one: fluxgate keys create.")
        key, _ = keys.create("first", list(Scope))
        _keep(settings.data_dir / FIRST_KEY, key)
    kept = stored_key(settings.data_dir)
    try:
        keys.check(kept)
    except Unauthorized:
        return None
    return kept


def _keep(path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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
