"""`fluxgate backup`: take and see backups through a running gateway. Exit codes: 0 complete, 3 partial, 1 failed."""

import contextlib
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from fluxgate_client.requests import segment
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, follow, job_path

cli = typer.Typer(help="Backups.", no_args_is_help=True)
PARTIAL = 3
"""The exit code of a backup in which something is missing."""
BackupId = Annotated[str, typer.Argument(metavar="ID", help="Its id, as `fluxgate backup list` shows it.")]


@cli.command()
def create(
    bucket: Annotated[list[str] | None, typer.Option(help="Only this bucket; repeatable.")] = None,
    start: Annotated[str | None, typer.Option(help="Only from this moment on (RFC 3339).")] = None,
    stop: Annotated[str | None, typer.Option(help="Only before this moment.")] = None,
    kind: Annotated[str, typer.Option(help="logical or physical.")] = "logical",
    comment: Annotated[str, typer.Option(help="Kept with the backup.")] = "",
    compare_values: Annotated[
        bool,
        typer.Option("--compare-values", help="Trust no count: compare every value with the backup before."),
    ] = False,
    seal_before: Annotated[str | None, typer.Option(help="Seal what is older, where it is proven.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only order it.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Back up now, and wait for the end."""
    members = {
        "buckets": bucket or None,
        "start": start,
        "stop": stop,
        "kind": kind,
        "comment": comment,
        "compare_values": compare_values,
        "seal_before": seal_before,
    }
    order = {name: value for name, value in members.items() if value not in (None, False, "")}
    with contextlib.closing(open_transport(url, key)) as transport:
        job = post(transport, "/backup/trigger", body=order)
        if no_wait:
            typer.echo(json.dumps(job, indent=2) if as_json else f"{job['id']} {job['state']}")
            return
        state = follow(transport, job["id"], as_json)
        result = get(transport, job_path(job["id"]))["result"] if state == "succeeded" else None
    if result is None:
        raise typer.Exit(1)
    typer.echo(json.dumps(result, indent=2) if as_json else _verdict(result))
    if result["state"] != "complete":
        raise typer.Exit(PARTIAL)


@cli.command("list")
def list_backups(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List backups, newest first, and how old the last good one of each bucket is."""
    with contextlib.closing(open_transport(url, key)) as transport:
        listing = get(transport, "/backups", [("limit", str(limit))])
    if as_json:
        typer.echo(json.dumps(listing, indent=2))
        return
    table = Table(Column("id", no_wrap=True, min_width=25), "state", "proven", "points", "size", "comment")
    for backup in listing["backups"]:
        table.add_row(*_cells(backup))
    console = Console(highlight=False)
    console.print(table)
    ages = Table(Column("bucket", overflow="fold"), "last complete", "last proven")
    for age in listing["buckets"]:
        ages.add_row(age["bucket"], age["last_complete_at"] or "never", age["last_proven_at"] or "never")
    console.print(ages)
    console.print(f"in {listing['place']}", markup=False, soft_wrap=True)


@cli.command()
def show(backup_id: BackupId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a backup: its buckets, what is missing in it, and whether it is proven to restore."""
    with contextlib.closing(open_transport(url, key)) as transport:
        backup = get(transport, f"/backups/{segment(backup_id)}")
    if as_json:
        typer.echo(json.dumps(backup, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for name in ("id", "state", "reason", "kind", "server", "created_at", "finished_at", "comment", "bytes", "own_bytes"):
        if backup[name] not in (None, ""):
            console.print(f"{name:12} {backup[name]}", markup=False)
    for name in ("verification", "drill"):
        told = backup[name]
        text = "never" if told is None else f"{told['outcome']} {told['at']} {told['detail']}"
        console.print(f"{name:12} {text}".rstrip(), markup=False)
    for held in backup["held"]:
        span = f"{held['first_point'] or 'no points'} to {held['last_point'] or ''}".removesuffix(" to ")
        console.print(f"bucket       {held['name']}: {held['points']:,} points in {held['slices']} slices, {span}", markup=False)
    for part in backup["missing"]:
        console.print(f"missing      {part['bucket'] or 'all'}: {part['reason']}", style="red", markup=False)
    for part in backup["not_covered"]:
        console.print(f"not covered  {part['what']}: {part['reason']}", markup=False)


def _cells(backup: dict[str, Any]) -> list[str]:
    proven = "yes" if backup["proven"] else (backup["drill"] or {"outcome": "no"})["outcome"]
    state = backup["state"] if not backup["reason"] else f"{backup['state']}: {backup['reason']}"
    return [backup["id"], state, proven, f"{backup['points']:,}", _size(backup["own_bytes"]), backup["comment"]]


def _size(count: int) -> str:
    """Bytes in the unit that gives at most four digits."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _verdict(result: dict[str, Any]) -> str:
    lines = [f"{result['backup']} {result['state']}: {result['points']:,} points, {_size(result['own_bytes'])}"]
    lines += [f"{held['name']}: {held['points']:,} points in {held['slices']} slices" for held in result["buckets"]]
    lines += [f"MISSING {part['bucket'] or 'all'}: {part['reason']}" for part in result["missing"]]
    return "\n".join(lines)
