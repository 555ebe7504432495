"""`fluxgate schema`: what a bucket holds, through a running gateway."""

import json
from typing import Annotated

import typer
from rich.table import Table

from service.console.connection import Key, Url, open_gateway
from service.console.jobs import AsJson
from service.console.tables import print_table


def schema(
    bucket: Annotated[str, typer.Argument(help="Its name, as it is.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the measurements of a bucket, with their tags and fields."""
    with open_gateway(url, key) as gateway:
        document = gateway.schema(bucket)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    table = Table("measurement", "tags", "field", "type")
    for measurement in document["measurements"]:
        names = measurement["name"], ", ".join(measurement["tags"])
        for number, field in enumerate(measurement["fields"]):
            table.add_row(*(names if number == 0 else ("", "")), field["name"], ", ".join(field["types"]))
    print_table(table)
