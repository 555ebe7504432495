"""The command `fluxgate` and its subcommands.

Exit codes: 0 it succeeded; 1 it failed, and standard error says why; 2 the arguments were wrong.
Nothing of the service is imported before a command is run.
"""

import pkgutil
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, NoReturn, TextIO

import typer

from service import __version__, features
from service.commands.lazy import Entry, at, group_of

_BEFORE_FEATURES = (
    at("keys", "API keys.", "service.commands.keys"),
    at("buckets", "Buckets.", "service.commands.buckets"),
)
_BEHIND_FEATURES = (
    at("jobs", "Jobs.", "service.commands.jobs"),
    at("serve", "Run the service with the settings of the environment and .env.", "service.commands.serve", "serve"),
    at("worker", "Run jobs that the broker sends.", "service.commands.workers", "worker"),
    at("scheduler", "Submit scheduled jobs to the workers.", "service.commands.workers", "scheduler"),
    at("probe", "Check that a worker or scheduler of this machine is alive.", "service.commands.probe", "probe"),
    at("migrate", "Make the state database, or bring it to this version.", "service.commands.migrate", "migrate"),
    at("read", "Read a bucket.", "service.commands.read", "read"),
    at(
        "plot",
        "Draw the numbers of a bucket, in the terminal or into a file.",
        "service.commands.plot",
        "plot",
    ),
    at("write", "Write the lines of a file to a bucket.", "service.commands.write", "write"),
    at("import", "Import a file of points into a bucket.", "service.commands.import_points", "import_points"),
    at("export", "Export the points of a bucket.", "service.commands.export_points", "export_points"),
    at(
        "simulate",
        "Write simulated sensors to a bucket, read them back, and say whether they are there.",
        "service.commands.simulate",
        "simulate",
    ),
    at("schema", "Show the measurements of a bucket, with their tags and fields.", "service.commands.schema", "schema"),
    at("gaps", "Show the gaps of each series of a bucket, and which are silent now.", "service.commands.gaps", "gaps"),
    at("settings", "Show every setting with its default and description.", "service.commands.settings", "settings"),
    at("openapi", "Print the OpenAPI document of this version.", "service.commands.openapi", "openapi"),
    at("version", "Show the version.", "service.commands.version", "version"),
)


def feature_entries() -> list[Entry]:
    """The commands of each feature: a package of `service.features` with a SUMMARY and a module `commands`."""
    names = [module.name for module in pkgutil.iter_modules(features.__path__) if module.ispkg]
    packages = [(name, import_module(f"{features.__name__}.{name}")) for name in names]
    return [at(name, package.SUMMARY, f"{package.__name__}.commands") for name, package in packages]


def build(of_features: Sequence[Entry]) -> typer.Typer:
    """Make the command, with one group of subcommands per feature."""
    root = typer.Typer(
        name="fluxgate",
        help="Gets data out of InfluxDB, exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        cls=group_of([*_BEFORE_FEATURES, *of_features, *_BEHIND_FEATURES]),
    )

    @root.callback()
    def fluxgate(
        version: Annotated[
            bool,
            typer.Option("--version", help="Show the version.", is_eager=True, callback=_version),
        ] = False,
    ) -> None:
        """Gets data out of InfluxDB, exactly."""

    return root


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


cli = build(feature_entries())


def main() -> None:
    """Run the command. An expected error becomes one sentence on standard error."""
    warnings.showwarning = _warn
    try:
        cli()
    except OSError as error:
        _fail(f"{error.filename or 'This'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        _fail(sentence)


def _sentence(error: Exception) -> str | None:
    """What `error` says to people; None for one that nobody meant."""
    from fluxgate_client import GatewayError
    from service.errors import FluxgateError

    return getattr(error, "message", None) or str(error) if isinstance(error, (FluxgateError, GatewayError)) else None


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
    from service.console.plain_console import PlainConsole

    PlainConsole(stderr=True, soft_wrap=True, highlight=False).print(sentence, style=style, markup=False)
