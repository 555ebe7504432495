"""`fluxgate export`: the points of a bucket as a file, exactly, which `fluxgate import` and InfluxDB read again.

The file appears when it is whole. What was there before stays until then.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from fluxgate_client import Answer, AnswerBroken, Gateway
from service.archive.compression import PIECE_BYTES, Packing, packed
from service.commands.read import plain_warnings, tag_pairs
from service.console.connection import Key, Url, open_transport
from service.console.part_file import whole_file
from service.domain.timerange import EARLIEST_NS, LATEST_NS, format_time
from service.encoding.point_lines import REFUSAL_MARK
from service.errors import InvalidParameter, UnwritablePoint
from service.fileformats.opening import FileKind

STANDARD_OUTPUT = "-"
_SILENCE_S = 600.0
_PACKINGS = {".gz": Packing.GZIP, ".gzip": Packing.GZIP, ".zst": Packing.ZSTD, ".zstd": Packing.ZSTD}
_TAIL_BYTES = 4_096
_READ_FORMATS = {
    FileKind.LINES: "lineprotocol",
    FileKind.ANNOTATED: "annotated_csv",
    FileKind.CSV: "csv",
    FileKind.PARQUET: "parquet",
}
"""The format of the read that gives a file of each form."""


def export_points(
    bucket: Annotated[str, typer.Option(help="The bucket.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The file; - is standard output.")],
    start: Annotated[
        str | None, typer.Option(help="Start: RFC 3339, 1700000000s, or with --tz a local time. Default: all.")
    ] = None,
    stop: Annotated[str | None, typer.Option(help="End, in the same forms; exclusive.")] = None,
    window: Annotated[str | None, typer.Option(help="Instead: how far back from now, like 30d.")] = None,
    measurement: Annotated[list[str] | None, typer.Option(help="Only this measurement; repeatable.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only series with KEY=VALUE; repeatable.")] = None,
    tz: Annotated[str | None, typer.Option(help="IANA zone of --start and --stop.")] = None,
    format: Annotated[
        FileKind | None, typer.Option(help="Default: by the ending, .lp, .annotated.csv, .csv or .parquet.")
    ] = None,
    compress: Annotated[Packing | None, typer.Option(help="Default: by the ending, .gz or .zst.")] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Export the points of a bucket."""
    kind, packing = _form(output, format, compress)
    if window is None:
        start = start or format_time(EARLIEST_NS)
        stop = stop or format_time(LATEST_NS + 1)
    with open_transport(url, key, _SILENCE_S) as transport, plain_warnings():
        answer = Gateway(transport).read(
            bucket,
            window=window,
            start=start,
            stop=stop,
            every="raw",
            measurement=measurement,
            field=field,
            tags=tag_pairs(tag or []),
            tz=tz,
        )
        pieces = _explained(answer, kind)
        if output == STANDARD_OUTPUT:
            for piece in _packed(pieces, packing):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            _save(Path(output), pieces, packing)


def _explained(answer: Answer, kind: FileKind) -> Iterator[bytes]:
    """The pieces of an answer. One that breaks off says why, where the gateway wrote it behind the last line."""
    tail = b""
    try:
        for piece in answer.pieces(_READ_FORMATS[kind]):
            tail = piece[-_TAIL_BYTES:]
            yield piece
    except AnswerBroken:
        _, mark, reason = tail.rpartition(REFUSAL_MARK.encode())
        if mark and kind is FileKind.LINES:
            raise UnwritablePoint(reason.decode("utf-8", "replace").strip()) from None
        raise


def _packed(pieces: Iterable[bytes], packing: Packing | None) -> Iterator[bytes]:
    return iter(pieces) if packing is None else packed(_larger(pieces), packing)


def _larger(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a member of their own."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _save(target: Path, pieces: Iterator[bytes], packing: Packing | None) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    more = (TransferSpeedColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, *more, console=console, disable=not console.is_terminal) as bar,
        whole_file(target) as file,
    ):
        task = bar.add_task(target.name, total=None)
        for piece in _packed(pieces, packing):
            file.write(piece)
            bar.advance(task, len(piece))
        bar.update(task, total=bar.tasks[task].completed)


def _form(output: str, format: FileKind | None, compress: Packing | None) -> tuple[FileKind, Packing | None]:
    """The format and the packing of the file. Raises InvalidParameter where nothing says the format."""
    name = output.lower()
    ending = next((ending for ending in _PACKINGS if name.endswith(ending)), "")
    packing = compress or _PACKINGS.get(ending)
    plain = name.removesuffix(ending) if ending else name
    kind = format or _kind(plain)
    if kind is None:
        forms = "lp, annotated, csv or parquet"
        raise InvalidParameter("format", f"{output!r} does not say a format. Give --format {forms}.")
    if kind is FileKind.PARQUET and packing is not None:
        raise InvalidParameter("compress", "Parquet is packed inside; leave out --compress and the ending of the name.")
    return kind, packing


def _kind(name: str) -> FileKind | None:
    endings = {
        ".annotated.csv": FileKind.ANNOTATED,
        ".csv": FileKind.CSV,
        ".lp": FileKind.LINES,
        ".parquet": FileKind.PARQUET,
    }
    return next((kind for ending, kind in endings.items() if name.endswith(ending)), None)
