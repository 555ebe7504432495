"""`fluxgate jobs`: see, follow, cancel and retry jobs through a running gateway."""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from fluxgate_client import AnswerBroken, GatewayUnreachable
from fluxgate_client.requests import Parameters, Request, segment
from fluxgate_client.transport import Transport
from service.commands.connection import Key, Url, get, post, wire

cli = typer.Typer(help="Jobs.", no_args_is_help=True)
Json = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The id, as `fluxgate jobs list` shows it.")]
ENDS = ("succeeded", "failed", "cancelled")
_RECONNECT_S = 1.0
_MOST_RECONNECTS = 60


@cli.command("list")
def list_jobs(
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only this state: queued, running, succeeded, failed, cancelled; repeatable.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=500)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    chosen = [("kind", one) for one in kind or ()] + [("state", one) for one in state or ()] + [("limit", str(limit))]
    with contextlib.closing(wire(url, key)) as link:
        found = get(link, "/jobs", chosen)["jobs"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(Column("id", no_wrap=True, min_width=20), "what", Column("state", no_wrap=True, min_width=9), "done")
    for one in found:
        table.add_row(one["id"], what(one), one["state"], f"{done(one)} {rate(one)}".strip())
    Console().print(table)
    for one in found:
        if one["error"]:
            Console(soft_wrap=True, highlight=False).print(f"{one['id']}: {one['error']['message']}", style="red", markup=False)


@cli.command()
def show(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a job and the end of its log."""
    with contextlib.closing(wire(url, key)) as link:
        found = get(link, path_of(job_id))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for name in ("id", "kind", "state", "parameters", "created_at", "created_by", "schedule", "started_at", "finished_at", "next_try_at", "result"):
        if found[name] is not None:
            console.print(f"{name:12} {_shown(found[name])}", markup=False)
    console.print(f"{'done':12} {done(found)} {rate(found)}", markup=False)
    if found["error"]:
        console.print(f"{'error':12} {found['error']['message']}", style="red", markup=False)
        if found["error"]["upstream"]:
            console.print(f"{'upstream':12} {found['error']['upstream']}", style="red", markup=False)
    for line in found["log"]:
        console.print(f"{line['at']}  {line['level']:8}  {line['message']}", markup=False)


@cli.command()
def watch(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Follow a job until it ends. Exit code 1 when it did not succeed. `--json`: one event a line."""
    with contextlib.closing(wire(url, key)) as link:
        state = follow(link, job_id, as_json)
    if state != "succeeded":
        raise typer.Exit(1)


@cli.command()
def cancel(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a job; a running one stops within seconds and keeps its checkpoint."""
    _changed(url, key, path_of(job_id, "/cancel"), as_json)


@cli.command()
def retry(
    job_id: JobId,
    force: Annotated[bool, typer.Option("--force", help="Take a running job from its process.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Run a failed or cancelled job again, from its checkpoint."""
    _changed(url, key, path_of(job_id, "/retry"), as_json, [("force", "true")] if force else [])


def follow(link: Transport, job_id: str, as_json: bool = False) -> str:
    """Show a job's events until it ends, with a bar on a terminal; its last state. For every command that waits for a job."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("queued", total=None, told="")
        state = ""
        for name, event in events(link, job_id):
            if as_json:
                typer.echo(json.dumps({"event": name, **event}))
            elif name == "log":
                bar.console.print(f"{event['at']}  {event['level']:8}  {event['message']}", markup=False)
            if name == "job":
                state, progress = event["state"], event["progress"] or {}
                told = f"{done(event)} {rate(event)}"
                bar.update(task, description=state, completed=progress.get("done", 0), total=progress.get("total"), told=told)
                if state in ENDS:
                    break
    if not as_json:
        typer.echo(f"{job_id} {state}")
    return state


def events(link: Transport, job_id: str) -> Iterator[tuple[str, Json]]:
    """Name and data of each event; the link is made again where it broke, and nothing is told twice.

    Raises GatewayUnreachable when it stays broken.
    """
    last, broken = "", 0
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            request = Request("GET", path_of(job_id, "/events"), headers=headers, repeatable=False)
            with link.stream(request) as response:
                for event_id, name, data in parsed(response.iter_lines()):
                    last, broken = event_id or last, 0
                    yield name, json.loads(data)
            return
        except (AnswerBroken, GatewayUnreachable):
            broken += 1
            if not last or broken > _MOST_RECONNECTS:
                raise
            time.sleep(_RECONNECT_S)


def parsed(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Id, name and data of each server-sent event; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield fields.get("id", ""), fields.get("event", "message"), fields["data"]
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value


def path_of(job_id: str, rest: str = "") -> str:
    return f"/jobs/{segment(job_id)}{rest}"


def what(job: Json) -> str:
    """Its kind, the name of what it is about, and what it was asked to do: `mirror plant (verify)`."""
    name = job["parameters"].get(job["kind"])
    switches = ", ".join(switch.replace("_", " ") for switch, value in job["parameters"].items() if value is True)
    return " ".join([job["kind"], *([name] if isinstance(name, str) else []), *([f"({switches})"] if switches else [])])


def _shown(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def done(job: Json) -> str:
    """How far it is, in a few words."""
    progress = job["progress"]
    if progress is None:
        return ""
    whole = "" if progress["total"] is None else f"/{progress['total']:,}"
    return f"{progress['done']:,}{whole} {progress['unit']}"


def rate(job: Json) -> str:
    progress = job["progress"] or {}
    parts = []
    if progress.get("rate_per_s"):
        parts.append(f"{progress['rate_per_s']:,.4g}/s")
    if job["state"] == "running" and progress.get("eta_s") is not None:
        parts.append(f"{_hours_minutes_seconds(progress['eta_s'])} left")
    return ", ".join(parts)


def _hours_minutes_seconds(seconds: float) -> str:
    whole = int(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _changed(url: str | None, key: str | None, path: str, as_json: bool, parameters: Parameters = ()) -> None:
    with contextlib.closing(wire(url, key)) as link:
        job = post(link, path, parameters)
    asked = " (asked to end)" if job["state"] == "running" and job["cancel_requested"] else ""
    typer.echo(json.dumps(job, indent=2) if as_json else f"{job['id']} {job['state']}{asked}")
