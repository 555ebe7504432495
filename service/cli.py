"""The command `fluxgate`: serving, keys, buckets and reads from the shell.

Exit codes: 0 done; 1 it could not be done, with the reason on standard error; 2 the call was wrong.
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
    """The whole command, with the group of each feature."""
    whole = typer.Typer(
        name="fluxgate",
        help="Gets data out of InfluxDB, exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    whole.add_typer(keys.cli, name="keys")
    whole.add_typer(buckets.cli, name="buckets")
    for feature in features:
        whole.add_typer(feature.commands, name=feature.name)
    whole.add_typer(jobs.cli, name="jobs")
    whole.command("serve")(serve.serve)
    whole.command("worker")(workers.worker)
    whole.command("scheduler")(workers.scheduler)
    whole.command("read")(read.read)
    whole.command("settings")(settings.settings)
    whole.command("openapi")(openapi.openapi)
    whole.command("version")(settings.version)
    return whole


cli = build(FEATURES)


def main() -> None:
    """Run, and turn what goes wrong into one sentence."""
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
    _say(sentence, "red")
    sys.exit(1)


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None) -> None:
    _say(str(message), "yellow")


def _say(sentence: str, style: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style=style, markup=False)
