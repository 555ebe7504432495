"""`fluxgate jobs`: list, show, follow, cancel and retry jobs through a running gateway."""

import contextlib
import json
from typing import Annotated

import typer
from rich.table import Column, Table

from fluxgate_client.requests import Parameters
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, follow, job_path, progress_text, rate_text, summary
from service.console.plain_console import PlainConsole
from service.console.tables import print_table

_STATE = "Only this state: queued, running, succeeded, failed, cancelled; repeatable."
_SHOWN_MEMBERS = (
    "id",
    "kind",
    "state",
    "parameters",
    "created_at",
    "created_by",
    "schedule",
    "started_at",
    "finished_at",
    "next_try_at",
    "result",
)
cli = typer.Typer(help="Jobs.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(metavar="ID", help="The id, as `fluxgate jobs list` shows it.")]


@cli.command("list")
def list_jobs(
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    state: Annotated[list[str] | None, typer.Option(help=_STATE)] = None,
    limit: Annotated[int, typer.Option(help="Most jobs to list.", min=1, max=500)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    kinds, states = [("kind", name) for name in kind or ()], [("state", name) for name in state or ()]
    with contextlib.closing(open_transport(url, key)) as transport:
        jobs = get(transport, "/jobs", [*kinds, *states, ("limit", str(limit))])["jobs"]
    if as_json:
        typer.echo(json.dumps(jobs, indent=2))
        return
    table = Table(Column("id", no_wrap=True, min_width=20), "what", Column("state", no_wrap=True, min_width=9), "done")
    for job in jobs:
        progress = f"{progress_text(job)} {rate_text(job)}".strip()
        table.add_row(job["id"], summary(job), job["state"], progress)
    print_table(table)
    for job in jobs:
        if job["error"]:
            message = f"{job['id']}: {job['error']['message']}"
            PlainConsole(soft_wrap=True, highlight=False).print(message, style="red", markup=False)


@cli.command()
def show(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a job and the newest lines of its log."""
    with contextlib.closing(open_transport(url, key)) as transport:
        job = get(transport, job_path(job_id))
    if as_json:
        typer.echo(json.dumps(job, indent=2))
        return
    console = PlainConsole(soft_wrap=True, highlight=False)
    for name in _SHOWN_MEMBERS:
        if job[name] is not None:
            console.print(f"{name:12} {_value_text(job[name])}", markup=False)
    console.print(f"{'done':12} {progress_text(job)} {rate_text(job)}", markup=False)
    if job["error"]:
        console.print(f"{'error':12} {job['error']['message']}", style="red", markup=False)
        if job["error"]["upstream"]:
            console.print(f"{'upstream':12} {job['error']['upstream']}", style="red", markup=False)
    for line in job["log"]:
        console.print(f"{line['at']}  {line['level']:8}  {line['message']}", markup=False)


@cli.command()
def watch(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Follow a job until it ends. Exit code 1 when it does not succeed. `--json`: one event per line."""
    with contextlib.closing(open_transport(url, key)) as transport:
        state = follow(transport, job_id, as_json)
    if state != "succeeded":
        raise typer.Exit(1)


@cli.command()
def cancel(job_id: JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a job; a running one stops within seconds and keeps its checkpoint."""
    _post_and_print(url, key, job_path(job_id, "/cancel"), as_json)


@cli.command()
def retry(
    job_id: JobId,
    force: Annotated[bool, typer.Option("--force", help="Take a running job from its process.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Run a failed or cancelled job again, from its checkpoint."""
    _post_and_print(url, key, job_path(job_id, "/retry"), as_json, [("force", "true")] if force else [])


def _value_text(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _post_and_print(url: str | None, key: str | None, path: str, as_json: bool, parameters: Parameters = ()) -> None:
    with contextlib.closing(open_transport(url, key)) as transport:
        job = post(transport, path, parameters)
    note = " (asked to end)" if job["state"] == "running" and job["cancel_requested"] else ""
    typer.echo(json.dumps(job, indent=2) if as_json else f"{job['id']} {job['state']}{note}")
