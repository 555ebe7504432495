"""`fluxgate simulate`: the write test of a new installation, through a running gateway."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fluxgate_client import Gateway, GatewayError, Writer
from service.console.connection import Key, Url, open_gateway
from service.demo.write_test import MOST_POINTS, ReadBack, WriteTest
from service.domain.durations import SECOND_NS, parse_duration
from service.errors import InvalidParameter

_DESCRIPTION = "Simulated sensors, written by fluxgate simulate"
_INTERRUPTED = 130
_SENSORS_HELP = "Number of sensors: temperature, humidity, CO2, light, power, water, GPS, in turn."
_MOST_REJECTED_SAID = 5


def simulate(
    bucket: Annotated[str, typer.Option(help="The bucket. It is made when it is absent.")] = "Sensors (Testing)",
    rate: Annotated[float, typer.Option(help="Points a second, of all sensors together.", min=0.01, max=10_000)] = 10.0,
    sensors: Annotated[
        int,
        typer.Option(help=_SENSORS_HELP, min=1, max=10_000),
    ] = 7,
    duration: Annotated[str, typer.Option("--for", help="How long, like 30s or 5m.")] = "30s",
    url: Url = None,
    key: Key = None,
) -> None:
    """Write simulated sensors to a bucket, read them back, and say whether they are there.

    Exit code 0 only when every point is there with equal values.
    """
    seconds = parse_duration(duration, "--for") / SECOND_NS
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with open_gateway(url, key) as gateway:
        test = WriteTest(gateway, bucket, rate, sensors, seconds)
        if test.total > MOST_POINTS:
            finding = f"{rate:g} points a second for {duration} are {test.total:,}; a run has at most {MOST_POINTS:,}."
            raise InvalidParameter("--for", f"{finding} Lower --rate or --for.")
        typer.echo(_prepared(gateway, bucket))
        typer.echo(f"Writing {test.total:,} points of {sensors:,} sensors, {rate:g} a second.")
        writer = test.writer()
        _written(test, writer, console)
        result = test.read_back([rejected.point for rejected in writer.rejected])
    _conclude(writer, result, console)


def _prepared(gateway: Gateway, bucket: str) -> str:
    """Make the bucket when it is absent, and say which it was."""
    if any(present["name"] == bucket for present in gateway.buckets()):
        return f"The bucket {bucket!r} is there."
    gateway.create_buckets({"name": bucket, "description": _DESCRIPTION})
    return f"The bucket {bucket!r} is made."


def _written(test: WriteTest, writer: Writer, console: Console) -> None:
    """Write all points. Raises typer.Exit when it is interrupted, after what was made is written."""
    began = time.monotonic()
    try:
        with writer, _bar(console, test.total) as progress:
            test.write(writer, progress)
    except KeyboardInterrupt:
        console.print(f"Interrupted. {_counts(writer)}", style="yellow", markup=False)
        raise typer.Exit(_INTERRUPTED) from None
    except GatewayError:
        console.print(f"The write test stopped. {_counts(writer)}", style="red", markup=False)
        raise
    elapsed_s = max(time.monotonic() - began, 1e-9)
    typer.echo(f"{_counts(writer)} {elapsed_s:.1f} s, {writer.written / elapsed_s:,.0f} points a second.")


@contextlib.contextmanager
def _bar(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, else nothing. Gives a function that takes the number of points so far."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("points", total=total)
        yield lambda count: bar.update(task, completed=count)


def _counts(writer: Writer) -> str:
    waiting = f", {len(writer.waiting):,} not written" if writer.waiting else ""
    return f"{writer.written:,} points written, {writer.rejected_count:,} rejected{waiting}."


def _conclude(writer: Writer, result: ReadBack, console: Console) -> None:
    """Say what was read back. Raises typer.Exit(1) when something lacks or differs."""
    for rejected in writer.rejected[:_MOST_REJECTED_SAID]:
        console.print(f"rejected: {rejected.reason} ({rejected.code})", style="red", markup=False)
    for difference in result.differences:
        console.print(difference, style="red", markup=False)
    typer.echo(
        f"Read back: {result.found:,} of {result.points:,} points, {result.equal:,} of {result.values:,} values equal."
    )
    if writer.rejected_count or not result.is_equal or not result.points:
        console.print("The write test failed.", style="red", markup=False)
        raise typer.Exit(1)
    typer.echo("The write test passed: everything that was written is there.")
