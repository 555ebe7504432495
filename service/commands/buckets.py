"""`fluxgate buckets`: list them, or make those of a file, through a running gateway."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.console.connection import Key, Url, open_gateway
from service.errors import InvalidBody

cli = typer.Typer(help="Buckets.", no_args_is_help=True)


@cli.command("list")
def list_buckets(url: Url = None, key: Key = None, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """List the buckets that the key may see."""
    with open_gateway(url, key) as gateway:
        found = gateway.buckets()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("name", "description", "retention", "last point")
    for one in found:
        table.add_row(one["name"], one["description"], one["retention"] or "for ever", one["last_point"] or one.get("note") or "empty")
    Console().print(table)


@cli.command()
def create(
    file: Annotated[Path, typer.Argument(help='A JSON list: [{"name": ..., "description": ..., "retention": "30d"}].')],
    url: Url = None,
    key: Key = None,
) -> None:
    """Make the buckets of a file. Those that are there already are left alone and reported."""
    try:
        wanted = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as broken:
        raise InvalidBody(f"{file} is no JSON ({broken}). Write a list of objects with name, description and retention.") from None
    with open_gateway(url, key) as gateway:
        made = gateway.create_buckets(wanted)
    for name in made["created"]:
        typer.echo(f"created   {name}")
    for name in made["existing"]:
        typer.echo(f"existing  {name}")
