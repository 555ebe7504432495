"""`fluxgate serve`: runs the service. Once it can be reached, it prints addresses, a key and first commands."""

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, cast

import structlog
import typer
import uvicorn
from rich.console import Console
from uvicorn.supervisors import Multiprocess

from service.app import configure_logs, start_buckets
from service.commands.banner import FirstKey, banner, store_line
from service.commands.near_names import warn_of_near_names
from service.console.connection import FIRST_KEY, is_loopback, stored_key
from service.domain.access import Scope
from service.errors import ConfigurationError, Unauthorized
from service.server.bounds import ConnectionBounds
from service.server.connections import Connections
from service.server.protocol import BoundedProtocol
from service.settings import Settings, load_settings
from service.wiring import assemble, open_keys

_log = structlog.get_logger(__name__)
_DEMO = "Fill an empty embedded store with demo data and keep a simulated sensor writing."


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[
        int,
        typer.Option(help="Number of processes; more than one needs InfluxDB as the store.", min=1),
    ] = 1,
    demo: Annotated[bool, typer.Option("--demo", help=_DEMO)] = False,
) -> None:
    """Run the service with the settings of the environment and .env."""
    settings = load_settings()
    warn_of_near_names()
    configure_logs(settings)
    if settings.influxdb_url is None and workers > 1:
        raise ConfigurationError("The embedded store belongs to one process. Use --workers 1, or set INFLUXDB_URL.")
    if demo and settings.influxdb_url is not None:
        raise ConfigurationError("--demo fills the embedded store, but INFLUXDB_URL is set. Leave one of them out.")
    if workers > 1 and settings.redis_url is None:
        _keep_nothing_for_long(settings)
    key = ensure_key(settings, host)
    if demo:
        os.environ["FLUXGATE_DEMO"] = "1"
    protocol = partial(BoundedProtocol, bounds=_connection_bounds(settings), register=Connections())
    config = uvicorn.Config(
        "service.app:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=cast(type[BoundedProtocol], protocol),
        ws="none",
        timeout_keep_alive=settings.keep_alive_s,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
        forwarded_allow_ips=list(settings.trusted_proxies),
        proxy_headers=bool(settings.trusted_proxies),
    )
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    first_key = None if key is None else FirstKey(key, settings.data_dir / FIRST_KEY)
    lines = banner(url, store_line(settings), first_key, sys.stderr.isatty(), demo)
    if workers == 1:
        _run_in_process(config, partial(_print_welcome, lines))
    else:
        # A wrong setting is reported here, once. A worker that fails to start would be started again for ever.
        parts = assemble(settings)
        start_buckets(parts, settings).stop()
        parts.close()
        sock = config.bind_socket()
        _print_welcome(lines)
        Multiprocess(config, sockets=[sock]).run()


def _keep_nothing_for_long(settings: Settings) -> None:
    """Tell workers to keep no windows, which last for hours, and to serve no stale answers.

    Without Redis, none of them learns of a write that another one took.
    """
    reason = "because several workers need REDIS_URL to tell each other of writes"
    if settings.cache_windows:
        os.environ["CACHE_WINDOWS"] = "false"
        _log.info(f"windows are not kept, {reason}")
    if settings.cache_stale_s:
        os.environ["CACHE_STALE_S"] = "0"
        _log.info(f"no stale answer is served, {reason}")


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


class _AnnouncingServer(uvicorn.Server):
    """Calls `announce` once the server accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _run_in_process(config: uvicorn.Config, announce: Callable[[], None]) -> None:
    config.load_app()
    server = _AnnouncingServer(config, announce)
    # uvicorn raises KeyboardInterrupt again after a clean stop, and SystemExit for a port in use, which it has logged.
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        server.run()
    if not server.started:
        sys.exit(1)


def ensure_key(settings: Settings, host: str) -> str | None:
    """Return the key of the first start while it is valid, and create it at the first start on a loopback address.

    Raises:
        ConfigurationError: the address is public and there is no key, or API_KEY is weak.
    """
    keys = open_keys(settings)
    if settings.api_key is not None:
        return None
    if keys.is_empty():
        if not is_loopback(host):
            finding = f"{host} can be reached from outside and there is no key."
            raise ConfigurationError(f"{finding} Set API_KEY, or make one: fluxgate keys create --init.")
        first_key, _ = keys.create("first", list(Scope))
        _write_key(settings.data_dir / FIRST_KEY, first_key)
    key = stored_key(settings.data_dir)
    try:
        keys.check(key)
    except Unauthorized:
        return None
    return key


def _write_key(path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    part.touch(mode=0o600)
    part.write_text(f"{key}\n")
    part.replace(path)


def _print_welcome(lines: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(lines, markup=False)
