"""`fluxgate keys`: create, list and revoke API keys directly in the state database."""

import datetime as dt
import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.console.jobs import AsJson
from service.console.tables import print_table
from service.domain.access import Scope
from service.domain.expiry import expiry
from service.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.state.keys import KeyRecord
from service.state.presence import is_made, shown
from service.wiring import open_keys, state_address

cli = typer.Typer(help="API keys.", no_args_is_help=True)


@cli.command()
def create(
    name: Annotated[str, typer.Option(help="Who or what the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="A scope of the key; repeatable.")],
    bucket: Annotated[
        list[str] | None,
        typer.Option(help="Only this bucket; repeatable; for read and write only. Default: every bucket."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="When the key expires: a duration (30d), a day (2027-01-01, in UTC), or an RFC 3339 time."),
    ] = None,
    init: Annotated[bool, typer.Option("--init", help="Make the state database when there is none yet.")] = False,
) -> None:
    """Create a key. It is printed once, on standard output; only its hash is stored."""
    expires_at = None if expires is None else expiry(expires, time.time())
    settings = load_settings()
    place = _place(settings, init)
    key, record = open_keys(settings).create(name, scope, bucket or (), expires_at)
    message = f"Key {record.id} for {name!r} in {place}. Keep it now: it is not shown again."
    Console(stderr=True, soft_wrap=True).print(message, markup=False, highlight=False)
    typer.echo(key)


def _place(settings: Settings, init: bool) -> str:
    """The state database that is written to.

    Raises ConfigurationError: there is none yet, and `init` does not allow one.
    """
    address = state_address(settings)
    place = shown(address)
    if not init and not is_made(address):
        raise ConfigurationError(
            f"There is no state database at {place}, so no gateway would know the key."
            " Say where the gateway has its own (DATA_DIR, STATE_DATABASE_URL), or make a new one with --init."
        )
    return place


@cli.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, without their secrets."""
    records = open_keys(load_settings()).list()
    if as_json:
        typer.echo(json.dumps([asdict(record) for record in records], indent=2))
        return
    identity = Column("id", no_wrap=True, min_width=8)
    table = Table(identity, "name", "scopes", "buckets", "created", "expires", "used", "state")
    for record in records:
        buckets = "all" if record.buckets is None else ", ".join(record.buckets)
        times = [_minute(moment) for moment in (record.created_at, record.expires_at, record.used_at)]
        table.add_row(record.id, record.name, _scopes(record), buckets, *times, record.state_at(time.time()))
    print_table(table)


@cli.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id, as `fluxgate keys list` shows it.")],
) -> None:
    """Revoke a key at once, with the keys that it made over HTTP."""
    for record in open_keys(load_settings()).revoke(key_id):
        typer.echo(f"Key {record.id} ({record.name}) is revoked.")


def _minute(moment: float | None) -> str:
    return "" if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%MZ")


def _scopes(record: KeyRecord) -> str:
    notes = dict.fromkeys(record.without_effect, " (without effect)")
    return ", ".join(f"{scope.value}{notes.get(scope, '')}" for scope in record.scopes)
