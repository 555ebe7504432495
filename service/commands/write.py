"""`fluxgate write`: line protocol from a file or from standard input, through a running gateway, as one request."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fluxgate_client import PointsRefused
from service.console.connection import Key, Url, open_gateway
from service.console.plain_console import PlainConsole

_MOST_SHOWN = 20
_STANDARD_INPUT = "-"


class Precision(StrEnum):
    NS = "ns"
    US = "us"
    MS = "ms"
    S = "s"


def write(
    bucket: Annotated[str, typer.Argument(help="Its name, as it is.")],
    file: Annotated[str, typer.Argument(help="Line protocol in UTF-8; - is standard input.")],
    precision: Annotated[Precision, typer.Option(help="Unit of the times.")] = Precision.NS,
    partial: Annotated[bool, typer.Option("--partial", help="Store the good lines when some are bad.")] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write the lines of a file to a bucket. Exit code 1 when one of them was not stored."""
    lines = sys.stdin.buffer.read() if file == _STANDARD_INPUT else Path(file).read_bytes()
    with open_gateway(url, key) as gateway:
        try:
            outcome = gateway.write(bucket, lines, precision=precision.value, partial=partial)
        except PointsRefused as refused:
            _show(refused.problem)
            raise
    _show(outcome)
    typer.echo(f"{outcome['stored']:,} points stored.")
    left_out = outcome["bad_count"] + outcome["refused_count"]
    if left_out:
        _say(f"{left_out:,} lines were not stored.")
        raise typer.Exit(1)


def _show(outcome: Any) -> None:  # noqa: ANN401  (a JSON document)
    """Each line that was not stored, and why."""
    problems = [*outcome.get("bad", ()), *outcome.get("refused", ())]
    for problem in problems[:_MOST_SHOWN]:
        _say(f"line {problem['line']}: {problem['reason']}")
    if len(problems) > _MOST_SHOWN:
        _say(f"… and {len(problems) - _MOST_SHOWN} more.")


def _say(sentence: str) -> None:
    PlainConsole(stderr=True, soft_wrap=True, highlight=False).print(sentence, style="red", markup=False)
