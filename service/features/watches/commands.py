"""`fluxgate watches`: look at the series of a watch now, and list watches, through a running gateway."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from fluxgate_client.transport import Transport
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, run_job
from service.console.plain_console import PlainConsole
from service.console.tables import print_table
from service.console.times import minute_text
from service.domain.series import series_text
from service.features.watches import SUMMARY

cli = typer.Typer(help=SUMMARY, no_args_is_help=True)


@cli.command()
def run(
    watch: Annotated[str, typer.Argument(help="The name of the watch.")],
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only order it.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Look now, and wait for it. Exit code 1 when the look failed, or the webhook did not take a notice."""

    def order(transport: Transport) -> dict[str, Any]:
        return post(transport, f"/watches/{quote(watch, safe='')}/run")

    run_job(url, key, order, as_json, no_wait)


@cli.command("list")
def list_watches(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the watches with their silent series."""
    with open_transport(url, key) as transport:
        watches = get(transport, "/watches")["watches"]
    if as_json:
        typer.echo(json.dumps(watches, indent=2))
        return
    _show(watches)


def _show(watches: list[dict[str, Any]]) -> None:
    console = PlainConsole(soft_wrap=True, highlight=False, markup=False)
    if not watches:
        console.print("No watch is configured. PUT /config/watches makes one.", style="yellow")
        return
    table = Table("watch", "bucket", "expect", "series", "silent", "last look", "waiting")
    for watch in watches:
        numbers = (str(watch["series"]), str(watch["silent"]))
        looked = minute_text(watch["last_look"]) or "never"
        waiting = str(watch["notices_waiting"]) if watch["has_webhook"] else "no webhook"
        table.add_row(watch["name"], watch["bucket"], watch["expect"], *numbers, looked, waiting)
    print_table(table)
    for watch in watches:
        for series in watch["silent_series"]:
            name = series_text(series["measurement"], series["tags"])
            console.print(f"{watch['name']}: {name} is silent since {series['since']}")
        if watch["silent"] > len(watch["silent_series"]):
            console.print(f"{watch['name']}: and {watch['silent'] - len(watch['silent_series'])} more")
        if watch["last_error"]:
            console.print(f"{watch['name']}: {watch['last_error']}", style="red")
