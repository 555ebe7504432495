"""`fluxgate read`: reads a bucket through a running gateway, to standard output or a file.

The file appears only when it is complete.
"""

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from fluxgate_client import Answer, GatewayWarning
from fluxgate_client.files import FORMATS
from service.console.connection import Key, Url, open_gateway
from service.console.row_counts import RowCounter, rows_of_file
from service.errors import InvalidParameter


class ReadFormat(StrEnum):
    """The formats of a read."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"
    ARROW_FILE = "arrow_file"
    XLSX = "xlsx"
    LINE_PROTOCOL = "lineprotocol"
    ANNOTATED_CSV = "annotated_csv"


def read(
    bucket: Annotated[str, typer.Argument(help="The name of the bucket.")],
    window: Annotated[str | None, typer.Option(help="How far back from now, like 30d.")] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Start of the range: RFC 3339, 1700000000s, or with --tz a day or a local time."),
    ] = None,
    stop: Annotated[str | None, typer.Option(help="End of the range, in the same forms; exclusive.")] = None,
    every: Annotated[str | None, typer.Option(help="Length of a window, like 1h, 500ms or 1mo, or raw.")] = None,
    fn: Annotated[str | None, typer.Option(help="mean, min, max, sum, count, first, last, median, spread, m4.")] = None,
    stamp: Annotated[str | None, typer.Option(help="Which end of a window is a row's time: start or stop.")] = None,
    align: Annotated[bool, typer.Option("--align", help="Only whole windows, none that the range cuts.")] = False,
    measurement: Annotated[list[str] | None, typer.Option(help="Only this measurement; repeatable.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only series with KEY=VALUE; repeatable.")] = None,
    shape: Annotated[str | None, typer.Option(help="long, wide or table.")] = None,
    tz: Annotated[str | None, typer.Option(help="IANA time zone of windows and printed times.")] = None,
    format: Annotated[ReadFormat | None, typer.Option(help="Default: by the ending of the file, else csv.")] = None,
    limit: Annotated[int | None, typer.Option(help="Most rows to read.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file. Default: standard output.")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Read a bucket."""
    with open_gateway(url, key) as gateway, plain_warnings():
        answer = gateway.read(
            bucket,
            window=window,
            start=start,
            stop=stop,
            every=every,
            fn=fn,
            stamp=stamp,
            align=align or None,
            measurement=measurement,
            field=field,
            tags=tag_pairs(tag or []),
            shape=shape,
            tz=tz,
            limit=limit,
        )
        begun_s = time.monotonic()
        if output is None:
            rows, size = _print(answer, (format or ReadFormat.CSV).value)
        else:
            rows, size = _save(answer, output, (format or _format_of(output)).value)
    _say_what_came(rows, size, time.monotonic() - begun_s)


def _format_of(output: Path) -> ReadFormat:
    """The format that the ending of a file names. Raises InvalidParameter for that of a picture."""
    name = FORMATS.get(output.suffix.lower(), "csv")
    if name not in list(ReadFormat):
        raise InvalidParameter("output", f"{output.name} is the name of a picture. `fluxgate plot` draws one.")
    return ReadFormat(name)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """What the gateway warns of, as a line of standard error without a place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GatewayWarning)
        try:
            yield
        finally:
            for warning in caught:
                sys.stderr.write(f"Warning: {warning.message}\n")


def _print(answer: Answer, form: str) -> tuple[int | None, int]:
    """The answer on standard output; its rows, where the format shows them on the way, and its bytes."""
    counter = RowCounter(form) if RowCounter.knows(form) else None
    size = 0
    for piece in answer.pieces(form):
        sys.stdout.buffer.write(piece)
        size += len(piece)
        if counter is not None:
            counter.add(piece)
    sys.stdout.buffer.flush()
    return None if counter is None else counter.rows, size


def _say_what_came(rows: int | None, size: int, seconds: float) -> None:
    """On a terminal alone: standard error of a script stays empty when all is well."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if console.is_terminal:
        counted = [] if rows is None else [f"{rows:,} rows"]
        console.print(", ".join([*counted, f"{size:,} bytes", f"{seconds:.1f} s"]), markup=False)


def _save(answer: Answer, output: Path, form: str) -> tuple[int | None, int]:
    """The answer as a file; its rows, which only a terminal is told, and its bytes."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(output.name, total=None)
        answer.save(output, form, lambda size: progress.advance(task, size))
        done = progress.tasks[task].completed
        progress.update(task, total=done)
    return rows_of_file(output, form) if console.is_terminal else None, int(done)


def tag_pairs(pairs: list[str]) -> dict[str, list[str]]:
    """The values of each key in texts of the form KEY=VALUE. Raises InvalidParameter."""
    tags: dict[str, list[str]] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InvalidParameter("tag", f"--tag {pair!r} is not KEY=VALUE.")
        tags.setdefault(key, []).append(value)
    return tags
