"""The command `fluxgate`: serving, keys, buckets and reads from the shell.

Exit codes: 0 done; 1 it could not be done, with the reason on standard error; 2 the call was wrong.
"""

import sys
import warnings
from typing import NoReturn, TextIO

import typer
from rich.console import Console

from fluxgate_client import GatewayError
from service.commands import buckets, jobs, keys, mirror, openapi, read, serve, settings, workers
from service.errors import FluxgateError

cli = typer.Typer(
    name="fluxgate", help="Gets data out of InfluxDB, exactly.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
cli.add_typer(keys.cli, name="keys")
cli.add_typer(buckets.cli, name="buckets")
cli.add_typer(mirror.cli, name="mirror")
cli.add_typer(jobs.cli, name="jobs")
cli.command("serve")(serve.serve)
cli.command("worker")(workers.worker)
cli.command("scheduler")(workers.scheduler)
cli.command("read")(read.read)
cli.command("settings")(settings.settings)
cli.command("openapi")(openapi.openapi)
cli.command("version")(settings.version)


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
