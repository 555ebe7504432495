"""`fluxgate settings`: what can be set, as a table or as a file to start from."""

from enum import StrEnum
from typing import Annotated

import typer

from service.settings import documented


class SettingsFormat(StrEnum):
    MARKDOWN = "markdown"
    ENV = "env"


_HEAD = """# Settings

From the environment, then `.env` in the working directory, then files named like the setting in the directory that `FLUXGATE_SECRETS_DIR` names.
This table is made by `fluxgate settings --format markdown`.

| setting | default | meaning |
|---|---|---|
"""
_ENV_HEAD = """# Every setting of Fluxgate. Copy to .env and uncomment what you change.
# Made by: fluxgate settings --format env
"""


def settings(format: Annotated[SettingsFormat, typer.Option(help="As a table, or as .env.example.")] = SettingsFormat.MARKDOWN) -> None:
    """Show every setting, its default and its sentence."""
    typer.echo(as_markdown() if format is SettingsFormat.MARKDOWN else as_env(), nl=False)


def as_markdown() -> str:
    return _HEAD + "".join(f"| `{name}` | {f'`{default}`' if default else ''} | {sentence} |\n" for name, default, sentence in documented())


def as_env() -> str:
    return _ENV_HEAD + "".join(f"\n# {sentence}\n# {name}={default}\n" for name, default, sentence in documented())
