"""`fluxgate mirror`: run, list and verify mirrors through a running gateway."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from fluxgate_client.requests import segment
from service.console.connection import Key, Url, get, open_transport, post
from service.console.jobs import AsJson, follow, job_path, result_of
from service.console.plain_console import PlainConsole
from service.console.tables import print_table
from service.console.times import minute_text
from service.features.mirror import SUMMARY

cli = typer.Typer(help=SUMMARY, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="MIRROR", help="The mirror's name, as `fluxgate mirror list` shows it.")]
Bucket = Annotated[str | None, typer.Option(help="Only this bucket of the source.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it ends; exit code 1 when it does not succeed.")]


@cli.command()
def run(
    name: Annotated[str | None, typer.Argument(metavar="[MIRROR]", help="The mirror. Default: all mirrors.")] = None,
    bucket: Bucket = None,
    start: Annotated[str | None, typer.Option(help="Start of the range, RFC 3339; needs --stop.")] = None,
    stop: Annotated[str | None, typer.Option(help="End of the range, exclusive.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Report what would be copied and removed, and change nothing."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also try what the target refused before.")] = False,
    wait: Wait = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Run a mirror now."""
    members = {"mirror": name, "bucket": bucket, "start": start, "stop": stop, "dry_run": dry_run, "again": again}
    order = {member: value for member, value in members.items() if value not in (None, False)}
    with open_transport(url, key) as transport:
        jobs = post(transport, "/mirror/trigger", body=order)["jobs"]
        if not (wait or dry_run):
            lines = "\n".join(f"{job['id']} {job['state']}" for job in jobs)
            typer.echo(json.dumps(jobs, indent=2) if as_json else lines)
            return
        states = [follow(transport, job["id"], as_json) for job in jobs]
        if dry_run:
            for job in jobs:
                typer.echo(json.dumps(get(transport, job_path(job["id"]))["result"], indent=2))
    if any(state != "succeeded" for state in states):
        raise typer.Exit(1)


@cli.command()
def verify(name: Name, bucket: Bucket = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Read source and target fully and compare digests. Exit code 0 only when they are equal."""
    parameters = [] if bucket is None else [("bucket", bucket)]
    path = f"/mirror/{segment(name)}/verify"
    result = result_of(url, key, lambda transport: post(transport, path, parameters), as_json)
    typer.echo(json.dumps(result, indent=2) if as_json else _verdict(result))
    if not result["equal"]:
        raise typer.Exit(1)


@cli.command("list")
def list_mirrors(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List mirrors with the state of their buckets."""
    with open_transport(url, key) as transport:
        mirrors = get(transport, "/mirror")["mirrors"]
    if as_json:
        typer.echo(json.dumps(mirrors, indent=2))
        return
    table = Table("mirror", "bucket", "slices", "points", "last success", "next run")
    for mirror in mirrors:
        for pair in mirror["pairs"] or [None]:
            table.add_row(mirror["name"], *_cells(pair), minute_text(mirror["next_run"]) or "by hand")
    print_table(table)
    for mirror in mirrors:
        if mirror["last_error"]:
            message = f"{mirror['name']}: {mirror['last_error']}"
            PlainConsole(soft_wrap=True, highlight=False).print(message, style="red", markup=False)


def _cells(pair: dict[str, Any] | None) -> list[str]:
    if pair is None:
        return ["", "", "", "never"]
    slices = [f"{count} {state}" for state, count in pair["slices"].items() if count]
    rejected = f", {pair['rejected']:,} rejected" if pair["rejected"] else ""
    points = f"{pair['equal_points']:,}{rejected}"
    return [pair["source"], ", ".join(slices), points, minute_text(pair["last_success"]) or "never"]


def _verdict(result: dict[str, Any]) -> str:
    lines = []
    for pair in result["pairs"]:
        names = f"{pair['source']} -> {pair['target']}"
        if pair["target_lacks_bucket"]:
            lines.append(f"{names}: DIFFERENT, the target has no such bucket")
            continue
        if pair.get("error"):
            lines.append(f"{names}: NOT COMPARED. {pair['error']}")
            continue
        size = f"{pair['points']:,} points in {pair['slices']} slices"
        lines.append(f"{names}: {size}, {_comparison(pair)}")
        lines += [f"  left out: {entry['measurement']}. {entry['reason']}" for entry in pair.get("left_out", ())]
    return "\n".join(lines)


def _comparison(pair: dict[str, Any]) -> str:
    if pair["different"]:
        return f"DIFFERENT in {pair['different']} slices: {', '.join(pair['differing'][:5])}"
    return "equal" if pair["equal"] else f"equal but for {len(pair['left_out'])} measurements that are LEFT OUT"
