"""`fluxgate plot`: draws a read of a bucket in the terminal, or as a picture into a file.

A file is drawn by the gateway and appears when it is whole. What the terminal shows is drawn from the same points.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import pyarrow as pa
import typer
from rich.console import Console

from fluxgate_client.errors import AnswerBroken
from fluxgate_client.requests import Request, bucket_path
from fluxgate_client.transport import Transport
from service.api.read_parameters import asked_range, zone_named
from service.commands.read import plain_warnings, tag_pairs
from service.console.arrow_frames import NumberFrames
from service.console.connection import Key, Url, open_transport
from service.console.part_file import whole_file
from service.console.terminal_chart import COLOURS, TerminalSize, terminal_chart
from service.domain.chart_windows import chart_windows
from service.domain.selection import Fn
from service.domain.timerange import parse_range
from service.errors import InvalidParameter
from service.pictures.look import Form
from service.pictures.pixel_columns import PixelColumns
from service.pictures.sentences import EMPTY, notes, what_is_shown
from service.pictures.series_points import SeriesCollector
from service.pictures.texts import printable
from service.pictures.units import common_unit

_BRAILLE = "\u28ff"
_LONGEST_TITLE = 300


@dataclass(frozen=True)
class _Asked:
    """What is drawn: the parameters of the read, and those that only a picture in a file has."""

    bucket: str
    read: Mapping[str, str]
    filters: list[tuple[str, str]]
    look: Mapping[str, str]

    def request(self, form: str, **more: str) -> Request:
        parameters = {**self.read, **more, "format": form}
        return Request("GET", bucket_path(self.bucket), [*parameters.items(), *self.filters])


def plot(
    bucket: Annotated[str, typer.Argument(help="The name of the bucket.")],
    window: Annotated[str | None, typer.Option(help="How far back from now, like 7d. Default: 24h.")] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Start of the range: RFC 3339, 1700000000s, or with --tz a day or a local time."),
    ] = None,
    stop: Annotated[str | None, typer.Option(help="End of the range, in the same forms; exclusive.")] = None,
    every: Annotated[str | None, typer.Option(help="Length of a window, or raw. Default: all points count.")] = None,
    fn: Annotated[str | None, typer.Option(help="The function of a window, like max.")] = None,
    measurement: Annotated[list[str] | None, typer.Option(help="Only this measurement; repeatable.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Only this field; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only series with KEY=VALUE; repeatable.")] = None,
    tz: Annotated[str | None, typer.Option(help="IANA time zone of the axis and of windows.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file that ends in .svg or .png.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of the file's picture in pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Height of the file's picture in pixels.")] = None,
    theme: Annotated[str | None, typer.Option(help="light or dark; of the file's picture.")] = None,
    title: Annotated[bool, typer.Option(help="Whether the file's picture has a title.")] = True,
    legend: Annotated[bool, typer.Option(help="Whether the file's picture has a legend.")] = True,
    url: Url = None,
    key: Key = None,
) -> None:
    """Draw the numbers of a bucket, in the terminal or into a file."""
    read = {"window": window, "start": start, "stop": stop, "every": every, "fn": fn, "tz": tz}
    filters = [("measurement", name) for name in measurement or ()] + [("field", name) for name in field or ()]
    filters += [(f"tag.{name}", value) for name, values in tag_pairs(tag or []).items() for value in values]
    look = {"width": width, "height": height, "theme": theme}
    flags = {name: "false" for name, wanted in (("title", title), ("legend", legend)) if not wanted}
    asked = _Asked(bucket, _given(read), filters, {**_given(look), **flags})
    if output is None:
        _check_terminal(asked)
    form = None if output is None else _form_of(output)
    with open_transport(url, key) as transport, plain_warnings():
        if output is not None and form is not None:
            _save(transport, asked, output, form)
        else:
            _print(transport, asked)


def _given(options: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if value is not None}


def _form_of(output: Path) -> Form:
    """The kind of picture that the ending of a file names. Raises InvalidParameter."""
    named = next((form for form in Form if output.suffix.lower() == f".{form}"), None)
    if named is None:
        reason = f"{output.name} ends in neither .svg nor .png. Name a file that does."
        raise InvalidParameter("output", reason)
    return named


def _check_terminal(asked: _Asked) -> None:
    """Raises InvalidParameter where only a file will do."""
    for name in asked.look:
        option = f"--no-{name}" if name in ("title", "legend") else f"--{name}"
        raise InvalidParameter(name, f"{option} is for a picture in a file. Leave it out, or name a file with -o.")
    try:
        _BRAILLE.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        reason = f"Standard output writes {sys.stdout.encoding}, which lacks the signs that a plot is made of."
        raise InvalidParameter("output", f"{reason} Set PYTHONIOENCODING=utf-8, or name a file with -o.") from None


def _save(transport: Transport, asked: _Asked, output: Path, form: Form) -> None:
    with transport.stream(asked.request(form.value, **asked.look)) as response, whole_file(output) as file:
        for piece in response.iter_bytes():
            file.write(piece)


def _print(transport: Transport, asked: _Asked) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    size = TerminalSize.of_terminal(console.width, console.height)
    windows = {} if "every" in asked.read else _windows(asked, size)
    request = asked.request("arrow", **windows)
    with transport.stream(request) as response:
        headers = response.headers
        span = parse_range(headers["X-Fluxgate-Start"], headers["X-Fluxgate-Stop"])
        collector = SeriesCollector(PixelColumns(span, size.columns), len(COLOURS))
        try:
            frames = NumberFrames(response.iter_bytes())
            for frame in frames:
                collector.add(frame)
        except (pa.ArrowInvalid, OSError) as broken:
            raise AnswerBroken(f"The answer about {asked.bucket} is not whole ({broken}). Ask again.") from broken
    series, zone = collector.series(), asked.read.get("tz") or "UTC"
    fn = Fn(headers["X-Fluxgate-Fn"]) if "X-Fluxgate-Fn" in headers else None
    unit = common_unit(each.field for each in series)
    lines = [printable(asked.bucket, _LONGEST_TITLE), what_is_shown(fn, headers["X-Fluxgate-Every"], span, zone), unit]
    lines += terminal_chart(series, span, zone, size) if series else [EMPTY]
    skipped = [unquote(name) for name in headers.get("X-Fluxgate-Skipped-Fields", "").split(",") if name]
    skipped += [".".join(name) for name in frames.left_out]
    named = [printable(name, 200) for name in dict.fromkeys(skipped)]
    lines += notes(len(series), collector.count, named, len(named), collector.not_finite)
    for line in filter(None, lines):
        typer.echo(line)


def _windows(asked: _Asked, size: TerminalSize) -> dict[str, str]:
    """A window for each column of dots, unless the function of the gateway's own windows is asked for."""
    if asked.read.get("fn", Fn.M4) != Fn.M4:
        return {}
    span = asked_range(asked.read, zone_named(asked.read.get("tz", ""))).at(time.time_ns())
    return {"every": chart_windows(span, size.columns).every, "fn": Fn.M4.value}
