"""`fluxgate read`: reads a bucket through a running gateway, to standard output or a file.

The file appears only when it is complete.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from fluxgate_client import Answer
from fluxgate_client.files import FORMATS
from service.console.connection import Key, Url, open_gateway
from service.errors import InvalidParameter


class ReadFormat(StrEnum):
    """The formats of a read."""

    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


def read(
    bucket: Annotated[str, typer.Argument(help="The name of the bucket.")],
    window: Annotated[str | None, typer.Option(help="How far back from now, like 30d.")] = None,
    start: Annotated[str | None, typer.Option(help="Start of the range, RFC 3339.")] = None,
    stop: Annotated[str | None, typer.Option(help="End of the range, RFC 3339.")] = None,
    every: Annotated[str | None, typer.Option(help="Length of a window, like 1h, or raw.")] = None,
    fn: Annotated[str | None, typer.Option(help="mean, min, max, sum, count, first, last, median, spread.")] = None,
    measurement: Annotated[list[str] | None, typer.Option(help="Only this measurement; repeatable.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only series with KEY=VALUE; repeatable.")] = None,
    shape: Annotated[str | None, typer.Option(help="long or wide.")] = None,
    tz: Annotated[str | None, typer.Option(help="IANA time zone of windows and printed times.")] = None,
    format: Annotated[ReadFormat | None, typer.Option(help="Default: by the ending of the file, else csv.")] = None,
    limit: Annotated[int | None, typer.Option(help="Most rows to read.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file. Default: standard output.")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Read a bucket."""
    with open_gateway(url, key) as gateway:
        answer = gateway.read(
            bucket,
            window=window,
            start=start,
            stop=stop,
            every=every,
            fn=fn,
            measurement=measurement,
            field=field,
            tags=_tags(tag or []),
            shape=shape,
            tz=tz,
            limit=limit,
        )
        if output is None:
            for piece in answer.pieces((format or ReadFormat.CSV).value):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            _save(answer, output, (format or ReadFormat(FORMATS.get(output.suffix.lower(), "csv"))).value)


def _save(answer: Answer, output: Path, form: str) -> None:
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


def _tags(pairs: list[str]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InvalidParameter("tag", f"--tag {pair!r} is not KEY=VALUE.")
        tags.setdefault(key, []).append(value)
    return tags
