"""`fluxgate connector`: list, show, request, run, bookmark, resume and dead letters, through a running gateway."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.table import Table

from fluxgate_client.requests import Request, posted, segment
from fluxgate_client.transport import Transport
from service.console.connection import Key, Url, delete, get, open_transport, post
from service.console.jobs import AsJson, order_job, result_of
from service.console.plain_console import PlainConsole
from service.console.tables import print_table
from service.features.connector import SUMMARY

cli = typer.Typer(help=SUMMARY, no_args_is_help=True)
Name = Annotated[
    str, typer.Argument(metavar="CONNECTOR", help="The connector's name, as `fluxgate connector list` shows it.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it ends; exit code 1 when it does not succeed.")]
_PAGE = 10_000


@cli.command("list")
def list_connectors(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List connectors with bookmark, lag and what they sent."""
    with open_transport(url, key) as transport:
        connectors = get(transport, "/connector")["connectors"]
    if as_json:
        typer.echo(json.dumps(connectors, indent=2))
        return
    table = Table("connector", "state", "bookmark", "lag", "accepted", "dead letters")
    for entry in connectors:
        table.add_row(*_cells(entry))
    print_table(table)
    for entry in connectors:
        if problem := _problem(entry):
            sentence = f"{entry['name']}: {problem}"
            PlainConsole(soft_wrap=True, highlight=False).print(sentence, style="red", markup=False)


@cli.command()
def show(name: Name, url: Url = None, key: Key = None) -> None:
    """Show a connector as JSON."""
    with open_transport(url, key) as transport:
        typer.echo(json.dumps(get(transport, _path(name)), indent=2))


@cli.command()
def request(
    start: Annotated[str, typer.Option(help="Start of the range, RFC 3339.")],
    end: Annotated[str, typer.Option(help="End of the range, exclusive.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[CONNECTOR]", help="The connector. Default: `default`, or the only one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be sent, and send nothing.")] = False,
    wait: Wait = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Send a range to the upstream now. The bookmark of the schedule stays."""
    members = {"connector": name, "start_time": start, "end_time": end, "dry_run": dry_run}
    order = {member: value for member, value in members.items() if value not in (None, False)}
    _order(lambda transport: post(transport, "/connector/requests", body=order), url, key, wait or dry_run, as_json)


@cli.command()
def run(name: Name, wait: Wait = False, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Run a connector now, as its schedule would. Exit code 1 when it is stopped: then it would send nothing."""

    def order(transport: Transport) -> dict[str, Any]:
        entry = get(transport, _path(name))
        if entry["stopped"] is not None:
            typer.echo(f"The connector {name!r} is stopped: {_problem(entry)}", err=True)
            raise typer.Exit(1)
        return post(transport, _path(name, "/run"))

    _order(order, url, key, wait, as_json)


@cli.command()
def bookmark(
    name: Name,
    time: Annotated[
        str | None, typer.Argument(metavar="[TIME]", help="Where it goes on: an RFC 3339 time, or `now`.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin where the configuration says.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show the bookmark; with TIME or --reset, set it."""
    if time is not None and reset:
        raise typer.BadParameter("Give TIME or --reset, not both.")
    with open_transport(url, key) as transport:
        if time is None and not reset:
            shown = get(transport, _path(name))
        else:
            order = posted(_path(name, "/bookmark"), (), {"bookmark": None if reset else time})
            shown = json.loads(transport.fetch(replace(order, method="PUT")))
    typer.echo(shown["bookmark"] or "none")


@cli.command()
def resume(name: Name, url: Url = None, key: Key = None) -> None:
    """Let a connector run again that its upstream stopped."""
    with open_transport(url, key) as transport:
        typer.echo(post(transport, _path(name, "/resume"))["state"])


@cli.command("dead-letters")
def dead_letters(
    name: Name,
    clear: Annotated[bool, typer.Option("--clear", help="Remove them all.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print the values that the upstream refused, one JSON object per line."""
    path = _path(name, "/dead-letters")
    with open_transport(url, key) as transport:
        if clear:
            typer.echo(f"{delete(transport, path)['removed']} removed")
            return
        after = 0
        while lines := _page(transport, path, after):
            for line in lines:
                typer.echo(line)
            after = json.loads(lines[-1])["number"]


@cli.command()
def replay(name: Name, wait: Wait = False, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Send the refused values again, and remove those that the upstream accepts now."""
    _order(lambda transport: post(transport, _path(name, "/dead-letters/replay")), url, key, wait, as_json)


def _page(transport: Transport, path: str, after: int) -> list[str]:
    answer = transport.fetch(Request("GET", path, [("after", str(after)), ("limit", str(_PAGE))]))
    return answer.decode().splitlines()


def _order(
    order: Callable[[Transport], dict[str, Any]], url: str | None, key: str | None, wait: bool, as_json: bool
) -> None:
    """Order a job and say which, or follow it to its end and print its result. Exit code 1 when it does not succeed."""
    if wait:
        typer.echo(json.dumps(result_of(url, key, order, as_json), indent=2))
    else:
        order_job(url, key, order, as_json)


def _path(name: str, rest: str = "") -> str:
    return f"/connector/{segment(name)}{rest}"


def _cells(entry: dict[str, Any]) -> list[str]:
    bookmark = entry["bookmark"] or "none"
    lag = "" if entry["lag_s"] is None else f"{entry['lag_s']:,.0f} s"
    return [entry["name"], entry["state"], bookmark, lag, f"{entry['accepted']:,}", f"{entry['dead_letters']:,}"]


def _problem(entry: dict[str, Any]) -> str | None:
    stopped: dict[str, str] | None = entry["stopped"]
    error: str | None = entry["error"]
    last_error: str | None = entry["last_error"]
    if stopped is None:
        return error or entry.get("warning") or last_error
    return f"{stopped['message']} When that is done: fluxgate connector resume {shlex.quote(entry['name'])}"
