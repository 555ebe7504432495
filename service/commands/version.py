"""`fluxgate version`: the same as `fluxgate --version`."""

import typer

from service import __version__


def version() -> None:
    """Show the version."""
    typer.echo(__version__)
