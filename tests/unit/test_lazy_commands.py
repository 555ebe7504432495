"""The list of commands imports none of them, and says of each what the command says of itself."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer.main

from service import __version__
from service.cli import cli
from service.wiring.features import FEATURES

HEAVY = {
    *("alembic", "celery", "duckdb", "fastapi", "fluxgate_client", "httpx", "influxdb_client", "numpy", "pandas"),
    *("prometheus_client", "pyarrow", "pydantic", "redis", "sqlalchemy", "starlette", "structlog", "uvicorn"),
}


def run(*arguments: str) -> tuple[str, set[str]]:
    """What a call prints, and which of HEAVY it imported."""
    code = (
        "import sys\nfrom service.cli import cli\ntry:\n    cli(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('imported', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shown, _, modules = done.stdout.rpartition("imported ")
    return shown, HEAVY & set(modules.split())


@pytest.mark.parametrize("arguments", [("--version",), ("--help",)])
def test_what_needs_no_service_imports_none(arguments: tuple[str, ...]) -> None:
    """It took two seconds to print a version."""
    shown, imported = run(*arguments)
    assert imported == set()
    assert shown


def test_the_version_is_printed() -> None:
    assert run("--version")[0] == run("version")[0] == f"{__version__}\n"


def test_the_check_notices_what_a_command_imports() -> None:
    assert {"sqlalchemy", "pydantic"} <= run("keys", "--help")[1]


def commands() -> Iterator[Any]:
    yield from typer.main.get_command(cli).commands.values()  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_the_list_says_what_the_command_says(command: Any) -> None:
    loaded = command.loaded()
    first = (loaded.help or "").split("\n")[0]
    assert first.startswith(command.help.rstrip(".")), (command.help, first)
    assert loaded.name == command.name


def test_every_feature_has_its_commands() -> None:
    names = [command.name for command in commands()]
    for feature in FEATURES:
        assert feature.name in names
        assert feature.commands.info.help == import_module(f"service.features.{feature.name}").SUMMARY
