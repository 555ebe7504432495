"""`fluxgate mirror`: run, see and verify mirrors through a running gateway."""

import contextlib
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from fluxgate_client.requests import segment
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, follow, job_path

cli = typer.Typer(help="Mirrors.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="MIRROR", help="Its name, as `fluxgate mirror list` shows it.")]
Bucket = Annotated[str | None, typer.Option(help="Only this bucket of the source.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it to its end; exit code 1 when it did not succeed.")]


@cli.command()
def run(
    name: Annotated[str | None, typer.Argument(metavar="[MIRROR]", help="The mirror; absent: all of them.")] = None,
    bucket: Bucket = None,
    start: Annotated[str | None, typer.Option(help="Only from this moment on (RFC 3339), with --stop.")] = None,
    stop: Annotated[str | None, typer.Option(help="Only before this moment.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be copied and removed, and change nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Try once more what the target refused before.")] = False,
    wait: Wait = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Run a mirror now."""
    given = {"mirror": name, "bucket": bucket, "start": start, "stop": stop, "dry_run": dry_run, "again": again}
    order = {member: value for member, value in given.items() if value not in (None, False)}
    with contextlib.closing(open_transport(url, key)) as transport:
        ordered = post(transport, "/mirror/trigger", body=order)["jobs"]
        if not (wait or dry_run):
            typer.echo(json.dumps(ordered, indent=2) if as_json else "\n".join(f"{job['id']} {job['state']}" for job in ordered))
            return
        states = [follow(transport, job["id"], as_json) for job in ordered]
        if dry_run:
            for job in ordered:
                typer.echo(json.dumps(get(transport, job_path(job["id"]))["result"], indent=2))
    if any(state != "succeeded" for state in states):
        raise typer.Exit(1)


@cli.command()
def verify(name: Name, bucket: Bucket = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Read both sides fully and compare digests. Exit code 0 only when they are equal."""
    limited = [] if bucket is None else [("bucket", bucket)]
    with contextlib.closing(open_transport(url, key)) as transport:
        job = post(transport, f"/mirror/{segment(name)}/verify", limited)
        state = follow(transport, job["id"], as_json)
        result = get(transport, job_path(job["id"]))["result"] if state == "succeeded" else None
    if result is None:
        raise typer.Exit(1)
    typer.echo(json.dumps(result, indent=2) if as_json else _verdict(result))
    if not result["equal"]:
        raise typer.Exit(1)


@cli.command("list")
def list_mirrors(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List mirrors, with what is known of their buckets."""
    with contextlib.closing(open_transport(url, key)) as transport:
        found = get(transport, "/mirror")["mirrors"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(*(Column(name, overflow="fold") for name in ("mirror", "bucket")), "slices", "points", "last success", "next run")
    for mirror in found:
        for pair in mirror["pairs"] or [None]:
            table.add_row(mirror["name"], *_cells(pair), _short(mirror["next_run"]) or "by hand")
    Console().print(table)
    for mirror in found:
        if mirror["last_error"]:
            Console(soft_wrap=True, highlight=False).print(f"{mirror['name']}: {mirror['last_error']}", style="red", markup=False)


def _cells(pair: dict[str, Any] | None) -> list[str]:
    if pair is None:
        return ["", "", "", "never"]
    told = [f"{count} {state}" for state, count in pair["slices"].items() if count]
    rejected = f", {pair['rejected']:,} rejected" if pair["rejected"] else ""
    return [pair["source"], ", ".join(told), f"{pair['equal_points']:,}{rejected}", _short(pair["last_success"]) or "never"]


def _short(time: str | None) -> str:
    """To the minute, UTC."""
    return "" if time is None else f"{time[:10]} {time[11:16]}Z"


def _verdict(result: dict[str, Any]) -> str:
    lines = []
    for pair in result["pairs"]:
        if pair["target_lacks_bucket"]:
            lines.append(f"{pair['source']} -> {pair['target']}: DIFFERENT, the target has no such bucket")
            continue
        told = "equal" if pair["equal"] else f"DIFFERENT in {pair['different']} slices: {', '.join(pair['differing'][:5])}"
        lines.append(f"{pair['source']} -> {pair['target']}: {pair['points']:,} points in {pair['slices']} slices, {told}")
    return "\n".join(lines)
