"""The command `fluxgate` and its subcommands.

Exit codes: 0 it succeeded; 1 it failed, and standard error says why; 2 the arguments were wrong.
"""

import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

import typer
from rich.console import Console

from fluxgate_client import GatewayError
from service.commands import buckets, jobs, keys, openapi, read, serve, settings, workers
from service.errors import FluxgateError
from service.features.feature import Feature
from service.wiring.features import FEATURES


def build(features: Sequence[Feature]) -> typer.Typer:
    """Make the command, with one group of subcommands per feature."""
    root = typer.Typer(
        name="fluxgate",
        help="Gets data out of InfluxDB, exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    root.add_typer(keys.cli, name="keys")
    root.add_typer(buckets.cli, name="buckets")
    for feature in features:
        root.add_typer(feature.commands, name=feature.name)
    root.add_typer(jobs.cli, name="jobs")
    root.command("serve")(serve.serve)
    root.command("worker")(workers.worker)
    root.command("scheduler")(workers.scheduler)
    root.command("read")(read.read)
    root.command("settings")(settings.settings)
    root.command("openapi")(openapi.openapi)
    root.command("version")(settings.version)
    return root


cli = build(FEATURES)


def main() -> None:
    """Run the command. An expected error becomes one sentence on standard error."""
    warnings.showwarning = _warn
    try:
        cli()
    except (FluxgateError, GatewayError) as error:
        _fail(getattr(error, "message", None) or str(error))
    except OSError as error:
        _fail(f"{error.filename or 'This'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(sentence: str) -> NoReturn:
    _print_error(sentence, "red")
    sys.exit(1)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _print_error(str(message), "yellow")


def _print_error(sentence: str, style: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style=style, markup=False)
