"""Follows a job to its end, and shows its progress in a few words."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

from fluxgate_client import AnswerBroken, GatewayUnreachable
from fluxgate_client.requests import Request, segment
from fluxgate_client.transport import Transport
from service.console.connection import get, open_transport
from service.console.plain_console import PlainConsole

Json = dict[str, Any]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
END_STATES = ("succeeded", "failed", "cancelled")
_RECONNECT_S = 1.0
_MOST_RECONNECTS = 60
_LONGEST_WITHOUT_WORKER_S = 60


def order_job(url: str | None, key: str | None, order: Callable[[Transport], Json], as_json: bool) -> None:
    """Make a job with `order`, and print its id and state. Nobody waits for its end."""
    with open_transport(url, key) as transport:
        job = order(transport)
    typer.echo(json.dumps(job, indent=2) if as_json else f"{job['id']} {job['state']}")


def result_of(url: str | None, key: str | None, order: Callable[[Transport], Json], as_json: bool) -> Json:
    """The result of the job that `order` makes, once it has ended; it is not printed.

    Exits with 1 when the job does not succeed.
    """
    with open_transport(url, key) as transport:
        job = order(transport)
        if follow(transport, job["id"], as_json) != "succeeded":
            raise typer.Exit(1)
        return dict(get(transport, job_path(job["id"]))["result"])


def run_job(url: str | None, key: str | None, order: Callable[[Transport], Json], as_json: bool, no_wait: bool) -> None:
    """As `order_job` with `no_wait`, else as `result_of`, for jobs whose events say all there is to say."""
    if no_wait:
        order_job(url, key, order, as_json)
    else:
        result_of(url, key, order, as_json)


def follow(transport: Transport, job_id: str, as_json: bool = False) -> str:
    """Show the events of a job until it ends, with a progress bar on a terminal. Return its last state.

    It also returns, with `queued`, when no worker has been alive for a minute: the job stays queued.
    """
    console = PlainConsole(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[progress]}"))
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"job {job_id} queued", total=None, progress="")
        state = ""
        for name, event in events(transport, job_id):
            if as_json:
                typer.echo(json.dumps({"event": name, **event}))
            elif name == "log":
                bar.console.print(f"{event['at']}  {event['level']:8}  {event['message']}", markup=False)
            if name == "job":
                state, progress = event["state"], event["progress"] or {}
                text = f"{progress_text(event)} {rate_text(event)}"
                done, total = progress.get("done", 0), progress.get("total")
                description = f"{summary(event)} {state}, job {job_id}"
                bar.update(task, description=description, completed=done, total=total, progress=text)
                if state in END_STATES:
                    break
            if name == "warning":
                bar.console.print(event["message"], style="yellow", markup=False)
                if event["waited_s"] >= _LONGEST_WITHOUT_WORKER_S:
                    command = f"fluxgate jobs watch {job_id}"
                    bar.console.print(f"The job stays queued. Once a worker runs, follow it: {command}", markup=False)
                    break
    if not as_json:
        typer.echo(f"{job_id} {state}")
    return state


def events(transport: Transport, job_id: str) -> Iterator[tuple[str, Json]]:
    """Name and data of each event. A broken connection is opened again, and no event is repeated.

    Raises GatewayUnreachable or AnswerBroken when the connection stays broken.
    """
    last_id, failures = "", 0
    while True:
        try:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            request = Request("GET", job_path(job_id, "/events"), headers=headers, repeatable=False)
            with transport.stream(request) as response:
                for event_id, name, data in parse_events(response.iter_lines()):
                    last_id, failures = event_id or last_id, 0
                    yield name, json.loads(data)
            return
        except (AnswerBroken, GatewayUnreachable):
            failures += 1
            if not last_id or failures > _MOST_RECONNECTS:
                raise
            time.sleep(_RECONNECT_S)


def parse_events(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Id, name and data of each server-sent event. Comments are skipped."""
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


def summary(job: Json) -> str:
    """The kind of the job, its subject and its switches, such as `census plants (dry run)`."""
    name = job["parameters"].get(job["kind"])
    switches = ", ".join(switch.replace("_", " ") for switch, value in job["parameters"].items() if value is True)
    return " ".join([job["kind"], *([name] if isinstance(name, str) else []), *([f"({switches})"] if switches else [])])


def job_path(job_id: str, rest: str = "") -> str:
    """The path of a job, with `rest` appended."""
    return f"/jobs/{segment(job_id)}{rest}"


def progress_text(job: Json) -> str:
    """How much of the job is done, such as `120/400 slices`; empty when that is unknown."""
    progress = job["progress"]
    if progress is None:
        return ""
    total = "" if progress["total"] is None else f"/{progress['total']:,}"
    return f"{progress['done']:,}{total} {progress['unit']}"


def rate_text(job: Json) -> str:
    """The rate of the job and the time left, as far as they are known."""
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
