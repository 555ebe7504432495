"""The gateway that a subcommand talks to, and the key it shows."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fluxgate import Gateway, connect
from service.settings import load_settings

FIRST_KEY = "first-key.txt"
DEFAULT_URL = "http://127.0.0.1:8000"
Url = Annotated[str | None, typer.Option(help=f"The gateway; else FLUXGATE_URL, else {DEFAULT_URL}.")]
Key = Annotated[str | None, typer.Option(help="The key; else API_KEY, else the one that the first start made in DATA_DIR.")]


def reach(url: str | None, key: str | None) -> Gateway:
    return connect(url or os.environ.get("FLUXGATE_URL") or DEFAULT_URL, key or _own_key())


def _own_key() -> str | None:
    settings = load_settings()
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    kept = Path(settings.data_dir) / FIRST_KEY
    return kept.read_text().strip() if kept.exists() else None
