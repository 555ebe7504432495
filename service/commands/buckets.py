"""`fluxgate buckets`: list buckets, create those of a file, or apply a file, through a running gateway."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fluxgate_client import Gateway
from service.config.bucket_file import read_bucket_file
from service.console.connection import Key, Url, open_gateway
from service.console.jobs import AsJson
from service.console.tables import print_table
from service.domain.bucket_specs import differences, parse_retention, retention_text
from service.domain.schema import Bucket, BucketSpec
from service.errors import InvalidBody

cli = typer.Typer(help="Buckets.", no_args_is_help=True)
_FILE_HELP = 'A JSON list: [{"name": ..., "description": ..., "retention": "30d"}].'


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
    print_table(table)


@cli.command()
def create(
    file: Annotated[Path, typer.Argument(help=_FILE_HELP)],
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


@cli.command()
def apply(
    file: Annotated[Path, typer.Argument(help=_FILE_HELP)],
    update: Annotated[
        bool,
        typer.Option("--update", help="Give existing buckets the description and retention of the file."),
    ] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Create the buckets of a file, and say how existing ones differ from it.

    With --update existing buckets are changed. A shorter retention ends points that are older, for good.
    """
    specs = read_bucket_file(file)
    if not specs:
        typer.echo(f"{file} names no bucket.")
        return
    with open_gateway(url, key) as gateway:
        existing = set(gateway.create_buckets([_document(spec) for spec in specs])["existing"])
        present = {bucket["name"]: bucket for bucket in gateway.buckets()} if existing else {}
        for spec in specs:
            if spec.name in existing:
                _show_existing(gateway, spec, present, update)
            else:
                typer.echo(f"created   {spec.name}")


def _show_existing(gateway: Gateway, spec: BucketSpec, present: Mapping[str, Any], update: bool) -> None:
    """Say how the bucket differs from `spec`, and change it when `update` is set."""
    changes = _differences(spec, present[spec.name]) if spec.name in present else []
    if not changes:
        typer.echo(f"existing  {spec.name}")
    elif update:
        gateway.update_bucket(spec.name, description=spec.description, retention=_document(spec)["retention"])
        typer.echo(f"updated   {spec.name}: {'; '.join(changes)}")
    else:
        typer.echo(f"differs   {spec.name}: {'; '.join(changes)}. --update changes it.")


def _differences(spec: BucketSpec, bucket: Mapping[str, Any]) -> Sequence[str]:
    retention_ns = parse_retention(bucket["retention"])
    return differences(spec, Bucket(bucket["name"], bucket["description"], retention_ns, shard_ns=0))


def _document(spec: BucketSpec) -> dict[str, str | None]:
    retention = retention_text(spec.retention_ns) if spec.retention_ns else None
    return {"name": spec.name, "description": spec.description, "retention": retention}
