"""`fluxgate openapi`: prints the OpenAPI document, as openapi/openapi.json holds it."""

import tempfile
from pathlib import Path

import typer

from service.api.openapi_document import openapi_text
from service.app import create_app
from service.settings import Settings
from service.wiring import assemble


def openapi() -> None:
    """Print the OpenAPI document of this version."""
    with tempfile.TemporaryDirectory() as folder:
        parts = assemble(Settings(_env_file=None, data_dir=Path(folder)))  # type: ignore[call-arg]
        typer.echo(openapi_text(create_app(parts)), nl=False)
        parts.close()
