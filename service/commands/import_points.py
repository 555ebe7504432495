"""`fluxgate import`: the points of a file into a bucket of a running gateway. It goes on where it was interrupted.

Exit codes: 0 all points are stored; 3 some were rejected, the others are stored; 1 it failed.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fluxgate_client import Gateway, GatewayError
from fluxgate_client.errors import Forbidden, GatewayUnreachable, NotFound
from fluxgate_client.retries import Retry
from fluxgate_client.transport import Transport
from service.commands import table_options
from service.commands.write import Precision
from service.console.connection import Key, Url, address_and_key, is_loopback
from service.console.plain_console import PlainConsole
from service.domain.schema import FieldType
from service.domain.timerange import format_time
from service.errors import FluxgateError
from service.fileformats.column_roles import TableForm
from service.fileformats.opening import FileForm, FileKind, OpenFile, open_points
from service.fileformats.pieces import Position
from service.fileformats.unpacking import STANDARD_INPUT
from service.importing.dry_run import Summary
from service.importing.posts import Poster
from service.importing.rejects import Rejects
from service.importing.run import ImportRun
from service.importing.state import Progress as ImportProgress
from service.importing.state import StateFile, state_file, state_folder

PARTIAL = 3
"""Exit code when some points were rejected."""
_MOST_NAMES_SHOWN = 50


def import_points(
    file: Annotated[str, typer.Argument(help="The file, plain or packed by gzip or zstd; - is standard input.")],
    bucket: Annotated[str, typer.Option(help="The bucket that gets the points.")],
    format: Annotated[FileKind | None, typer.Option(help="Default: by the content, else by the name.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="Unit of times that are numbers; lp: ns.")] = None,
    time_column: Annotated[str | None, typer.Option("--time", help="CSV, Parquet: the column of times.")] = None,
    time_format: Annotated[
        str | None, typer.Option(help="How times are written, like %d.%m.%Y %H:%M. Default: RFC 3339.")
    ] = None,
    tz: Annotated[str | None, typer.Option(help="IANA zone of times without an offset.")] = None,
    repeated_hour: Annotated[
        table_options.RepeatedHour | None, typer.Option(help="Which hour a time means that comes twice in autumn.")
    ] = None,
    measurement: Annotated[str | None, typer.Option(help="The measurement of all points.")] = None,
    measurement_column: Annotated[str | None, typer.Option(help="The column that names the measurement.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A column that is a tag, COLUMN or COLUMN=KEY.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="A column that is a field, COLUMN or COLUMN=NAME. Default: all others.")
    ] = None,
    type: Annotated[
        list[str] | None, typer.Option(help="COLUMN=float, integer, unsigned, string or boolean; repeatable.")
    ] = None,
    sep: Annotated[str, typer.Option(help="CSV: what separates cells: , ; | or tab.")] = ",",
    decimal: Annotated[str, typer.Option(help="CSV: the decimal sign, . or ,")] = ".",
    encoding: Annotated[str, typer.Option(help="CSV: how letters are encoded, like cp1252.")] = "utf-8",
    create: Annotated[bool, typer.Option("--create", help="Make the bucket if it is not there.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, also where it was interrupted.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected lines go. Default: FILE.rejects in this folder.")
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds for which a gateway that is away is waited for.")] = 300.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Import a file of points into a bucket."""
    table = TableForm(
        time_column,
        table_options.time_form(precision, tz, time_format, repeated_hour),
        measurement,
        measurement_column,
        table_options.pairs(tag or [], "tag"),
        table_options.pairs(field or [], "field"),
        table_options.types(type or []),
        table_options.separator(sep),
        table_options.decimal(decimal),
        table_options.encoding(encoding),
    )
    options = _Options(file, FileForm(format, table), create, restart, rejects or rejects_path(file), patience)
    address, sent_key = address_and_key(url, key)
    with Transport(address, sent_key, retry=Retry(tries=1)) as transport:
        target = _Target(transport, address, bucket)
        rejected = _dry_run(options, target) if dry_run else _import(options, target)
    if rejected:
        raise typer.Exit(PARTIAL)


class _Target:
    """The bucket of a gateway."""

    def __init__(self, transport: Transport, address: str, bucket: str) -> None:
        self.transport = transport
        self.address = address
        self.bucket = bucket
        self._gateway = Gateway(transport)

    def create(self) -> None:
        """Make the bucket where it is absent."""
        self._gateway.create_buckets([{"name": self.bucket}])

    def types_of(self, measurement: str) -> dict[str, FieldType]:
        """The fields of a measurement that have one type in the bucket; none where this key may not know them."""
        try:
            schema = self._gateway.schema(self.bucket)
        except (Forbidden, NotFound, GatewayUnreachable):
            return {}
        fields: list[dict[str, Any]] = next(
            (known["fields"] for known in schema["measurements"] if known["name"] == measurement), []
        )
        return {known["name"]: FieldType(known["types"][0]) for known in fields if len(known["types"]) == 1}

    @property
    def is_near(self) -> bool:
        return is_loopback(httpx.URL(self.address).host)


@dataclass(frozen=True)
class _Options:
    """One import: the file, how it is read, and where its rejects go."""

    file: str
    form: FileForm
    create: bool
    restart: bool
    rejects: Path
    patience_s: float

    def state(self, target: _Target) -> StateFile:
        """The state of this import; standard input has none, as it cannot be read again."""
        if self.file == STANDARD_INPUT or not Path(self.file).is_file():
            return StateFile(None)
        conditions = {"address": target.address, "bucket": target.bucket, "form": self.form}
        return state_file(state_folder(os.environ), Path(self.file), **conditions)


def _import(options: _Options, target: _Target) -> int:
    """Send the points; returns how many lines were rejected."""
    if options.create:
        target.create()
    state = options.state(target)
    if options.restart:
        state.remove()
    known = state.load()
    progress = known or ImportProgress(time.time_ns())
    console = _console()
    if known is not None:
        console.print(f"Going on behind line {known.position.line - 1:,}; {known.stored:,} points are stored already.")
    rejects = Rejects(options.rejects, progress.rejects_bytes)
    run = None
    try:
        with (
            open_points(options.file, options.form, progress.position, progress.begun_ns, target.types_of) as file,
            _bar(console, options.file, file, progress) as (shown, waiting),
        ):
            is_far, patience_s = not target.is_near, options.patience_s
            poster = Poster(target.transport, target.bucket, file.precision, patience_s, is_far, waiting)
            run = ImportRun(poster, progress, state, rejects, shown)
            run.send(file.pieces)
    except (FluxgateError, GatewayError, KeyboardInterrupt) as ended:
        _say_where(console, progress if run is None else run.progress, options, rejects)
        if isinstance(ended, NotFound) and ended.code == "unknown_bucket":
            console.print("With --create the bucket is made where it is absent.")
        raise
    done = run.progress
    state.remove()
    _say_rejects(console, done, rejects)
    rows = f" {done.empty_rows:,} rows have no value." if done.empty_rows else ""
    typer.echo(f"{done.stored:,} points stored.{rows}")
    return done.rejected


def _console() -> PlainConsole:
    return PlainConsole(stderr=True, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _bar(
    console: PlainConsole, name: str, file: OpenFile, progress: ImportProgress
) -> Iterator[tuple[Callable[[ImportProgress], None], Callable[[str, float], None]]]:
    """A bar on a terminal, and the two functions that tell it of progress and of waits."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[points]}", markup=False),
        TimeRemainingColumn(),
    )
    begun_s = time.monotonic()
    said: list[str] = []
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(Path(name).name, total=file.total or None, points="")

        def shown(done: ImportProgress) -> None:
            said.clear()
            rate = (done.stored - progress.stored) / max(time.monotonic() - begun_s, 1e-3)
            bar.update(task, completed=file.done(), points=f"{done.stored:,} points, {rate:,.0f}/s")

        def waiting(reason: str, pause_s: float) -> None:
            if reason not in said:
                said[:] = [reason]
                console.print(f"Waiting for the gateway: {reason}", style="yellow")

        yield shown, waiting


def _say_where(console: PlainConsole, done: ImportProgress, options: _Options, rejects: Rejects) -> None:
    """After an interruption: what is stored, and how to go on."""
    _say_rejects(console, done, rejects)
    if not done.stored and not done.rejected:
        console.print("Nothing was stored.")
        return
    again = "" if options.file == STANDARD_INPUT else " The same command goes on there; --restart begins anew."
    console.print(f"{done.stored:,} points are stored, up to line {done.position.line - 1:,}.{again}")


def _say_rejects(console: PlainConsole, done: ImportProgress, rejects: Rejects) -> None:
    if not done.rejected:
        return
    for reject in rejects.shown:
        console.print(f"line {reject.line:,}: {reject.reason}", style="red")
    more = done.rejected - len(rejects.shown)
    if more > 0 and rejects.shown:
        console.print(f"… and {more:,} more.", style="red")
    counted = "1 line or value was" if done.rejected == 1 else f"{done.rejected:,} lines or values were"
    console.print(f"{counted} not stored: {rejects.path} names each.", style="red")


def _dry_run(options: _Options, target: _Target) -> int:
    """Print what an import would write; returns how many lines it would reject."""
    summary, begun_ns = Summary(), time.time_ns()
    with open_points(options.file, options.form, Position(), begun_ns, target.types_of) as opened:
        for piece in opened.pieces:
            summary.add(piece, opened.precision, begun_ns)
        kind = opened.kind
    typer.echo(f"{options.file} ({kind.value}): {summary.points:,} points for {target.bucket}. Nothing was written.")
    if summary.first_ns is not None and summary.last_ns is not None:
        typer.echo(f"from {format_time(summary.first_ns)} to {format_time(summary.last_ns)}")
    for name, described in list(summary.measurements.items())[:_MOST_NAMES_SHOWN]:
        typer.echo(f"{name}: {described.values:,} values, tags: {', '.join(sorted(described.tags)) or 'none'}")
        for field_name, types in sorted(described.fields.items())[:_MOST_NAMES_SHOWN]:
            typer.echo(f"  {field_name}: {', '.join(sorted(types))}")
        if len(described.fields) > _MOST_NAMES_SHOWN:
            typer.echo(f"  … and {len(described.fields) - _MOST_NAMES_SHOWN:,} more fields")
    if len(summary.measurements) > _MOST_NAMES_SHOWN or summary.more_names:
        typer.echo("… and more measurements")
    console = _console()
    for reject in summary.shown:
        console.print(f"line {reject.line:,}: {reject.reason}", style="red")
    if summary.rejected:
        console.print(f"{summary.rejected:,} lines or values cannot be stored.", style="red")
    if summary.empty_rows:
        typer.echo(f"{summary.empty_rows:,} rows have no value.")
    return summary.rejected


def rejects_path(file: str) -> Path:
    return Path("stdin.rejects" if file == STANDARD_INPUT else f"{Path(file).name}.rejects")
