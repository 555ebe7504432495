"""`fluxgate weather`: fetch the weather of configured places, and list them, through a running gateway."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from fluxgate_client.transport import Transport
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, run_job
from service.console.plain_console import PlainConsole
from service.console.tables import print_table
from service.console.times import minute_text
from service.features.weather import SUMMARY

cli = typer.Typer(help=SUMMARY, no_args_is_help=True)


@cli.command()
def fetch(
    place: Annotated[str | None, typer.Argument(metavar="[PLACE]", help="The place. Default: all places.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only order it.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the weather now, and wait for it. Exit code 1 when that of a place could not be fetched."""

    def order(transport: Transport) -> dict[str, Any]:
        return post(transport, "/weather/trigger", body={} if place is None else {"place": place})

    run_job(url, key, order, as_json, no_wait)


@cli.command("list")
def list_places(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the places, with when the weather of each was fetched last."""
    with open_transport(url, key) as transport:
        weather = get(transport, "/weather")
    if as_json:
        typer.echo(json.dumps(weather, indent=2))
        return
    _show(weather)


def _show(weather: dict[str, Any]) -> None:
    console = PlainConsole(soft_wrap=True, highlight=False)
    if weather["provider"] is None:
        console.print("There is no key: set OPENWEATHERMAP_API_KEY.", style="yellow", markup=False)
    table = Table("place", "north", "east", "last success", "weather of")
    for place in weather["places"]:
        degrees = (f"{place['latitude']:g}", f"{place['longitude']:g}")
        fetched, observed = minute_text(place["last_success"]), minute_text(place["observed_at"])
        table.add_row(place["name"], *degrees, fetched or "never", observed)
    print_table(table)
    if not weather["places"]:
        advice = "PUT /config/weather or WEATHER_PLACES makes one, or set LATITUDE and LONGITUDE."
        console.print(f"No place is configured. {advice}", style="yellow", markup=False)
    every = weather["every"] or "never"
    console.print(
        f"every {every} into {weather['bucket']!r}; next {minute_text(weather['next_run']) or 'by hand'}", markup=False
    )
    for place in weather["places"]:
        if place["last_error"]:
            console.print(f"{place['name']}: {place['last_error']}", style="red", markup=False)
