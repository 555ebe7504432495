"""`fluxgate settings`: prints the settings as a table, or as a file to start from."""

from enum import StrEnum
from typing import Annotated

import typer

from service.settings import documented


class SettingsFormat(StrEnum):
    """The formats of the list of settings."""

    MARKDOWN = "markdown"
    ENV = "env"


_HEAD = """# Settings

A value comes from the environment, else from `.env` in the working directory, else from a file with the setting's name
in the directory that `FLUXGATE_SECRETS_DIR` names.
This table is made by `fluxgate settings --format markdown`.

| setting | default | meaning |
|---|---|---|
"""
_ENV_HEAD = """# Every setting of Fluxgate. Copy to .env and uncomment what you change.
# Made by: fluxgate settings --format env
"""


def settings(
    format: Annotated[SettingsFormat, typer.Option(help="As a table, or as .env.example.")] = SettingsFormat.MARKDOWN,
) -> None:
    """Show every setting with its default and description."""
    typer.echo(as_markdown() if format is SettingsFormat.MARKDOWN else as_env(), nl=False)


def as_markdown() -> str:
    """The settings as docs/settings.md holds them."""
    rows = ((name, f"`{default}`" if default else "", description) for name, default, description in documented())
    return _HEAD + "".join(f"| `{name}` | {default} | {description} |\n" for name, default, description in rows)


def as_env() -> str:
    """The settings as .env.example holds them."""
    rows = (f"\n# {description}\n# {name}={default}\n" for name, default, description in documented())
    return _ENV_HEAD + "".join(rows)
