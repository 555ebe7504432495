"""`fluxgate gaps`: which series of a bucket have no points for longer than expected, through a running gateway."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from fluxgate_client.requests import bucket_path
from service.commands.read import tag_pairs
from service.console.connection import Key, Url, get, open_transport
from service.console.jobs import AsJson
from service.console.plain_console import PlainConsole
from service.console.tables import print_table

GAPS_FOUND = 3
"""The exit code of `--check` when a series has a gap or is silent."""


def gaps(
    bucket: Annotated[str, typer.Argument(help="Its name, as it is.")],
    window: Annotated[str | None, typer.Option(help="How far back from now, like 7d.")] = None,
    start: Annotated[str | None, typer.Option(help="Start of the range, RFC 3339.")] = None,
    stop: Annotated[str | None, typer.Option(help="End of the range, exclusive.")] = None,
    expect: Annotated[
        str | None, typer.Option(help="How far apart points may be, like 1m. Default: what each series usually does.")
    ] = None,
    known: Annotated[
        str | None, typer.Option(help="How far before the range a series may have had its last point, to be missed.")
    ] = None,
    measurement: Annotated[list[str] | None, typer.Option(help="Only this measurement; repeatable.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only series with KEY=VALUE; repeatable.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit code 3 when a series has a gap or is silent.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show the gaps of each series of a bucket, and which are silent now."""
    simple = {"window": window, "start": start, "stop": stop, "expect": expect, "known": known}
    parameters = [(name, value) for name, value in simple.items() if value is not None]
    parameters += [("measurement", name) for name in measurement or ()] + [("field", name) for name in field or ()]
    parameters += [(f"tag.{name}", value) for name, values in tag_pairs(tag or []).items() for value in values]
    with open_transport(url, key) as transport:
        answer = get(transport, bucket_path(bucket, "/gaps"), parameters)
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _print(answer)
    if check and any(series["silent"] or series["gap_count"] for series in answer["series"]):
        raise typer.Exit(GAPS_FOUND)


def _print(answer: dict[str, Any]) -> None:
    table = Table("series", "field", "points", "covered", "gaps", "longest", "last point", "now")
    for series in answer["series"]:
        tags = "".join(f", {name}={value}" for name, value in series["tags"].items())
        longest = max((gap["seconds"] for gap in series["gaps"]), default=None)
        table.add_row(
            f"{series['measurement']}{tags}",
            series["field"],
            f"{series['points']:,}",
            "?" if series["covered"] is None else f"{100 * series['covered']:.2f} %",
            str(series["gap_count"]),
            "" if longest is None else length_text(longest),
            series["last"] or "before the range",
            {True: "SILENT", False: "", None: "?"}[series["silent"]],
        )
    print_table(table)
    console = PlainConsole(markup=False, highlight=False)
    console.print(
        f"{len(answer['series'])} series from {answer['start']} to {answer['stop']}, {answer['silent']} of them silent",
        soft_wrap=True,
    )
    if not answer["series"]:
        advice = "A longer --window looks further back."
        console.print(f"No series has a point in this range or shortly before it. {advice}", soft_wrap=True)


def length_text(seconds: float) -> str:
    """A length of time in its two largest units, such as `2d 3h` or `45s`."""
    whole = round(seconds)
    if whole < 1:
        return f"{seconds:.3g}s"
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
