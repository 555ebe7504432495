"""A job followed to its end, and how far it is in a few words."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from fluxgate_client import AnswerBroken, GatewayUnreachable
from fluxgate_client.requests import Request, segment
from fluxgate_client.transport import Transport

Json = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
ENDS = ("succeeded", "failed", "cancelled")
_RECONNECT_S = 1.0
_MOST_RECONNECTS = 60


def follow(transport: Transport, job_id: str, as_json: bool = False) -> str:
    """Show a job's events until it ends, with a bar on a terminal; its last state.

    For every command that waits for a job.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("queued", total=None, told="")
        state = ""
        for name, event in events(transport, job_id):
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


def events(transport: Transport, job_id: str) -> Iterator[tuple[str, Json]]:
    """Name and data of each event; the connection is made again where it broke, and nothing is told twice.

    Raises GatewayUnreachable when it stays broken.
    """
    last, broken = "", 0
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            request = Request("GET", job_path(job_id, "/events"), headers=headers, repeatable=False)
            with transport.stream(request) as response:
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


def job_path(job_id: str, rest: str = "") -> str:
    return f"/jobs/{segment(job_id)}{rest}"


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
