"""`fluxgate backup`: take and see backups through a running gateway. Exit codes: 0 complete, 3 partial, 1 failed."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from fluxgate_client.requests import segment
from fluxgate_client.transport import Transport
from service.console.connection import Key, Url, delete, get, open_transport, post
from service.console.jobs import AsJson, Json, order_job, result_of
from service.console.plain_console import PlainConsole
from service.console.tables import print_table
from service.features.backup import SUMMARY
from service.features.backup.tar_commands import download, upload

cli = typer.Typer(help=SUMMARY, no_args_is_help=True)
cli.command()(download)
cli.command()(upload)
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
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
        "dry_run": dry_run,
    }
    order = {name: value for name, value in members.items() if value not in (None, False, "")}
    if no_wait:
        order_job(url, key, lambda transport: post(transport, "/backup/trigger", body=order), as_json)
        return
    result = _ordered("/backup/trigger", order, url, key, as_json)
    if dry_run:
        if not as_json:
            _print_plan(result)
        return
    if not as_json:
        typer.echo(_verdict(result))
    if result["state"] != "complete":
        raise typer.Exit(PARTIAL)


def _print_plan(result: Json) -> None:
    numbers = ("values", "take over", "compare", "write", "sealed")
    table = Table("bucket", *(Column(name, justify="right") for name in numbers))
    for bucket in result["buckets"]:
        slices = bucket["slices"]
        counts = (bucket["values"], *(slices[name.replace(" ", "_")] for name in numbers[1:]))
        table.add_row(bucket["name"], *(f"{count:,}" for count in counts))
    print_table(table)
    for part in result["missing"]:
        typer.echo(f"missing: {part['bucket']}: {part['reason']}")


@cli.command()
def verify(
    backup_id: BackupId,
    new_only: Annotated[bool, typer.Option("--new-only", help="Only files that were not verified before.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Read every file of a backup and compare it with the manifest. Exit code 0 only when it is intact."""
    order = {"new_only": True} if new_only else {}
    result = _ordered(f"/backups/{segment(backup_id)}/verify", order, url, key, as_json)
    if not as_json:
        typer.echo(f"{result['backup']} {result['outcome']}: {result['files']:,} files")


@cli.command()
def drill(
    backup_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Absent: the newest complete one.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a scratch store, and compare every value. Exit code 0 only when it is proven."""
    result = _ordered("/backups/drill", {} if backup_id is None else {"backup": backup_id}, url, key, as_json)
    if not as_json:
        typer.echo(f"{result['backup']} {result['outcome']} {result.get('detail') or ''}".rstrip())
    if result["outcome"] != "proven":
        raise typer.Exit(1)


@cli.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Remove the backups that the BACKUP_KEEP_ settings do not keep, and say of each why."""
    result = _ordered("/backups/prune", {"dry_run": True} if dry_run else {}, url, key, as_json)
    if not as_json:
        _print_removed(result)


@cli.command()
def remove(
    backup_id: BackupId,
    last: Annotated[
        bool, typer.Option("--last", help="Also the last complete or proven one of what it holds.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say whether it could be, and remove nothing.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Remove one backup, unless another takes files over from it or a job uses it."""
    path = f"/backups/{segment(backup_id)}"
    switches = [(name, "true") for name, value in (("last", last), ("dry_run", dry_run)) if value]
    result = _result(lambda transport: delete(transport, path, switches), url, key, as_json)
    if not as_json:
        _print_removed(result)


@cli.command()
def restore(
    backup_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or latest for the newest complete one.")],
    bucket: Annotated[
        list[str] | None,
        typer.Option(help="Only this bucket; NAME=NEW restores it under another name; repeatable."),
    ] = None,
    start: Annotated[str | None, typer.Option(help="Only from this moment on (RFC 3339).")] = None,
    stop: Annotated[str | None, typer.Option(help="Only before this moment.")] = None,
    target_url: Annotated[str | None, typer.Option(help="Another InfluxDB; absent: the gateway's own store.")] = None,
    target_org: Annotated[str | None, typer.Option(help="Its organization.")] = None,
    target_token_env: Annotated[
        str | None, typer.Option(help="The variable of the gateway's process with its token.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and write nothing.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Write into buckets that are there already.")] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Restore what is intact, and list the loss.")
    ] = False,
    replace_server: Annotated[
        str | None,
        typer.Option(help="With a physical backup: replace everything on the server of this name (host:port)."),
    ] = None,
    passphrase_env: Annotated[
        str | None, typer.Option(help="The variable of the gateway's process with another passphrase.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup and compare it with what was written. Exit codes: 0 equal, 3 something is missing, 1 failed."""
    target = {"url": target_url, "org": target_org, "token_env": target_token_env}
    members = {
        "buckets": _renamed(bucket or []),
        "start": start,
        "stop": stop,
        "target": target if any(target.values()) else None,
        "dry_run": dry_run,
        "merge": merge,
        "skip_damaged": skip_damaged,
        "replace_server": replace_server,
        "passphrase_env": passphrase_env,
    }
    order = {name: value for name, value in members.items() if value}
    result = _ordered(f"/backups/{segment(backup_id)}/restore", order, url, key, as_json)
    if not as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
    if result["state"] not in ("equal", "more", "planned"):
        raise typer.Exit(PARTIAL)


@cli.command()
def adopt(
    folder: Annotated[str, typer.Argument(help="Its path in the place of backups, where you copied it.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup of a folder that `influx backup` wrote."""
    result = _ordered("/backups/adopt", {"folder": folder}, url, key, as_json)
    if not as_json:
        typer.echo(_verdict(result))


@cli.command("list")
def list_backups(
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 20,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List backups, newest first, and how old the last good one of each bucket is."""
    with open_transport(url, key) as transport:
        listing = get(transport, "/backups", [("limit", str(limit))])
    if as_json:
        typer.echo(json.dumps(listing, indent=2))
        return
    table = Table(Column("id", no_wrap=True, min_width=25), "state", "proven", "points", "size", "comment")
    for backup in listing["backups"]:
        table.add_row(*_cells(backup))
    print_table(table)
    ages = Table("bucket", "last complete", "last proven")
    for age in listing["buckets"]:
        ages.add_row(age["bucket"], age["last_complete_at"] or "never", age["last_proven_at"] or "never")
    print_table(ages)
    typer.echo(f"in {listing['place']}")


@cli.command()
def show(backup_id: BackupId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a backup: its buckets, what is missing in it, and whether it is proven to restore."""
    with open_transport(url, key) as transport:
        backup = get(transport, f"/backups/{segment(backup_id)}")
    if as_json:
        typer.echo(json.dumps(backup, indent=2))
        return
    console = PlainConsole(soft_wrap=True, highlight=False)
    for name in (
        "id",
        "state",
        "reason",
        "kind",
        "server",
        "created_at",
        "finished_at",
        "comment",
        "bytes",
        "own_bytes",
    ):
        if backup[name] not in (None, ""):
            console.print(f"{name:12} {backup[name]}", markup=False)
    for name in ("verification", "drill"):
        told = backup[name]
        text = "never" if told is None else f"{told['outcome']} {told['at']} {told['detail']}"
        console.print(f"{name:12} {text}".rstrip(), markup=False)
    for held in backup["held"]:
        if backup["kind"] == "physical":
            console.print(f"bucket       {held['name']}", markup=False)
            continue
        span = f"{held['first_point'] or 'no points'} to {held['last_point'] or ''}".removesuffix(" to ")
        console.print(
            f"bucket       {held['name']}: {held['points']:,} points in {held['slices']} slices, {span}", markup=False
        )
    for part in backup["missing"]:
        console.print(f"missing      {part['bucket'] or 'all'}: {part['reason']}", style="red", markup=False)
    for part in backup["not_covered"]:
        console.print(f"not covered  {part['what']}: {part['reason']}", markup=False)


def _ordered(path: str, order: Json, url: str | None, key: str | None, as_json: bool) -> Json:
    """The result of the job that a POST of `order` makes."""
    return _result(lambda transport: post(transport, path, body=order), url, key, as_json)


def _result(order: Callable[[Transport], Json], url: str | None, key: str | None, as_json: bool) -> Json:
    """The result of a job, which `as_json` prints."""
    result = result_of(url, key, order, as_json)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    return result


def _print_removed(result: Json) -> None:
    for backup in result["removed"]:
        typer.echo(f"{'would remove' if result['dry_run'] else 'removed'} {backup['backup']}: {backup['reason']}")
    for backup in result["kept"]:
        typer.echo(f"keeps {backup['backup']}: {backup['reason']}")


def _renamed(buckets: list[str]) -> dict[str, str]:
    """Each bucket with its new name, which is the bucket's name where no other is given.

    A name that holds `=` is given as NAME=NAME.
    """
    pairs = (text.partition("=") for text in buckets)
    return {name: new or name for name, _, new in pairs}


def _cells(backup: dict[str, Any]) -> list[str]:
    proven = "yes" if backup["proven"] else "no"
    if not backup["proven"] and backup["drill"] is not None and backup["drill"]["outcome"] != "proven":
        proven = backup["drill"]["outcome"]
    reason = backup["reason"]
    if backup["verification"] is not None and backup["verification"]["outcome"] == "failed":
        reason = f"DAMAGED: {backup['verification']['detail']}"
    state = f"{backup['state']}: {reason}" if reason else backup["state"]
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
    points = "" if result["points"] is None else f"{result['points']:,} points, "
    lines = [f"{result['backup']} {result['state']}: {points}{_size(result['own_bytes'])}"]
    lines += [_held(held) for held in result["buckets"]]
    lines += [f"MISSING {part['bucket'] or 'all'}: {part['reason']}" for part in result["missing"]]
    return "\n".join(lines)


def _held(held: dict[str, Any]) -> str:
    if "shards" not in held:
        return f"{held['name']}: {held['points']:,} points in {held['slices']} slices"
    values = "values not counted" if held["values"] is None else f"{held['values']:,} values"
    return f"{held['name']}: {values} in {held['shards']} shards"
