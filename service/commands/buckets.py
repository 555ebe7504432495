"""`fluxgate buckets`: list buckets, or create those of a file, through a running gateway."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.console.connection import Key, Url, open_gateway
from service.console.jobs import AsJson
from service.errors import InvalidBody

cli = typer.Typer(help="Buckets.", no_args_is_help=True)


@cli.command("list")
def list_buckets(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the buckets that the key may see."""
    with open_gateway(url, key) as gateway:
        buckets = gateway.buckets()
    if as_json:
        typer.echo(json.dumps(buckets, indent=2))
        return
    table = Table("name", "description", "retention", "last point")
    for bucket in buckets:
        newest = bucket["last_point"] or bucket.get("note") or "empty"
        table.add_row(bucket["name"], bucket["description"], bucket["retention"] or "for ever", newest)
    Console(markup=False, highlight=False).print(table)


@cli.command()
def create(
    file: Annotated[Path, typer.Argument(help='A JSON list: [{"name": ..., "description": ..., "retention": "30d"}].')],
    url: Url = None,
    key: Key = None,
) -> None:
    """Create the buckets of a file. Existing buckets are reported and not changed."""
    try:
        buckets = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as broken:
        finding = f"{file} is no JSON ({broken})."
        raise InvalidBody(f"{finding} Write a list of objects with name, description and retention.") from None
    with open_gateway(url, key) as gateway:
        result = gateway.create_buckets(buckets)
    for name in result["created"]:
        typer.echo(f"created   {name}")
    for name in result["existing"]:
        typer.echo(f"existing  {name}")
